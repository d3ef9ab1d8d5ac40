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
from diffex.effects.race import leading


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


@final
@dataclass(frozen=True, eq=False)
class Searched:
    """Which rows a search followed to the end; the others keep counting as tests that found nothing.

    Parameters
    ----------
    kept : ndarray of bool, shape (K, 2)
        Rows rendered on every image.
    scores : ndarray, shape (K, 2)
        What the search knows of the mean effects on half A; it orders the rows that were dropped.
    checked : ndarray of bool, shape (n,)
        Images of half B on which every row was rendered.
    top : int
        Concepts that were sought.
    """

    kept: BoolArray
    scores: FloatArray
    checked: BoolArray
    top: int


def effect_table(
    matrix: ArrayLike,
    flips: BoolArray,
    eligible: BoolArray,
    p_random: ArrayLike,
    half: BoolArray,
    *,
    claimed: BoolArray | None = None,
    groups: NDArray[np.generic] | None = None,
    searched: Searched | None = None,
    settings: TableSettings | None = None,
) -> pd.DataFrame:
    """Rank concepts and say which of them matter.

    Ranks come from half A: largest mean effect toward the target first, effects away from it last. All else
    is estimated on half B, so that being chosen does not flatter an estimate. ``p`` is the larger of two:
    "the mean effect is not above zero" and "raises the margin no more than an arbitrary direction of equal
    size" (an intersection-union test, one-sided, since either sign of a concept has a row of its own). ``q``
    is Benjamini-Hochberg over all rows that are claims. A row is ``significant`` where ``q`` is low enough
    and the interval lies above 0.

    A row that a search dropped has p = 1 and stays among the tests, so that no search makes a call easier.
    Its effect is estimated on the images of half B that check the search; its rank lies below the best.

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
    searched : Searched, optional
        Where a search left rows out: their effects are NaN but on the images checked. Default: none.
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
    array = signed_effects(matrix) if searched is None else np.asarray(matrix, dtype=np.float64)
    _check(array, flips, eligible, p_random, half)
    search = searched or _everything(array.shape, half)
    _check_search(array, search, half)
    rows, kept = array.reshape(len(array), -1), search.kept.ravel()
    estimates = pd.concat(
        [
            _estimates(columns, rows, flips, eligible, images, groups, how.level)
            for columns, images in ((kept, ~half), (~kept, search.checked))
            if columns.any()
        ]
    ).sort_index()
    p = np.where(kept, np.maximum(estimates.pop("rise"), np.ravel(np.asarray(p_random))), 1.0)
    claims = np.repeat(np.ones(array.shape[1], dtype=bool) if claimed is None else claimed, len(SIGNS))
    q = np.ones(len(p))
    q[claims] = benjamini_hochberg(p[claims])
    table = pd.DataFrame(
        {
            "concept": np.repeat(np.arange(array.shape[1]), len(SIGNS)),
            "sign": np.tile(SIGNS, array.shape[1]),
            **estimates[["effect", "ci_low", "ci_high", "n", "groups"]],
            "p": p,
            "q": q,
            "significant": (q <= how.q) & (estimates["ci_low"] > 0),
            **estimates[["flip_rate", "flip_low", "flip_high"]],
        }
    )
    ranks = _ranks(rows, half, groups, search, how)
    return pd.concat([table, ranks], axis=1).sort_values("rank", ignore_index=True)


def _everything(shape: tuple[int, ...], half: BoolArray) -> Searched:
    return Searched(np.ones(shape[1:], dtype=bool), np.zeros(shape[1:]), ~half, max(1, shape[1]))


def _check_search(array: FloatArray, search: Searched, half: BoolArray) -> None:
    if search.kept.shape != array.shape[1:] or search.scores.shape != array.shape[1:]:
        raise InputError(f"kept and scores got shapes other than {array.shape[1:]}, expected one per row.")
    same_length(len(array), "checked", search.checked)
    if (search.checked & half).any():
        raise InputError("checked got images of half A, expected images of half B alone.")
    used = search.kept | search.checked[:, None, None]
    signed_effects(np.where(used, array, 0.0))


def _estimates(
    columns: BoolArray,
    rows: FloatArray,
    flips: BoolArray,
    eligible: BoolArray,
    images: BoolArray,
    groups: NDArray[np.generic] | None,
    level: float,
) -> pd.DataFrame:
    """What some images say of some rows, indexed by row."""
    seen, part = rows[images][:, columns], _part(groups, images)
    found = mean_intervals(seen, part, level)
    changed = flips.reshape(len(flips), -1)[images & eligible][:, columns]
    rates = [wilson(int(successes), len(changed), level) for successes in changed.sum(axis=0)]
    return pd.DataFrame(
        {
            "effect": found.value,
            "ci_low": found.low,
            "ci_high": found.high,
            "n": found.n,
            "groups": found.groups,
            "rise": rise_p(seen, part),
            **dict(zip(("flip_rate", "flip_low", "flip_high"), np.transpose(rates), strict=True)),
        },
        index=np.flatnonzero(columns),
    )


def _ranks(
    rows: FloatArray,
    half: BoolArray,
    groups: NDArray[np.generic] | None,
    search: Searched,
    how: TableSettings,
) -> pd.DataFrame:
    """Ranks on half A: dropped rows stand still, below the best, and may have any rank there."""
    kept = search.kept.ravel()
    means = np.where(kept, rows[half].mean(axis=0), -np.inf)
    owners = np.arange(len(kept)) // len(SIGNS)
    bar = means[leading(means, owners, search.top)[-1]]
    standing = np.where(kept, rows[half], np.minimum(search.scores.ravel(), np.nextafter(bar, -np.inf)))
    low, high = bootstrap_ranks(
        standing, how.seed, how.rank_repeats, _part(groups, half), score=np.positive, level=how.level
    )
    rank = descending_ranks(standing.mean(axis=0))
    low, high = np.where(kept, low, np.minimum(rank, search.top + 1)), np.where(kept, high, len(kept))
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
