"""A network that reads planted factors off the pixels."""

from collections.abc import Callable
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.files import load_tensors, save_tensors
from diffex.classifiers import Classifier, ClassifierCard
from diffex.classifiers.blackbox import SmallConvNet, standardise
from diffex.classifiers.fitting import card_of
from diffex.effects.arrays import FloatArray
from diffex.evaluation.bench import FIT_ROOMS, Bench, code_hash
from diffex.images import images_from_arrays
from diffex.images.planted_factors import CHANNEL_NAMES
from diffex.training import TrainConfig, train

_CARD_IMAGES = 256


@final
class _ReadTask(nn.Module):
    """Regress factors."""

    def __init__(self, network: nn.Module, card: ClassifierCard) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, step: int, generator: torch.Generator, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        read = self.network(standardise(x, self.card, (0.0, 1.0))).float()
        return {"loss": functional.smooth_l1_loss(read, y)}


def fit_reader(
    bench: Bench,
    kind: str,
    render: Callable[[int], Tensor],
    goals: FloatArray,
    names: tuple[str, ...],
    length: TrainConfig,
) -> Classifier:
    """Train a network that reads factors, or open it from the bench's stages.

    Parameters
    ----------
    bench : Bench
        Seed and stages.
    kind : str
        Of the stage.
    render : callable
        Gives the first m images, ``(m, 3, h, w)`` in 0..1.
    goals : ndarray, shape (n, d)
        What is to be read off each of the n images.
    names : tuple of str
        Of the d factors.
    length : TrainConfig
        Of the training.

    Returns
    -------
    Classifier
        Its "logits" are the factors.
    """
    stage = bench.stage(kind, [goals.tolist(), length.steps, length.batch_size, code_hash(FIT_ROOMS)])
    first = images_from_arrays(render(min(len(goals), _CARD_IMAGES)), channel_names=CHANNEL_NAMES)
    card = card_of(first, names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(bench.seed)
        network = SmallConvNet(len(CHANNEL_NAMES), len(names))
    kept = stage / "reader.safetensors"
    if not kept.is_file():
        pixels, goal = render(len(goals)), torch.from_numpy(goals.astype(np.float32))
        train(
            _ReadTask(network, card),
            lambda rows, g: {"x": pixels[torch.from_numpy(rows)], "y": goal[torch.from_numpy(rows)]},
            len(goals),
            length,
            stage / "training",
            device=torch.device("cpu"),
            what=kind.replace("-", " "),
        )
        save_tensors(kept, network.state_dict())
    network.load_state_dict(load_tensors(kept))
    return Classifier(network, card, differentiable=True, address=kind)
