"""Attributes that separate plates, wells, fields or dates rather than the condition."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite, same_length
from diffex.effects.multiplicity import benjamini_hochberg

Separates = Literal["batch", "both", "condition", "neither"]

WARNING_Q = 0.02
"""A warning may be wrong in one set of fifty, since every set is asked."""


@final
@dataclass(frozen=True, eq=False)
class Confounds:
    """What each attribute separates.

    Parameters
    ----------
    table : DataFrame
        A row per attribute: ``name``; ``batch_share`` and ``condition_share``, each one's part of the
        variance between units that the other does not explain; ``batch_p, batch_q, condition_p,
        condition_q``; ``separates``: ``batch`` (the batch, and more than the condition), ``both``,
        ``condition`` or ``neither``.
    batch : str
        What the batches are called: plate, well, field, date.
    units : int
        Units that were permuted.
    confounded : bool
        Whether batch and condition cannot be told apart at all: no batch holds more than one condition, or no
        condition more than one batch. Then p and q of the batch are 1 and nothing is known.
    """

    table: pd.DataFrame
    batch: str
    units: int
    confounded: bool

    @property
    def flagged(self) -> tuple[str, ...]:
        """Attributes that a batch moves: ``batch`` or ``both``."""
        return tuple(self.table.loc[self.table["separates"].isin(["batch", "both"]), "name"])

    @property
    def words(self) -> str:
        """The result as a sentence."""
        if self.confounded:
            return f"Condition and {self.batch} cannot be told apart: no {self.batch} holds two conditions."
        found = [
            f"{row['name']} separates {self.batch}s"
            + (" rather than the condition" if row["separates"] == "batch" else " as well as the condition")
            + f" ({row['batch_share']:.0%} of the variance, q = {row['batch_q']:.2g})"
            for row in self.table.to_dict("records")
            if row["name"] in self.flagged
        ]
        return "; ".join(found) + "." if found else f"No attribute separates {self.batch}s."


def find_confounds(
    values: ArrayLike,
    names: Sequence[str],
    conditions: NDArray[np.generic],
    batches: NDArray[np.generic],
    units: NDArray[np.generic] | None = None,
    *,
    seed: int,
    batch: str = "plate",
    q: float = WARNING_Q,
    permutations: int = 4999,
) -> Confounds:
    """Ask of each attribute whether it separates batches within a condition.

    Cells are averaged by unit, so that cells of one well are not taken for independent. The statistic is the
    sum of squares of batch beside condition; the null permutes the units within each condition. The
    condition is tested the same way, beside batch and within batches. Benjamini-Hochberg over attributes.

    Parameters
    ----------
    values : array_like, shape (n, m)
        A row per cell, a column per attribute.
    names : sequence of str, length m
        Of the attributes.
    conditions : ndarray, shape (n,)
        Class, drug or dose of each cell.
    batches : ndarray, shape (n,)
        Plate, well, field or date of each cell.
    units : ndarray, shape (n,), optional
        What lies within a batch and repeats: wells within plates, fields within wells; default cells.
    seed : int
        Of the permutations.
    batch : str, default "plate"
        What the batches are called.
    q : float, default 0.02
        False discovery rate.
    permutations : int, default 4999
        How many; the smallest p is ``1 / (1 + permutations)``.

    Returns
    -------
    Confounds
        A verdict per attribute.

    Raises
    ------
    InputError
        If values are not finite, names or lengths do not match, a unit lies in two batches or
        conditions, there is a single batch or condition, or units are no more than batches.

    References
    ----------
    Anderson & ter Braak 2003, Permutation tests for multi-factorial analysis of variance.
    """
    array = finite(values, "values", 2)
    if array.shape[1] != len(names):
        raise InputError(f"names got {len(names)} for {array.shape[1]} columns, expected one each.")
    for name, given in (("conditions", conditions), ("batches", batches)):
        same_length(len(array), name, given)
    means, kinds, places = _by_unit(array, conditions, batches, units, batch)
    space = _beside(_dummies(places), _dummies(kinds)), _beside(_dummies(kinds), _dummies(places))
    random = np.random.default_rng(seed)
    batch_share, batch_p = _tested(means, space[0], kinds, random, permutations)
    condition_share, condition_p = _tested(means, space[1], places, random, permutations)
    table = pd.DataFrame(
        {
            "name": list(names),
            "batch_share": batch_share,
            "batch_p": batch_p,
            "batch_q": benjamini_hochberg(batch_p),
            "condition_share": condition_share,
            "condition_p": condition_p,
            "condition_q": benjamini_hochberg(condition_p),
        }
    )
    verdicts = [_verdict(row, q) for row in table.to_dict("records")]
    return Confounds(table.assign(separates=verdicts), batch, len(means), space[0].shape[1] == 0)


def _verdict(row: dict[Hashable, float], q: float) -> Separates:
    if row["batch_q"] <= q:
        return "batch" if row["batch_share"] >= row["condition_share"] else "both"
    return "condition" if row["condition_q"] <= q else "neither"


def _by_unit(
    values: FloatArray,
    conditions: NDArray[np.generic],
    batches: NDArray[np.generic],
    units: NDArray[np.generic] | None,
    batch: str,
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Mean of each unit, with the code of its condition and of its batch."""
    names = np.arange(len(values)) if units is None else units
    same_length(len(values), "units", names)
    table = pd.DataFrame(
        {"condition": pd.factorize(conditions)[0], "batch": pd.factorize(batches)[0], "unit": names}
    )
    by_unit = table.groupby("unit")[["condition", "batch"]]
    if (by_unit.nunique() > 1).to_numpy().any():
        torn = by_unit.nunique().max(axis=1).idxmax()
        raise InputError(
            f"Unit {torn} lies in two {batch}s or conditions, expected one of each: name units so that they "
            "differ between them."
        )
    codes = by_unit.first()
    counts = codes.nunique()
    if counts.min() < 2 or len(codes) <= counts["batch"]:
        raise InputError(
            f"A test of {batch}s got {counts['batch']} {batch}s, {counts['condition']} conditions and "
            f"{len(codes)} units, expected 2 or more of each and more units than {batch}s."
        )
    means = pd.DataFrame(values).groupby(table["unit"].to_numpy()).mean()
    return means.to_numpy(dtype=np.float64), codes["condition"].to_numpy(), codes["batch"].to_numpy()


