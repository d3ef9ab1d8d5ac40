import numpy as np
import pytest
import torch

from diffex.classifiers import Classifier
from diffex.generators.config import GeneratorConfig
from diffex.generators.duration import estimate_fit_seconds

CPU = torch.device("cpu")


def black_box(x):
    value = x.mean((1, 2, 3)).numpy()
    return np.stack([-value, value], axis=1)


@pytest.mark.parametrize("given", ["none", "differentiable", "black box"])
def test_longer_trainings_take_longer(tiny, given):
    images = tiny.discs(48, size=28)
    card = {"class_names": images.class_names, "size": 28, "channels": images.channels}
    net = torch.nn.Sequential(
        torch.nn.Conv2d(images.channels, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    networks = {"differentiable": net, "black box": black_box}
    classifier = None if given == "none" else Classifier.wrap(networks[given], **card)
    before = torch.random.get_rng_state()
    config = GeneratorConfig(latents=4, widths=(16, 16), batch_size=8, steps=10)
    short = estimate_fit_seconds(images, config, classifier, CPU, black_box_steps=1)
    long = estimate_fit_seconds(images, config.model_copy(update={"steps": 100_000}), classifier, CPU, 1)
    assert 20 < short < long / 10
    assert given != "differentiable" or torch.equal(torch.random.get_rng_state(), before)
