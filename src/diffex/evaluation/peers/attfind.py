"""The published ranking, as released: AttFind of Bourou et al. 2025, DiffEx, after Lang et al. 2021."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from diffex.base.errors import InputError
from diffex.effects.arrays import SIGNS, FloatArray
from diffex.effects.search import Found, attfind

THRESHOLD, DECAY, HARD_CODED = 0.25, 0.02, 0


@final
@dataclass(frozen=True)
class Released:
    """What the released code finds before it fails.

    Parameters
    ----------
    found : tuple of Found
        In the order accepted.
    failure : str
        Why the released code would never return from here; empty where it returns.
    """

    found: tuple[Found, ...]
    failure: str


def released_attfind(shifts: ArrayLike, target: int, most: int) -> Released:
    """Rank directions as the released code does, on a cached matrix: its answers do not need rendering again.

    Kept: probabilities instead of logits, the falling threshold, and removal of images by the effect on class
    0 whatever the target. The caller gives shifts in the wrong value range, as the released code computes
    them. Its endless loop and its crash are told instead of being run into.

    Parameters
    ----------
    shifts : array_like, shape (n, K, 2, k)
        Change of every class's probability from the original image to the edit.
    target : int
        Index of the class.
    most : int
        Directions wanted.

    Returns
    -------
    Released
        Directions in order, and how it would have failed.

    Raises
    ------
    InputError
        If the shape is another or a value is not finite.
    """
    array = _checked(shifts)
    left, unused, threshold = np.arange(len(array)), np.ones(array.shape[1], dtype=bool), THRESHOLD
    found: list[Found] = []
    while len(found) < most:
        if not len(left):
            return Released(tuple(found), "endless loop: no image is left")
        means = np.where(unused[:, None], array[left, :, :, target].mean(axis=0), -np.inf)
        concept, side = divmod(int(means.argmax()), 2)
        best = max(0.0, float(means[concept, side]))
        if best == 0 and threshold < 0:
            return Released(tuple(found), "crash: no direction is left")
        if best > threshold:
            gone = array[left, concept, side, HARD_CODED] >= best
            found.append(Found(concept, SIGNS[side], best, threshold, tuple(left[gone].tolist())))
            left, unused[concept] = left[~gone], False
        threshold = min(threshold - DECAY, best)
    return Released(tuple(found), "")


def repaired_attfind(shifts: ArrayLike, target: int, most: int) -> tuple[Found, ...]:
    """Rank directions as published, with the class index, the range and the stopping mended.

    Parameters
    ----------
    shifts : array_like, shape (n, K, 2, k)
        Change of every class's probability, in the right value range.
    target : int
        Index of the class.
    most : int
        Directions wanted.

    Returns
    -------
    tuple of Found
        In order.

    Raises
    ------
    InputError
        If the shape is another or a value is not finite.
    """
    return attfind(_checked(shifts)[..., target], most, THRESHOLD, DECAY)


def _checked(shifts: ArrayLike) -> FloatArray:
    array = np.asarray(shifts, dtype=np.float64)
    if array.ndim != 4 or array.shape[2] != 2 or not np.isfinite(array).all():
        raise InputError(
            f"shifts got shape {array.shape}, expected finite values (images, concepts, 2 signs, classes)."
        )
    return array
