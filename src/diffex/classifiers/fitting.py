"""Fit a black box to labelled images, or a differentiable twin to a black box without gradients."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.hashing import hash_tensors
from diffex.base.noise import derive_seed
from diffex.base.positions import evenly
from diffex.classifiers.blackbox import (
    BlackBoxReport,
    BlackBoxTask,
    SmallConvNet,
    class_weights,
    load_black_box,
    predict,
    raw_logits,
    save_black_box,
)
from diffex.classifiers.calibration import balanced_accuracy_interval, fit_temperature
from diffex.classifiers.card import ClassifierCard
from diffex.classifiers.classifier import Classifier
from diffex.images import Images, require_classes, split_by_group
from diffex.images.augment import augment
from diffex.training import TrainConfig, train

_log = logging.getLogger("diffex")
_HELD_OUT = 0.2
_IMAGES_SEEN = 40_000
_BATCH = 256


def fit_black_box(
    images: Images, folder: Path, *, seed: int = 0, steps: int | None = None, device: torch.device
) -> tuple[Classifier, BlackBoxReport]:
    """Train, calibrate and save a small convolutional network.

    Parameters
    ----------
    images : Images
        Labelled, at least two classes. A fifth, by group, is held out for early stopping,
        calibration and the reported accuracy's first look.
    folder : Path
        Where to keep it; an unfinished training goes on.
    seed : int
        Of initialisation, split, batches and augmentation.
    steps : int, optional
        Optimiser steps of 64 images; default about 40,000 images seen.
    device : torch.device
        Where to train.

    Returns
    -------
    (Classifier, BlackBoxReport)
        The classifier, on the CPU, and its balanced accuracy with a 95 % interval.

    Raises
    ------
    InputError
        If there are fewer than two classes, or fewer than two groups.
    FolderError
        If the folder holds an unfinished training of other images or settings.
    """
    require_classes(images)
    fitting, held_out = split_by_group(images, _HELD_OUT, seed)
    card = card_of(images)
    network = _initialised(card, seed)
    weights = class_weights(_labels(fitting), len(card.class_names))
    task = BlackBoxTask(network, card, images.value_range, weights)
    config = _length(steps or _IMAGES_SEEN // 64, seed, weight_decay=0.05)

    def skill() -> float:
        parts = [raw_logits(network, x, card, images.value_range) for _, x in held_out.batches(_BATCH)]
        loss = _balanced_cross_entropy(torch.cat(parts), _labels(held_out))
        return max(loss, 1 / len(held_out))  # less would be more confidence, not fewer errors

    fitting.remember()
    train(
        task,
        lambda positions, g: {
            "x": augment(fitting.read(positions), "dihedral", g),
            "y": torch.from_numpy(_labels(fitting)[positions]),
        },
        len(fitting),
        config,
        folder / "training",
        device=device,
        what="black box",
        check=skill,
        settings={"pixels": images.fingerprint()},
    )
    return _finish(network, card, images, held_out, folder, seed)


def _length(steps: int, seed: int, weight_decay: float) -> TrainConfig:
    return TrainConfig(
        steps=steps, batch_size=64, lr=2e-3, warmup=50, weight_decay=weight_decay, ema=0.99, seed=seed
    )


def _labels(images: Images) -> NDArray[np.int64]:
    assert images.labels is not None
    return images.labels


def _initialised(card: ClassifierCard, seed: int) -> SmallConvNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("black box", seed) % 2**31)
        return SmallConvNet(card.channels, len(card.class_names))


def _balanced_cross_entropy(logits: Tensor, labels: NDArray[np.int64]) -> float:
    weight = class_weights(labels, logits.shape[1])
    return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels), weight))


def card_of(images: Images, class_names: tuple[str, ...] | None = None) -> ClassifierCard:
    """Describe images as a classifier's card: size, channels, mean and spread of a sample.

    Parameters
    ----------
    images : Images
        The fitting images.
    class_names : tuple of str, optional
        In the order of the logits; default those of the images' labels.

    Returns
    -------
    ClassifierCard
        In the images' own value range.
    """
    sample = images.read(evenly(len(images), 512))
    mean, std = sample.mean(dim=(0, 2, 3)), sample.std(dim=(0, 2, 3)).clamp_min(1e-6)
    return ClassifierCard(
        class_names=images.class_names if class_names is None else class_names,
        size=images.size,
        channels=images.channels,
        value_range=images.value_range,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        channel_names=images.channel_names,
    )


def _finish(
    network: SmallConvNet, card: ClassifierCard, images: Images, held_out: Images, folder: Path, seed: int
) -> tuple[Classifier, BlackBoxReport]:
    network = network.cpu()
    raw = Classifier(network, card, differentiable=True, address=str(folder))
    logits = predict(raw, lambda: held_out.batches(_BATCH), images.value_range)
    labels = _labels(held_out)
    temperature = fit_temperature(logits, labels)
    card = card.model_copy(update={"temperature": temperature})
    classifier = Classifier(network, card, differentiable=True, address=str(folder))
    value, low, high = balanced_accuracy_interval(labels, logits.argmax(1), held_out.groups, seed=seed)
    report = BlackBoxReport(value, low, high, len(held_out), temperature)
    save_black_box(folder, classifier, report)
    _log.info(
        "black box: balanced accuracy %.3f (%.3f to %.3f) on %d held-out images",
        *(value, low, high, len(labels)),
    )
    return load_black_box(folder), report


def fit_twin(
    classifier: Classifier,
    images: Images,
    folder: Path,
    *,
    seed: int = 0,
    steps: int = 800,
    device: torch.device,
) -> Classifier:
    """Fit a differentiable twin to the logits of a classifier without gradients.

    Parameters
    ----------
    classifier : Classifier
        A black box.
    images : Images
        Need no labels.
    folder : Path
        Where to keep it.
    seed : int
        Of initialisation, batches and augmentation.
    steps : int
        Optimiser steps of 64 images.
    device : torch.device
        Where to train.

    Returns
    -------
    Classifier
        Guides the generator's training and pre-ranking only; effects are always the black box's own.
    """
    logits = predict(classifier, lambda: images.batches(_BATCH), images.value_range)
    card = card_of(images, classifier.card.class_names)
    network = _initialised(card, seed)
    task = BlackBoxTask(network, card, images.value_range, torch.ones(len(card.class_names)))
    goal = torch.from_numpy(logits.astype(np.float32))

    images.remember()

    def read(positions: NDArray[np.int64], generator: torch.Generator) -> dict[str, Any]:
        return {"x": images.read(positions), "y": goal[torch.from_numpy(positions)]}

    train(
        task,
        read,
        len(images),
        _length(steps, seed, weight_decay=0.01),
        folder / "training",
        device=device,
        what="twin of the black box",
        settings={"pixels": images.fingerprint(), "logits": hash_tensors({"logits": goal})},
    )
    twin = Classifier(network.cpu(), card, differentiable=True, address=str(folder))
    save_black_box(folder, twin, None)
    return twin
