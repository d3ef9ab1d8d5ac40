"""Racing rows of the effect matrix: measure all on a few images, then only what may be among the best."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, IntArray, signed_effects

MeasureRows = Callable[[BoolArray, IntArray], FloatArray]
"""Effects ``(n, K, 2)`` of the rows marked in a mask ``(K, 2)`` on n images; NaN elsewhere."""


@final
@dataclass(frozen=True)
class RowRaceSettings:
    """How sure a race is, and how it goes on.

    Parameters
    ----------
    stages : tuple of int, default (8, 16, 32, 64)
        Images used by the end of each stage, growing; the last stage takes all images there are.
    lost : float, default 0.02
        Largest chance that a row which belongs is dropped at any stage, for each such row.
    seed : int, default 0
        Decides which images come first.
    """

    stages: tuple[int, ...] = (8, 16, 32, 64)
    lost: float = 0.02
    seed: int = 0


@final
@dataclass(frozen=True, eq=False)
class RowRace:
    """What a race measured.

    Parameters
    ----------
    effects : ndarray, shape (n, K, 2)
        Effect per image and row; NaN where not measured.
    kept : ndarray of bool, shape (K, 2)
        Rows measured on every image.
    """

    effects: FloatArray
    kept: BoolArray

    @property
    def edits(self) -> int:
        """Edits measured."""
        return int(np.isfinite(self.effects).sum())

    def scores(self) -> FloatArray:
        """Mean of each row over the images it was measured on, ``(K, 2)``."""
        return np.asarray(np.nanmean(self.effects, axis=0))


def race_rows(
    measure: MeasureRows,
    claimed: BoolArray,
    images: int,
    top: int,
    settings: RowRaceSettings | None = None,
) -> RowRace:
    """Find the concepts that raise the margin most, with few edits.

    All rows see the same images on the same noise, so that comparisons are paired. After each stage a row is
    dropped where the interval of its difference to the last of the best lies below 0: Student's t of the
    paired difference, with at least the median row's variance, since few images show little of a row's own,
    and with the correction for sampling from finitely many images. What is left is measured on further
    images, which contain the earlier ones. Controls are measured at the first stage alone.

    Parameters
    ----------
    measure : callable
        Gives effects of rows on images. No pair of row and image is asked for twice.
    claimed : ndarray of bool, shape (K,)
        False for controls.
    images : int
        Images there are.
    top : int
        How many concepts are wanted; a concept counts by the better of its signs.
    settings : RowRaceSettings, optional
        Stages and risk.

    Returns
    -------
    RowRace
        Effects and the rows that were measured to the end.

    Raises
    ------
    InputError
        If nothing is claimed, settings make no sense, there are fewer than 2 images, or measured effects
        have another shape.

    Examples
    --------
    >>> means = np.array([[2.0, -2.0], [0.1, -0.1], [1.0, -1.0]])
    >>> def measure(wanted, images):  # the same on all images
    ...     return np.where(wanted, means, np.nan) + np.zeros((len(images), 1, 1))
    >>> race = race_rows(measure, np.ones(3, dtype=bool), 32, top=1)
    >>> race.kept.tolist(), race.edits
    ([[True, False], [False, False], [False, False]], 72)
    """
    how = settings or RowRaceSettings()
    stages = _stages(how, images, top, claimed)
    order = np.random.default_rng(how.seed).permutation(images)
    effects = np.full((images, len(claimed), 2), np.nan)
    alive = np.ones((len(claimed), 2), dtype=bool)
    for before, count in pairwise((0, *stages)):
        if before:
            chance = how.lost / (len(stages) - 1)
            alive = contenders(effects[order[:before]], alive & claimed[:, None], images, top, chance)
        part = order[before:count]
        effects[part] = _checked(measure(alive, part), len(part), alive)
    return RowRace(effects, alive & claimed[:, None])


def contenders(seen: FloatArray, alive: BoolArray, images: int, top: int, chance: float) -> BoolArray:
    """Say which rows may still be among the best concepts.

    Parameters
    ----------
    seen : ndarray, shape (m, K, 2)
        Effects on the first m images, finite for rows alive.
    alive : ndarray of bool, shape (K, 2)
        Rows still in the race.
    images : int
        Images in all, of which these are a sample.
    top : int
        Concepts wanted.
    chance : float
        That a row which belongs is dropped.

    Returns
    -------
    ndarray of bool, shape (K, 2)
        A part of `alive`, with one row of each of the `top` leaders at least.
    """
    rows = np.argwhere(alive)
    values = seen[:, rows[:, 0], rows[:, 1]]  # (m, rows)
    leaders = leading(values.mean(axis=0), rows[:, 0], top)
    behind = values[:, [leaders[-1]]] - values
    variance = behind.var(axis=0, ddof=1)
    variance = np.maximum(variance, np.median(variance))
    count = len(values)
    reach = stats.t.isf(chance, count - 1) * np.sqrt(variance * (1 / count - 1 / images))
    may = behind.mean(axis=0) <= reach
    may[leaders] = True
    found = np.zeros_like(alive)
    found[tuple(rows[may].T)] = True
    return found


def leading(scores: FloatArray, concepts: IntArray, top: int) -> IntArray:
    """Pick the best row of each of the best concepts.

    Parameters
    ----------
    scores : ndarray, shape (m,)
        Of the rows.
    concepts : ndarray of int, shape (m,)
        Whose row it is.
    top : int
        Concepts wanted.

    Returns
    -------
    ndarray of int
        Positions of at most `top` rows, best first, no two of one concept.

    Examples
    --------
    >>> leading(np.array([3.0, 2.0, 1.0]), np.array([0, 0, 1]), 2).tolist()
    [0, 2]
    """
    order = np.argsort(-scores, kind="stable")
    _, first = np.unique(concepts[order], return_index=True)
    return np.asarray(order[np.sort(first)[:top]])


def _checked(found: NDArray[np.float64], count: int, alive: BoolArray) -> FloatArray:
    if found.shape != (count, *alive.shape):
        raise InputError(
            f"The measured effects got shape {found.shape}, expected {(count, *alive.shape)}: "
            "images, concepts, signs."
        )
    signed_effects(np.where(alive, found, 0.0))
    return found


def _stages(how: RowRaceSettings, images: int, top: int, claimed: BoolArray) -> tuple[int, ...]:
    growing = all(a < b for a, b in pairwise(how.stages))
    if not how.stages or how.stages[0] < 2 or not growing or not 0 < how.lost < 1:
        raise InputError(
            f"The race got stages {how.stages} and lost={how.lost}, expected growing numbers of images "
            "from 2, and lost in (0, 1)."
        )
    if images < 2 or top < 1 or not claimed.any():
        raise InputError(
            f"The race got {images} images, {int(claimed.sum())} concepts that are claims and top={top}, "
            "expected at least 2, 1 and 1."
        )
    return (*(stage for stage in how.stages if stage < images), images)
