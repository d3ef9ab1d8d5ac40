"""The response at each dose, or time, with an interval by well."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from diffex.effects.arrays import FloatArray, finite
from diffex.effects.intervals import mean_interval
from diffex.responses.doses import WellValues, check_doses, well_values
from diffex.responses.hill import HillFit, fit_hill

_FEWEST_CELLS = 6


@final
@dataclass(frozen=True, eq=False)
class DoseCurve:
    """Response by dose.

    Parameters
    ----------
    table : DataFrame
        A row per dose, ascending: ``dose, value, low, high, wells, cells, unit``. ``value`` is the mean over
        wells of their medians, with a t interval over wells; where a dose has fewer than 2 wells, the median
        over cells with its exact interval, and ``unit`` says ``cells``. ``wells`` is 0 where none are known.
    hill : HillFit
        Fitted over wells; a reason where no EC50 can be given.
    """

    table: pd.DataFrame
    hill: HillFit


def dose_curve(
    values: ArrayLike,
    doses: ArrayLike,
    wells: NDArray[np.generic] | None = None,
    *,
    seed: int,
    level: float = 0.95,
) -> DoseCurve:
    """Describe how a value answers to the dose.

    Parameters
    ----------
    values : array_like, shape (n,)
        One number per cell: an attribute's score, a logit, a measurement.
    doses : array_like, shape (n,)
        Dose or time of each cell; 0 for controls.
    wells : ndarray, shape (n,), optional
        Well of each cell; without, cells of one dose are one well for the fit.
    seed : int
        Of the bootstrap of the EC50.
    level : float, default 0.95
        Coverage of the intervals by dose.

    Returns
    -------
    DoseCurve
        Table and Hill fit.

    Raises
    ------
    InputError
        If values are not finite, doses are no numbers, lengths differ, or a well has two doses.

    Examples
    --------
    >>> dose_curve([1.0, 2.0, 3.0, 5.0], [0, 0, 8, 8], seed=0).table["value"].tolist()
    [1.5, 4.0]
    """
    array = finite(values, "values", 1)
    found = well_values(array[:, None], doses, wells)
    numbers = check_doses(doses)
    rows = [_point(array[numbers == dose], dose, found, level) for dose in np.unique(numbers)]
    table = pd.DataFrame(rows)
    if found.unit == "wells":
        return DoseCurve(table, fit_hill(found.medians[:, 0], found.doses, seed=seed))
    return DoseCurve(table, fit_hill(table["value"], table["dose"], seed=seed, unit="medians"))


def _point(cells: FloatArray, dose: float, found: WellValues, level: float) -> dict[str, float | int | str]:
    medians = found.medians[found.doses == dose, 0] if found.unit == "wells" else np.empty(0)
    head = {"dose": float(dose), "wells": len(medians), "cells": len(cells)}
    if len(medians) >= 2:
        over = mean_interval(medians, level=level)
        return {**head, "value": over.value, "low": over.low, "high": over.high, "unit": "wells"}
    low, high = _median_interval(cells, level)
    return {**head, "value": float(np.median(cells)), "low": low, "high": high, "unit": "cells"}


def _median_interval(cells: FloatArray, level: float) -> tuple[float, float]:
    """Order statistics that enclose the median; unbounded where too few cells can."""
    if len(cells) < _FEWEST_CELLS:
        return float("-inf"), float("inf")
    ends = stats.quantile_test(cells, q=0, p=0.5).confidence_interval(level)
    return float(ends.low), float(ends.high)
