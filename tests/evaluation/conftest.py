"""A tiny generator of planted cells, classifiers of them, and a bench in a temporary folder."""

import numpy as np
import pytest
import torch

from diffex.classifiers import Classifier
from diffex.classifiers.blackbox import SmallConvNet
from diffex.classifiers.card import make_card
from diffex.evaluation.bench import Bench
from diffex.evaluation.sets import planted
from diffex.generators import DiffusionAutoencoder, GeneratorConfig, PixelTransform
from diffex.generators.autoencoder import ImageForm
from diffex.generators.model import Model
from diffex.images.planted import CLASS_NAMES
from diffex.images.planted_factors import CHANNEL_NAMES
from diffex.images.planted_labels import LinearRule

CPU = torch.device("cpu")
SIDE = 32


@pytest.fixture
def bench(tmp_path):
    return Bench(None, tmp_path / "out", 0, True, CPU)


@pytest.fixture(scope="session")
def cells():
    return planted(32, 3, LinearRule({"nucleus_area": 1.0}), SIDE)


def net(seed):
    """A network with batch norm statistics and logits like a trained one's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = SmallConvNet(3, 2)
        with torch.no_grad():
            made.head.weight.mul_(20)
    return made


@pytest.fixture(scope="session")
def classifier():
    """Make a classifier of a seed."""
    return classifier_of


def classifier_of(seed=0):
    fields = {"class_names": CLASS_NAMES, "size": (SIDE, SIDE), "channels": 3, "mean": 0.2, "std": 0.2}
    card = make_card({**fields, "channel_names": CHANNEL_NAMES})
    return Classifier(net(seed), card, differentiable=True, address=f"tiny-{seed}")


@pytest.fixture(scope="session")
def generator(random_weights):
    config = GeneratorConfig(latents=16, widths=(16, 16), steps=1, depth=2)
    pixels = PixelTransform((0.0,) * 3, (1.0,) * 3, (1.0,) * 3, (0.2,) * 3, (0.0, 1.0))
    return random_weights(DiffusionAutoencoder(config, ImageForm(CHANNEL_NAMES, (SIDE, SIDE), 2), pixels))


@pytest.fixture(scope="session")
def model(generator):
    voice = classifier_of()
    return Model("tiny", generator, voice, voice, (), torch.zeros(2, generator.latents), {})


@pytest.fixture(scope="session")
def space():
    """A metric and a covariance of 64 latents with a falling spectrum."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.standard_normal((64, 64)))[0]
    return turn @ np.diag(np.geomspace(1, 0.3, 64)) @ turn.T, np.eye(64)
