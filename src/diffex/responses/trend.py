"""Does a value rise or fall with the dose: a monotone trend over wells."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite
from diffex.responses.doses import Replicate, well_values

_FEWEST = 4


@final
@dataclass(frozen=True)
class Trend:
    """A monotone trend.

    Parameters
    ----------
    correlation : float
        Spearman's, of well medians and doses; 0 where all wells are equal.
    p : float
        Two-sided, by permutation of wells; exact for up to 7 wells.
    n : int
        Wells, or cells where no wells are known.
    unit : {"wells", "cells"}
        What was permuted.
    """

    correlation: float
    p: float
    n: int
    unit: Replicate


def dose_trend(
    values: ArrayLike,
    doses: ArrayLike,
    wells: NDArray[np.generic] | None = None,
    *,
    seed: int,
    permutations: int = 9999,
) -> Trend:
    """Test for a monotone trend over doses, by well.

    Parameters
    ----------
    values : array_like, shape (n,)
        One number per cell.
    doses : array_like, shape (n,)
        Of the cells.
    wells : ndarray, shape (n,), optional
        Well of each cell: the unit that is permuted.
    seed : int
        Of the permutations.
    permutations : int, default 9999
        How many; all of them where there are fewer.

    Returns
    -------
    Trend
        Spearman's correlation and its p value.

    Raises
    ------
    InputError
        If there are fewer than 4 wells or a single dose, values are not finite, doses are no numbers, lengths
        differ, or a well has two doses.

    Examples
    --------
    >>> dose_trend([1.0, 2.0, 2.5, 4.0, 5.0], [0, 1, 2, 4, 8], seed=0).p  # 2 of the 5! orders
    0.0166...
    """
    found = well_values(finite(values, "values", 1)[:, None], doses, wells)
    if len(found.doses) < _FEWEST or np.ptp(found.doses) == 0:
        raise InputError(
            f"A trend got {len(found.doses)} {found.unit} of {len(np.unique(found.doses))} doses, expected "
            f"{_FEWEST} or more of 2 doses: give more."
        )
    x, y = stats.rankdata(found.doses), stats.rankdata(found.medians[:, 0])
    if np.ptp(y) == 0:
        return Trend(0.0, 1.0, len(x), found.unit)
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()

    def correlation(ranks: FloatArray, axis: int) -> FloatArray:
        return np.asarray((ranks * x).mean(axis=axis))

    tested = stats.permutation_test(
        (y,), correlation, permutation_type="pairings", n_resamples=permutations, vectorized=True, axis=0,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Trend(float(tested.statistic), float(tested.pvalue), len(x), found.unit)
