"""Choosing few rows that matter together, on the cached matrix alone: nothing is rendered again."""

import heapq
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from diffex.base.errors import InputError
from diffex.effects.arrays import SIGNS, BoolArray, FloatArray, IntArray, finite, same_length, signed_effects

_SMALLEST_DECAY = 1e-6


@final
@dataclass(frozen=True)
class Coverage:
    """Rows chosen to cover images.

    Parameters
    ----------
    rows : tuple of int
        Columns of the matrix, in the order chosen.
    covered : tuple of int
        Images covered by the first 1, 2, ... rows.
    images : int
        Images that needed covering.
    """

    rows: tuple[int, ...]
    covered: tuple[int, ...]
    images: int


@final
@dataclass(frozen=True)
class Found:
    """One direction accepted by `attfind`.

    Parameters
    ----------
    concept : int
        Index of the concept.
    sign : int
        +1 or -1.
    effect : float
        Mean effect over the images that remained.
    threshold : float
        Threshold it passed.
    explained : tuple of int
        Images removed by it.
    """

    concept: int
    sign: int
    effect: float
    threshold: float
    explained: tuple[int, ...]


def greedy_coverage(matrix: ArrayLike, needed: ArrayLike, most: int) -> Coverage:
    """Choose rows that together bring as many images as possible over what each needs.

    Row j covers image i where ``matrix[i, j] >= needed[i]``. Coverage is monotone and submodular, so greedy
    choice reaches at least 63 % of the best possible (Nemhauser et al. 1978); gains are evaluated lazily
    (Minoux 1978), with the same answer as plain greedy. Ties go to the first row.

    Parameters
    ----------
    matrix : array_like, shape (n, m)
        Effect of each row on each image.
    needed : array_like, shape (n,) or a scalar
        Effect each image needs, for example minus its null margin to flip. Images that need 0 or less are
        the target already and are left out.
    most : int
        Rows to choose at most; fewer where no row covers a further image.

    Returns
    -------
    Coverage
        The rows chosen, in order.

    Raises
    ------
    InputError
        If values are not finite or lengths differ.

    Examples
    --------
    >>> greedy_coverage([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 0.5, most=5).rows
    (0, 1)
    """
    array = finite(matrix, "matrix", 2)
    need = np.asarray(needed, dtype=np.float64)
    need = finite(np.full(len(array), need) if need.ndim == 0 else need, "needed", 1)
    same_length(len(array), "needed", need)
    covers = (array >= need[:, None])[need > 0]
    rows, counts = _lazy_greedy(covers, most)
    return Coverage(tuple(rows), tuple(counts), len(covers))


def _lazy_greedy(covers: BoolArray, most: int) -> tuple[list[int], list[int]]:
    open_ = np.ones(len(covers), dtype=bool)
    rows: list[int] = []
    counts: list[int] = []
    heap = [(-int(gain), row) for row, gain in enumerate(covers.sum(axis=0))]
    heapq.heapify(heap)
    while heap and len(rows) < most:
        _, row = heapq.heappop(heap)
        gain = int((covers[:, row] & open_).sum())
        if gain == 0:
            continue
        # gains only shrink: a fresh gain that still leads every stale one leads them all
        if heap and heap[0] < (-gain, row):
            heapq.heappush(heap, (-gain, row))
            continue
        open_ &= ~covers[:, row]
        rows.append(row)
        counts.append(len(covers) - int(open_.sum()))
    return rows, counts


def attfind(matrix: ArrayLike, most: int, threshold: float = 0.25, decay: float = 0.02) -> tuple[Found, ...]:
    """Rank directions by the published AttFind procedure, repaired so that it always ends.

    In each pass the unused direction and sign of largest mean effect over the remaining images is accepted if
    that mean exceeds the threshold; images that change by at least the mean are then explained and removed.
    After each pass the threshold falls to ``min(threshold - decay, best mean)``. It ends when enough are
    found, when images or directions run out, or when no mean effect is positive. As the threshold
    falls without end, every positive mean is accepted at last unless `decay` is 0: significance comes from
    the effects table.

    Parameters
    ----------
    matrix : array_like, shape (n, K, 2)
        Effect per image, concept and sign (+1, -1).
    most : int
        Directions to find; may exceed K.
    threshold : float, default 0.25
        First threshold on the mean effect, in the unit of the matrix.
    decay : float, default 0.02
        How much the threshold falls after each pass; 0 keeps it, else at least 1e-6.

    Returns
    -------
    tuple of Found
        In the order accepted.

    Raises
    ------
    InputError
        If the matrix is not finite or not (n, K, 2), or `decay` is out of range.

    References
    ----------
    Bourou et al. 2025, DiffEx; after Lang et al. 2021, StylEx.
    """
    array = signed_effects(matrix)
    if decay != 0 and decay < _SMALLEST_DECAY:
        raise InputError(f"decay got {decay:g}, expected 0 or at least {_SMALLEST_DECAY:g}.")
    left, unused = np.arange(len(array)), np.ones(array.shape[1], dtype=bool)
    found: list[Found] = []
    while len(found) < most and len(left) and unused.any():
        means = np.where(unused[:, None], array[left].mean(axis=0), -np.inf)
        concept, side = divmod(int(means.argmax()), 2)
        best = float(means[concept, side])
        if best <= 0 or (best <= threshold and decay == 0):
            break
        if best > threshold:
            explained = array[left, concept, side] >= best
            found.append(Found(concept, SIGNS[side], best, threshold, tuple(left[explained].tolist())))
            left, unused[concept] = left[~explained], False
        threshold = min(threshold - decay, best)
    return tuple(found)


def best_per_image(matrix: ArrayLike, among: BoolArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Give the concept and sign that moves each image furthest toward the target.

    Parameters
    ----------
    matrix : array_like, shape (n, K, 2)
        Effect per image, concept and sign (+1, -1).
    among : ndarray of bool, shape (K, 2)
        Rows to choose from, at least one; the others need not be finite.

    Returns
    -------
    (ndarray of int, ndarray of int, ndarray), each of shape (n,)
        Concept, sign (+1 or -1), and the effect reached.

    Raises
    ------
    InputError
        If there is no row to choose from, or it is not finite.
    """
    places = np.argwhere(among)
    if not len(places):
        raise InputError("among got no row, expected one or more to choose from.")
    array = finite(np.asarray(matrix)[:, among], "matrix", 2)
    best = array.argmax(axis=1)
    concepts, sides = places[best].T
    return concepts, np.asarray(SIGNS)[sides], array[np.arange(len(array)), best]
