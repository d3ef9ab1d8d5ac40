"""A black box of our own, where none is given: a small convolutional network, calibrated."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.devices import autocast, best_precision
from diffex.base.errors import FolderError
from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.classifiers.card import ClassifierCard
from diffex.classifiers.classifier import Classifier

SCHEMA = 1
_WIDTHS = (32, 32, 64, 64, 96, 96, 128, 128)


@final
class SmallConvNet(nn.Module):
    """Eight convolutions on the pixel-unshuffled image at four scales, averaged, then linear.

    Parameters
    ----------
    channels : int
        Of the image.
    classes : int
        Logits.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels * 4
        for index, width in enumerate(_WIDTHS):
            stride = 2 if index in (2, 4, 6) else 1
            layers += [nn.Conv2d(before, width, 3, stride, 1), nn.BatchNorm2d(width), nn.SiLU()]
            before = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Classify ``(n, c, h, w)`` standardised pixels to ``(n, k)`` logits."""
        odd = (0, x.shape[3] % 2, 0, x.shape[2] % 2)
        x = functional.pixel_unshuffle(functional.pad(x, odd) if any(odd) else x, 2)
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits


@final
class BlackBoxTask(nn.Module):
    """One training step: class-balanced cross-entropy, or regression on logits.

    Parameters
    ----------
    network : nn.Module
        What is trained.
    card : ClassifierCard
        Range, mean and std of its input.
    value_range : (float, float)
        Of the pixels given.
    class_weight : Tensor
        ``(k,)``, as from `class_weights`.
    """

    def __init__(
        self,
        network: nn.Module,
        card: ClassifierCard,
        value_range: tuple[float, float],
        class_weight: Tensor,
    ) -> None:
        super().__init__()
        self.network = network
        self._card, self._range, self._class_weight = card, value_range, class_weight

    def forward(self, step: int, generator: torch.Generator, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Compute the loss of grey values ``(n, c, h, w)`` and labels ``(n,)`` or logits ``(n, k)``."""
        logits = self.network(standardise(x, self._card, self._range)).float()
        if y.is_floating_point():
            return {"loss": functional.smooth_l1_loss(logits, y)}
        weight = self._class_weight.to(logits)
        return {"loss": functional.cross_entropy(logits, y, weight)}


def standardise(x: Tensor, card: ClassifierCard, value_range: tuple[float, float]) -> Tensor:
    """Apply a card's range, mean and std to grey values of its own size.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)`` in `value_range`.
    card : ClassifierCard
        Range, mean and std.
    value_range : (float, float)
        Of `x`.

    Returns
    -------
    Tensor
        ``(n, c, h, w)``.
    """
    (low, high), (to_low, to_high) = value_range, card.value_range
    mean, std = (x.new_tensor(v).view(1, -1, 1, 1) for v in (card.mean, card.std))
    return ((x - low) * ((to_high - to_low) / (high - low)) + to_low - mean) / std


@final
@dataclass(frozen=True)
class BlackBoxReport:
    """How good a black box is on images it was not trained on.

    Parameters
    ----------
    balanced_accuracy, low, high : float
        With a 95 % interval.
    images : int
        Held-out images.
    temperature : float
        Fitted; logits are divided by it.
    """

    balanced_accuracy: float
    low: float
    high: float
    images: int
    temperature: float


def class_weights(labels: NDArray[np.int64], classes: int) -> Tensor:
    """Weights that make every class count alike.

    Parameters
    ----------
    labels : ndarray of int
        Training labels.
    classes : int
        How many classes there are.

    Returns
    -------
    Tensor
        ``(k,)``, inverse frequencies, with mean 1 over the images.
    """
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    return torch.tensor(len(labels) / (classes * counts), dtype=torch.float32)


@torch.no_grad()
def predict(
    classifier: Classifier, batches: Callable[[], Any], value_range: tuple[float, float]
) -> NDArray[np.float64]:
    """Logits of all images of a stream.

    Parameters
    ----------
    classifier : Classifier
        The thing asked.
    batches : callable
        Gives an iterator of ``(positions, pixels)``, as ``Images.batches``.
    value_range : (float, float)
        Of the pixels.

    Returns
    -------
    ndarray, shape (n, k)
        Calibrated logits.
    """
    rows = [classifier.logits(x, value_range).cpu().numpy() for _, x in batches()]
    return np.concatenate(rows).astype(np.float64)


def save_black_box(folder: Path, classifier: Classifier, report: BlackBoxReport | None) -> None:
    """Write ``config.json`` and ``model.safetensors``.

    Parameters
    ----------
    folder : Path
        The classifier's folder.
    classifier : Classifier
        A wrapped `SmallConvNet`.
    report : BlackBoxReport, optional
        How good it is.
    """
    assert classifier.module is not None
    save_tensors(folder / "model.safetensors", dict(classifier.module.state_dict()))
    config = {"schema": SCHEMA, "architecture": "small-conv-net", "card": classifier.card.model_dump()}
    write_json(folder / "config.json", {**config, "report": None if report is None else vars(report)})


def load_black_box(folder: Path) -> Classifier:
    """Read what `save_black_box` wrote.

    Parameters
    ----------
    folder : Path
        The classifier's folder.

    Returns
    -------
    Classifier
        With the folder as its address.

    Raises
    ------
    FolderError
        If files are missing, damaged or of another schema.
    """
    config = read_json(folder / "config.json")
    kind = (config.get("schema"), config.get("architecture")) if isinstance(config, dict) else None
    if kind != (SCHEMA, "small-conv-net"):
        raise FolderError(f"{folder} is not a classifier folder of this diffex: fit it again.")
    state = load_tensors(folder / "model.safetensors")
    try:
        card = ClassifierCard(**config["card"])
        network = SmallConvNet(card.channels, len(card.class_names))
        network.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FolderError(
            f"{folder} is damaged: config.json and model.safetensors do not fit together; fit it again."
        ) from error
    return Classifier(network, card, differentiable=True, address=str(folder))


@torch.no_grad()
def raw_logits(
    network: nn.Module, x: Tensor, card: ClassifierCard, value_range: tuple[float, float]
) -> Tensor:
    """Logits of a network in training, in evaluation mode, before calibration.

    Parameters
    ----------
    network : nn.Module
        Left in the mode it was in.
    x : Tensor
        ``(n, c, h, w)`` grey values.
    card : ClassifierCard
        Range, mean and std.
    value_range : (float, float)
        Of `x`.

    Returns
    -------
    Tensor
        ``(n, k)`` on the CPU.
    """
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    with autocast(device, best_precision(device)):
        logits: Tensor = network(standardise(x.to(device), card, value_range)).float().cpu()
    network.train(training)
    return logits
