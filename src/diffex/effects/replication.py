"""What counts as one independent observation: an image, or a group of images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, IntArray, same_length

MIN_GROUPS = 6
"""Fewer groups than this carry no usable variance between groups."""

Unit = Literal["images", "groups"]


@final
@dataclass(frozen=True, eq=False)
class Units:
    """Which images belong to which unit of replication.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Unit of each image, from 0.
    sizes : ndarray of int, shape (u,)
        Images per unit.
    groups : int
        Number of distinct groups among the images; 0 where there are none.
    unit : {"images", "groups"}
        ``groups`` with 6 groups or more.
    """

    codes: IntArray
    sizes: IntArray
    groups: int
    unit: Unit

    def sums(self, matrix: FloatArray) -> FloatArray:
        """Add up the images of each unit.

        Parameters
        ----------
        matrix : ndarray, shape (n, m)
            A row per image.

        Returns
        -------
        ndarray, shape (u, m)
            A row per unit.
        """
        if self.unit == "images":
            return matrix
        totals = np.zeros((len(self.sizes), matrix.shape[1]))
        np.add.at(totals, self.codes, matrix)
        return totals

    def resamples(self, repeats: int, seed: int) -> Iterator[IntArray]:
        """Draw units with repetition, whole.

        Parameters
        ----------
        repeats : int
            How many resamples.
        seed : int
            Of the draws.

        Yields
        ------
        ndarray of int
            Positions of the images of one resample.
        """
        random, count = np.random.default_rng(seed), len(self.sizes)
        members = np.split(np.argsort(self.codes, kind="stable"), np.cumsum(self.sizes)[:-1])
        for _ in range(repeats):
            yield np.concatenate([members[unit] for unit in random.integers(count, size=count)])


def replication_units(count: int, groups: NDArray[np.generic] | None) -> Units:
    """Decide the unit of replication.

    Parameters
    ----------
    count : int
        Number of images.
    groups : ndarray, shape (n,), optional
        Well, field or donor of each image.

    Returns
    -------
    Units
        Groups where there are at least 6 of them, else images ("within these groups").

    Raises
    ------
    InputError
        If there are fewer than 2 images, or groups do not match.
    """
    if count < 2:
        raise InputError(f"A statistic got {count} images, expected at least 2; give more images.")
    images = np.arange(count), np.ones(count, dtype=np.int64)
    if groups is None:
        return Units(*images, groups=0, unit="images")
    same_length(count, "groups", groups)
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < MIN_GROUPS:
        return Units(*images, groups=len(sizes), unit="images")
    return Units(codes.astype(np.int64), sizes.astype(np.int64), groups=len(sizes), unit="groups")


def selection_half(count: int, groups: NDArray[np.generic] | None, seed: int) -> BoolArray:
    """Mark the half of the images that selects and orders; the other half estimates.

    With 12 groups or more, whole groups are dealt out, so that nothing is shared between the halves. With
    fewer, each group is cut in two, so that either half keeps all groups for its error bars; what a group's
    images share is then in both halves.

    Parameters
    ----------
    count : int
        Number of images.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.
    seed : int
        Decides who goes where.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the selecting half A. The halves differ by one image or group at most where possible.

    Raises
    ------
    InputError
        If there are fewer than 4 images: each half needs 2.

    Examples
    --------
    >>> int(selection_half(9, None, seed=0).sum())
    4
    """
    if count < 4:
        raise InputError(f"Splitting into halves got {count} images, expected at least 4; give more images.")
    random = np.random.default_rng(seed)
    if groups is None:
        return _alternate(random.permutation(count))
    same_length(count, "groups", groups)
    _, codes = np.unique(groups, return_inverse=True)
    if codes.max() + 1 >= 2 * MIN_GROUPS:
        return _alternate(random.permutation(codes.max() + 1))[codes]
    shuffled = random.permutation(count)
    return _alternate(shuffled[np.argsort(codes[shuffled], kind="stable")])


def _alternate(order: IntArray) -> BoolArray:
    half = np.zeros(len(order), dtype=bool)
    half[order[1::2]] = True
    return half
