"""The table of effects: one row per concept and sign, selected on one half, estimated on the other."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import SIGNS, BoolArray, FloatArray, finite, same_length, signed_effects
from diffex.effects.intervals import bootstrap_ranks, descending_ranks, mean_intervals, wilson
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.effects.nulls import rise_p


@final
@dataclass(frozen=True)
class TableSettings:
    """How the table is computed.

    Parameters
    ----------
    q : float, default 0.05
        False discovery rate of ``significant``.
    level : float, default 0.95
        Coverage of all intervals.
    rank_repeats : int, default 1000
        Resamples behind the rank intervals.
    seed : int, default 0
        Of those resamples.
    """

    q: float = 0.05
    level: float = 0.95
    rank_repeats: int = 1000
    seed: int = 0


def effect_table(
    matrix: ArrayLike,
    flips: BoolArray,
    eligible: BoolArray,
    p_random: ArrayLike,
    half: BoolArray,
    *,
    claimed: BoolArray | None = None,
    groups: NDArray[np.generic] | None = None,
    settings: TableSettings | None = None,
) -> pd.DataFrame:
    """Rank concepts and say which of them matter.

    Ranks come from half A: largest mean effect toward the target first, effects away from it last. All else
    is estimated on half B, so that being chosen does not flatter an estimate. ``p`` is the larger of two:
    "the mean effect is not above zero" and "raises the margin no more than an arbitrary direction of equal
    size" (an intersection-union test, one-sided, since either sign of a concept has a row of its own). ``q``
    is Benjamini-Hochberg over all rows that are claims. A row is ``significant`` where ``q`` is low enough
    and the interval lies above 0.

    Parameters
    ----------
    matrix : array_like, shape (n, K, 2)
        Margin of the edit minus margin of the null edit, per image, concept and sign (+1, -1).
    flips : ndarray of bool, shape (n, K, 2)
        Whether the edit is classified as the target.
    eligible : ndarray of bool, shape (n,)
        Whether the null edit is not the target yet; flip rates count these alone.
    p_random : array_like, shape (K, 2)
        From `RandomDirectionNull.p` of the mean effects on half B.
    half : ndarray of bool, shape (n,)
        True for half A, from `selection_half`.
    claimed : ndarray of bool, shape (K,), optional
        False for controls, such as random directions: they are ranked, but never significant, and their ``q``
        is 1. Default: all are claims.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.
    settings : TableSettings, optional
        Rates, levels, seed.

    Returns
    -------
    DataFrame
        2K rows by rank, with ``concept`` (index), ``sign``, ``effect``, ``ci_low``, ``ci_high``, ``n``,
        ``groups``, ``p``, ``q``, ``significant``, ``flip_rate``, ``flip_low``, ``flip_high``, ``rank``,
        ``rank_low``, ``rank_high``.

    Raises
    ------
    InputError
        If shapes disagree, values are not finite, or a half has fewer than 2 images.
    """
    how = settings or TableSettings()
    array = signed_effects(matrix)
    _check(array, flips, eligible, p_random, half)
    rows = array.reshape(len(array), -1)
    found = mean_intervals(rows[~half], _part(groups, ~half), how.level)
    p = np.maximum(rise_p(rows[~half], _part(groups, ~half)), np.ravel(np.asarray(p_random)))
    claims = np.repeat(np.ones(array.shape[1], dtype=bool) if claimed is None else claimed, len(SIGNS))
    q = np.ones(len(p))
    q[claims] = benjamini_hochberg(p[claims])
    table = pd.DataFrame(
        {
            "concept": np.repeat(np.arange(array.shape[1]), len(SIGNS)),
            "sign": np.tile(SIGNS, array.shape[1]),
            "effect": found.value,
            "ci_low": found.low,
            "ci_high": found.high,
            "n": found.n,
            "groups": found.groups,
            "p": p,
            "q": q,
            "significant": (q <= how.q) & (found.low > 0),
        }
    )
    parts = [table, _flip_rates(flips, eligible & ~half, how.level), _ranks(rows, half, groups, how)]
    return pd.concat(parts, axis=1).sort_values("rank", ignore_index=True)


def _flip_rates(flips: BoolArray, counted: BoolArray, level: float) -> pd.DataFrame:
    chosen = flips[counted].reshape(int(counted.sum()), flips.shape[1] * flips.shape[2])
    rates = [wilson(int(successes), len(chosen), level) for successes in chosen.sum(axis=0)]
    return pd.DataFrame(rates, columns=["flip_rate", "flip_low", "flip_high"])


def _ranks(
    rows: FloatArray, half: BoolArray, groups: NDArray[np.generic] | None, how: TableSettings
) -> pd.DataFrame:
    low, high = bootstrap_ranks(
        rows[half], how.seed, how.rank_repeats, _part(groups, half), score=np.positive, level=how.level
    )
    rank = descending_ranks(rows[half].mean(axis=0))
    return pd.DataFrame({"rank": rank, "rank_low": low, "rank_high": high})


def _part(groups: NDArray[np.generic] | None, keep: BoolArray) -> NDArray[np.generic] | None:
    return None if groups is None else groups[keep]


def _check(
    array: FloatArray, flips: BoolArray, eligible: BoolArray, p_random: ArrayLike, half: BoolArray
) -> None:
    same_length(len(array), "half", half)
    same_length(len(array), "eligible", eligible)
    for name, mask in (("flips", flips), ("eligible", eligible), ("half", half)):
        if mask.dtype != np.bool_:
            raise InputError(f"{name} got dtype {mask.dtype}, expected bool.")
    if flips.shape != array.shape:
        raise InputError(f"flips got shape {flips.shape}, expected that of the matrix, {array.shape}.")
    if finite(p_random, "p_random", 2).shape != array.shape[1:]:
        raise InputError(f"p_random got shape {np.shape(p_random)}, expected {array.shape[1:]}.")
    if min(half.sum(), (~half).sum()) < 2:
        raise InputError(f"half got {half.sum()} of {len(half)} images, expected 2 or more in either half.")
