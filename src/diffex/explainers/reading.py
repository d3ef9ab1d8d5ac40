"""What would stop a long command halfway, found before it starts."""

import numpy as np
import torch
from torch import Tensor

from diffex.base.errors import ClassifierError
from diffex.base.progress import progress
from diffex.classifiers import Classifier, check_images
from diffex.images import Images, sample

_TRIED = 64
_KNOWN_RANGES = ((0.0, 1.0), (-1.0, 1.0))


def read_through(images: Images) -> None:
    """Decode every image once, so that a damaged one is named before any work.

    Parameters
    ----------
    images : Images
        What is to be used.

    Raises
    ------
    InputError
        If a file is truncated, damaged, or holds NaN or Inf.
    """
    for row in progress(images.rows.tolist(), "Reading every image once"):
        images.source.read(int(row))
        if images.has_masks:
            images.source.read_mask(int(row))


@torch.no_grad()
def try_classifier(classifier: Classifier, images: Images) -> None:
    """Classify up to 64 of the images, so that a classifier that fails on them is found before any work.

    Parameters
    ----------
    classifier : Classifier
        The thing explained.
    images : Images
        What is to be explained.

    Raises
    ------
    ClassifierError
        If channels, classes or range do not fit, or logits are not finite.
    """
    check_images(classifier, images)
    x = sample(images, _TRIED, seed=0).read()
    _require_range(classifier, images, x)
    classifier.logits(x, images.value_range)


def _require_range(classifier: Classifier, images: Images, x: Tensor) -> None:
    """Refuse floats beyond the card's range whose own range is known from the pixels alone.

    The range of integers, and of floats in [0, 1] or [-1, 1], is mapped onto the card's.
    """
    if np.dtype(images.dtype).kind != "f" or tuple(images.value_range) in _KNOWN_RANGES:
        return
    (low, high), found = classifier.card.value_range, (float(x.min()), float(x.max()))
    if found[0] < low or found[1] > high:
        raise ClassifierError(
            f"The images hold float pixels from {found[0]:g} to {found[1]:g}, the classifier expects "
            f"[{low:g}, {high:g}]: rescale the images to its range, or correct the value_range of its card."
        )
