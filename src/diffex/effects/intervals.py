"""How sure we are: intervals of means, rates and ranks, and the reliability of a ranking."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, IntArray, finite, same_length
from diffex.effects.replication import Unit, Units, replication_units, selection_half

Score = Callable[[FloatArray], FloatArray]
"""What a ranking orders by, given means: ``np.abs`` for magnitude, ``np.positive`` for the signed mean."""


@final
@dataclass(frozen=True)
class Interval:
    """A mean with its interval.

    Parameters
    ----------
    value, low, high : float
        The mean and the ends of its interval, in the unit of the values.
    n : int
        Images behind it.
    groups : int
        Distinct groups behind it; 0 where there are none.
    unit : {"images", "groups"}
        What was counted as one independent observation.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int
    unit: Unit


@final
@dataclass(frozen=True, eq=False)
class Intervals:
    """Means of columns with their intervals.

    Parameters
    ----------
    value, low, high : ndarray, shape (m,)
        Mean and ends of the interval of each column.
    n, groups : int
        Images and groups behind every column.
    unit : {"images", "groups"}
        What was counted as one independent observation.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    n: int
    groups: int
    unit: Unit


def standard_errors(matrix: FloatArray, units: Units) -> FloatArray:
    """Estimate the standard error of each column's mean, robust to dependence within units.

    ``se^2 = sum_u S_u^2 / (1 - n_u / n) / n^2`` where ``S_u`` is the sum of unit u's deviations from the
    mean. For single images this is the textbook ``s / sqrt(n)``; for groups, the bias-reduced cluster-robust
    (CR2) estimate of Bell & McCaffrey 2002.

    Parameters
    ----------
    matrix : ndarray, shape (n, m)
        A row per image.
    units : Units
        From `replication_units`.

    Returns
    -------
    ndarray, shape (m,)
        In the unit of the values.
    """
    count = len(matrix)
    deviations = units.sums(matrix - matrix.mean(axis=0))
    weights = 1.0 / (1.0 - units.sizes / count)
    return np.asarray(np.sqrt(weights @ deviations**2) / count)


def mean_intervals(
    matrix: ArrayLike, groups: NDArray[np.generic] | None = None, level: float = 0.95
) -> Intervals:
    """Give the mean of each column with a t interval.

    Paired t over images; with 6 groups or more, cluster t: cluster-robust standard error, one degree of
    freedom less than groups.

    Parameters
    ----------
    matrix : array_like, shape (n, m)
        A row per image, a column per quantity, for example effects.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.
    level : float, default 0.95
        Coverage.

    Returns
    -------
    Intervals
        A value per column.

    Raises
    ------
    InputError
        If there are fewer than 2 images, values are not finite, or groups do not match.

    Examples
    --------
    >>> import numpy as np
    >>> mean_intervals(np.array([[0.0], [1.0], [2.0]])).low.round(2)
    array([-1.48])
    """
    array = finite(matrix, "matrix", 2)
    units = replication_units(len(array), groups)
    mean = array.mean(axis=0)
    reach = stats.t.ppf(0.5 + level / 2, len(units.sizes) - 1) * standard_errors(array, units)
    return Intervals(mean, mean - reach, mean + reach, len(array), units.groups, units.unit)


def mean_interval(
    values: ArrayLike, groups: NDArray[np.generic] | None = None, level: float = 0.95
) -> Interval:
    """Give a mean with a t interval; see `mean_intervals`.

    Parameters
    ----------
    values : array_like, shape (n,)
        A value per image.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.
    level : float, default 0.95
        Coverage.

    Returns
    -------
    Interval
        Over groups where there are 6 or more, else over images.

    Raises
    ------
    InputError
        If there are fewer than 2 values, they are not finite, or groups do not match.

    Examples
    --------
    >>> mean_interval([0.0, 1.0, 2.0]).value
    1.0
    """
    found = mean_intervals(finite(values, "values", 1)[:, None], groups, level)
    value, low, high = float(found.value[0]), float(found.low[0]), float(found.high[0])
    return Interval(value, low, high, found.n, found.groups, found.unit)


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float, float]:
    """Give a rate with its Wilson score interval.

    Parameters
    ----------
    successes, trials : int
        For example images flipped, and images that could flip.
    level : float, default 0.95
        Coverage.

    Returns
    -------
    (float, float, float)
        Rate, low, high in [0, 1]; without trials the rate is NaN and the interval is all of [0, 1].

    Raises
    ------
    InputError
        If there are more successes than trials, or negative ones.

    Examples
    --------
    >>> [round(x, 3) for x in wilson(5, 10)]
    [0.5, 0.237, 0.763]
    """
    if not 0 <= successes <= trials:
        raise InputError(f"A rate got {successes} successes in {trials} trials, expected 0 to {trials}.")
    if trials == 0:
        return float("nan"), 0.0, 1.0
    z2 = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    rate = successes / trials
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = math.sqrt(z2 * (rate * (1 - rate) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    # at 0 and 1 the exact end is the rate itself, which rounding would miss by 1e-17
    return rate, min(rate, max(0.0, centre - reach)), max(rate, min(1.0, centre + reach))


def descending_ranks(values: FloatArray) -> IntArray:
    """Rank along the last axis, 1 for the largest; ties in order of position.

    Parameters
    ----------
    values : ndarray, shape (..., m)
        What to rank.

    Returns
    -------
    ndarray of int, shape (..., m)
        Each rank from 1 to m once.
    """
    order = np.argsort(-values, axis=-1, kind="stable")
    return np.asarray(np.argsort(order, axis=-1, kind="stable") + 1, dtype=np.int64)


def bootstrap_ranks(
    effects: ArrayLike,
    seed: int,
    repeats: int = 1000,
    groups: NDArray[np.generic] | None = None,
    *,
    score: Score = np.abs,
    level: float = 0.95,
) -> tuple[IntArray, IntArray]:
    """Give an interval for the rank of each column by resampling images (groups where there are 6 or more).

    Percentiles of the resampled ranks; the rank observed is always inside.

    Parameters
    ----------
    effects : array_like, shape (n, m)
        A row per image, a column per row of the effects table.
    seed : int
        Of the resampling.
    repeats : int, default 1000
        Resamples.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.
    score : callable, default np.abs
        What to rank by, given means: ``np.abs``, or ``np.positive`` for the signed mean.
    level : float, default 0.95
        Coverage.

    Returns
    -------
    (ndarray of int, ndarray of int), each of shape (m,)
        Lowest and highest rank; 1 is the largest score.

    Raises
    ------
    InputError
        If there are fewer than 2 images, values are not finite, or groups do not match.
    """
    array = finite(effects, "effects", 2)
    units = replication_units(len(array), groups)
    share = np.full(len(units.sizes), 1 / len(units.sizes))
    drawn = np.random.default_rng(seed).multinomial(len(units.sizes), share, size=repeats).astype(np.float64)
    means = (drawn @ units.sums(array)) / (drawn @ units.sizes)[:, None]
    ranks = descending_ranks(score(means))
    observed = descending_ranks(score(array.mean(axis=0)))
    low = np.quantile(ranks, 0.5 - level / 2, axis=0, method="lower")
    high = np.quantile(ranks, 0.5 + level / 2, axis=0, method="higher")
    return np.minimum(low, observed), np.maximum(high, observed)


def spearman_brown(correlation: float) -> float:
    """Project the correlation of two halves to the reliability of the whole.

    ``R = 2 r / (1 + |r|)``: Spearman 1910 and Brown 1910 for r >= 0, continued oddly below 0.

    Parameters
    ----------
    correlation : float
        Between the halves, in [-1, 1].

    Returns
    -------
    float
        In [-1, 1].

    Examples
    --------
    >>> round(spearman_brown(0.5), 3)
    0.667
    """
    return 2 * correlation / (1 + abs(correlation))


def split_half_reliability(
    matrix: ArrayLike,
    seed: int,
    splits: int = 20,
    half: BoolArray | None = None,
    *,
    groups: NDArray[np.generic] | None = None,
    score: Score = np.abs,
) -> float:
    """Ask whether another set of images would rank alike.

    Parameters
    ----------
    matrix : array_like, shape (n, m)
        Effects, a row per image.
    seed : int
        Of the splits.
    splits : int, default 20
        Random splits; the median is reported.
    half : ndarray of bool, shape (n,), optional
        Use this one split.
    groups : ndarray, shape (n,), optional
        Unit of replication, respected as by `selection_half`.
    score : callable, default np.abs
        What to rank by, given means: ``np.abs``, or ``np.positive`` for the signed mean.

    Returns
    -------
    float
        Median Spearman correlation between halves, projected by `spearman_brown`; aim for 0.9.
        0 where a half cannot rank at all (all columns equal).

    Raises
    ------
    InputError
        If there are fewer than 4 images, fewer than 2 columns, an empty half, or values that are not finite.
    """
    array = finite(matrix, "matrix", 2)
    if array.shape[1] < 2:
        raise InputError(f"A ranking got {array.shape[1]} columns, expected at least 2; give more concepts.")
    if half is None:
        seeds = np.random.SeedSequence(seed).generate_state(splits)
        halves = [selection_half(len(array), groups, int(state)) for state in seeds]
    else:
        halves = [half]
    return float(np.median([spearman_brown(_agreement(array, one, score)) for one in halves]))


def _agreement(matrix: FloatArray, half: BoolArray, score: Score) -> float:
    same_length(len(matrix), "half", half)
    if half.all() or not half.any():
        raise InputError("A split got an empty half, expected images in both; split again.")
    ranks = [stats.rankdata(score(matrix[part].mean(axis=0))) for part in (half, ~half)]
    if any(np.ptp(one) == 0 for one in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
