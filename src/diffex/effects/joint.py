"""Concepts edited in together: whether two help or hinder each other, and the best few to join."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, IntArray, finite, same_length
from diffex.effects.intervals import Interval, Intervals, mean_interval, mean_intervals
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.effects.nulls import rise_p

RowSet = tuple[int, ...]
"""Rows, each a concept with a sign, edited into an image together."""

MeasureJoint = Callable[[Sequence[RowSet], IntArray], FloatArray]
"""Effects ``(k, n)`` of k sets of rows on n images, given by position."""


@final
@dataclass(frozen=True, eq=False)
class Interactions:
    """What pairs do beyond the sum of their parts.

    Parameters
    ----------
    pairs : tuple of (int, int), length k
        Rows joined.
    joint : ndarray, shape (k,)
        Mean effect of each pair, in logits of the margin.
    terms : Intervals
        Mean of the joint effect minus both single effects: above 0 they help each other toward the target.
    p, q : ndarray, shape (k,)
        Of "the term is 0", two-sided; q is Benjamini-Hochberg over the pairs.
    """

    pairs: tuple[tuple[int, int], ...]
    joint: FloatArray
    terms: Intervals
    p: FloatArray
    q: FloatArray


@final
@dataclass(frozen=True)
class JointSet:
    """Rows that together move the target furthest.

    Parameters
    ----------
    rows : tuple of int
        In the order added.
    effects : tuple of Interval
        Effect of the first 1, 2, ... rows together; chosen for being large, so estimate on other images
        before reporting a size.
    gains_p : tuple of float
        p of "this row adds nothing", times the rows it was chosen among.
    edits : int
        Joint edits measured.
    """

    rows: RowSet
    effects: tuple[Interval, ...]
    gains_p: tuple[float, ...]
    edits: int


def interactions(
    singles: ArrayLike,
    measure_joint: MeasureJoint,
    pairs: Sequence[tuple[int, int]] | None = None,
    *,
    groups: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Interactions:
    """Measure two-way interactions, ``D_ab - D_a - D_b`` per image, with cached single effects.

    Parameters
    ----------
    singles : array_like, shape (n, m)
        Effect of each row alone on each image.
    measure_joint : callable
        Gives effects ``(k, n)`` of sets of rows on images.
    pairs : sequence of (int, int), optional
        Rows to join. Default: all pairs; leave out the two signs of one concept.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.
    level : float, default 0.95
        Coverage of each interval.

    Returns
    -------
    Interactions
        A term per pair.

    Raises
    ------
    InputError
        If there is no pair, a row is unknown, values are not finite or shapes disagree.

    Examples
    --------
    >>> import numpy as np
    >>> singles = np.array([[1.0, 2.0], [1.1, 2.2], [0.9, 1.8]])
    >>> found = interactions(singles, lambda sets, images: np.array([[4.0, 4.2, 3.8]]))
    >>> found.pairs, found.terms.value.round(3)
    (((0, 1),), array([1.]))
    """
    alone = finite(singles, "singles", 2)
    joined = tuple(combinations(range(alone.shape[1]), 2)) if pairs is None else tuple(pairs)
    if not joined or not all(0 <= row < alone.shape[1] and a != b for a, b in joined for row in (a, b)):
        raise InputError(f"pairs got {joined}, expected two different rows of {alone.shape[1]} in each.")
    together = _measured(measure_joint, joined, len(alone))
    first, second = np.array(joined).T
    beyond = together - alone[:, first] - alone[:, second]
    rise = rise_p(beyond, groups)
    p = 2 * np.minimum(rise, 1 - rise)
    terms = mean_intervals(beyond, groups, level)
    return Interactions(joined, together.mean(axis=0), terms, p, benjamini_hochberg(p))


def best_joint_set(
    singles: ArrayLike,
    measure_joint: MeasureJoint,
    most: int,
    *,
    concepts: Sequence[int] | None = None,
    groups: NDArray[np.generic] | None = None,
    alpha: float = 0.05,
) -> JointSet:
    """Join rows greedily while each addition moves the target significantly further.

    The first row is the one of largest mean effect. Then every row of a concept not yet used is tried with
    the set, and the one of largest mean gain is added. It ends when that gain is not significant: a one-sided
    paired t test, its p times the number of rows tried, so that choosing among them is paid for.

    Parameters
    ----------
    singles : array_like, shape (n, m)
        Effect of each row alone on each image. Give the few best rows: each addition tries all others.
    measure_joint : callable
        Gives effects ``(k, n)`` of sets of rows on images.
    most : int
        Rows to join at most.
    concepts : sequence of int, length m, optional
        Concept of each row, used once. Default: every row is a concept of its own.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.
    alpha : float, default 0.05
        Chance that an addition is made though none helps.

    Returns
    -------
    JointSet
        Empty where no single row has a significant effect.

    Raises
    ------
    InputError
        If values are not finite or shapes disagree.
    """
    alone = finite(singles, "singles", 2)
    owner = np.arange(alone.shape[1]) if concepts is None else np.asarray(concepts)
    same_length(alone.shape[1], "concepts", owner)
    rows: RowSet = ()
    effects: list[Interval] = []
    paid: list[float] = []
    edits, reached = 0, np.zeros(len(alone))
    while len(rows) < most:
        tried = np.flatnonzero(~np.isin(owner, owner[list(rows)]))
        if not len(tried):
            break
        if rows:
            together = _measured(measure_joint, [(*rows, int(row)) for row in tried], len(alone))
            edits += together.size
        else:
            together = alone
        gains = together - reached[:, None]
        best = int(gains.mean(axis=0).argmax())
        p = min(1.0, len(tried) * float(rise_p(gains[:, [best]], groups)[0]))
        if p > alpha:
            break
        rows, reached = (*rows, int(tried[best])), together[:, best]
        effects.append(mean_interval(reached, groups))
        paid.append(p)
    return JointSet(rows, tuple(effects), tuple(paid), edits)


def _measured(measure_joint: MeasureJoint, sets: Sequence[RowSet], images: int) -> FloatArray:
    """Measure sets of rows on all images, ``(n, k)``."""
    found = finite(measure_joint(sets, np.arange(images)), "The joint effects", 2)
    if found.shape != (len(sets), images):
        raise InputError(
            f"The joint effects got shape {found.shape}, expected {(len(sets), images)}: sets, images."
        )
    return found.T