def _dummies(codes: NDArray[np.int64]) -> FloatArray:
    return np.asarray(codes[:, None] == np.unique(codes), dtype=np.float64)


def _beside(tested: FloatArray, other: FloatArray) -> FloatArray:
    """Orthonormal basis of what one factor spans and the other does not, ``(units, rank)``."""
    base = np.linalg.qr(other)[0]
    left, sizes, _ = np.linalg.svd(tested - base @ (base.T @ tested), full_matrices=False)
    return np.asarray(left[:, sizes > 1e-8 * len(tested)])


def _tested(
    means: FloatArray,
    basis: FloatArray,
    strata: NDArray[np.int64],
    random: np.random.Generator,
    permutations: int,
) -> tuple[FloatArray, FloatArray]:
    """Share of the variance along a basis, and its p under permutation within strata."""
    total = ((means - means.mean(axis=0)) ** 2).sum(axis=0)
    if not basis.shape[1]:
        return np.zeros(means.shape[1]), np.ones(means.shape[1])
    observed = ((basis.T @ means) ** 2).sum(axis=0)
    sorted_rows = np.argsort(strata, kind="stable")
    reached = np.zeros(means.shape[1])
    for _ in range(permutations):
        # random keys sorted within each stratum: the strata keep their places
        shuffled = np.lexsort((random.random(len(means)), strata))
        order = np.empty_like(sorted_rows)
        order[sorted_rows] = shuffled
        reached += ((basis.T @ means[order]) ** 2).sum(axis=0) >= observed * (1 - 1e-9)
    share = np.divide(observed, total, out=np.zeros_like(total), where=total > 0)
    return share, np.where(total > 0, (1 + reached) / (1 + permutations), 1.0)
