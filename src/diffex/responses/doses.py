"""Doses as numbers, and one value per well and dose."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite, same_length

Replicate = Literal["wells", "cells"]


def check_doses(doses: ArrayLike, name: str = "dose") -> FloatArray:
    """Read doses, or times, as numbers.

    Parameters
    ----------
    doses : array_like, shape (n,)
        Numbers or texts of numbers, one per cell; 0 is untreated.
    name : str, default "dose"
        Of the column, for errors.

    Returns
    -------
    ndarray, shape (n,)
        0 or above.

    Raises
    ------
    InputError
        If one is no number, missing, negative or infinite.

    Examples
    --------
    >>> check_doses(["0", "7.8"]).tolist()
    [0.0, 7.8]
    """
    given = pd.Series(np.asarray(doses).ravel())
    numbers = np.asarray(pd.to_numeric(given, errors="coerce"), dtype=np.float64)
    bad = ~(np.isfinite(numbers) & (numbers >= 0))
    if bad.any():
        value: object = given[bad].iloc[0]
        first = "nothing" if pd.isna([value]).any() else repr(str(value))
        raise InputError(
            f"Column {name} holds {first} ({int(bad.sum())} of {len(given)} cells), "
            "expected numbers of 0 or more in one unit: leave those cells out or give their numbers."
        )
    return numbers


@final
@dataclass(frozen=True, eq=False)
class WellValues:
    """A row per well: the medians of its cells.

    Parameters
    ----------
    medians : ndarray, shape (w, m)
        A column per value.
    doses : ndarray, shape (w,)
        Of the wells.
    cells : ndarray of int, shape (w,)
        Cells behind each.
    unit : {"wells", "cells"}
        ``cells`` where no wells are known: then a row is a cell.
    """

    medians: FloatArray
    doses: FloatArray
    cells: NDArray[np.int64]
    unit: Replicate


def well_values(values: ArrayLike, doses: ArrayLike, wells: NDArray[np.generic] | None = None) -> WellValues:
    """Take the median over the cells of each well.

    Parameters
    ----------
    values : array_like, shape (n, m)
        A row per cell.
    doses : array_like, shape (n,)
        Of the cells.
    wells : ndarray, shape (n,), optional
        Well of each cell.

    Returns
    -------
    WellValues
        In the order of the wells' names.

    Raises
    ------
    InputError
        If values are not finite, doses are no numbers, lengths differ, or a well has two doses.
    """
    array, numbers = finite(values, "values", 2), check_doses(doses)
    same_length(len(array), "doses", numbers)
    if wells is None:
        return WellValues(array, numbers, np.ones(len(array), dtype=np.int64), "cells")
    same_length(len(array), "wells", wells)
    require_one_dose(numbers, wells)
    _, first, codes, sizes = np.unique(wells, return_index=True, return_inverse=True, return_counts=True)
    table = pd.DataFrame(array).groupby(codes).median()
    return WellValues(table.to_numpy(dtype=np.float64), numbers[first], sizes.astype(np.int64), "wells")


def require_one_dose(doses: FloatArray, wells: NDArray[np.generic]) -> None:
    """Refuse wells of several doses.

    Parameters
    ----------
    doses : ndarray, shape (n,)
        Of the cells.
    wells : ndarray, shape (n,)
        Likewise.

    Raises
    ------
    InputError
        Naming the first.
    """
    spans = pd.Series(doses).groupby(wells).agg(["min", "max"])
    torn = spans[spans["min"] != spans["max"]]
    if len(torn):
        raise InputError(
            f"Well {torn.index[0]} has cells of dose {torn['min'].iloc[0]:g} and {torn['max'].iloc[0]:g}, "
            "expected one dose per well: name wells by plate too, donors of several doses by donor and dose."
        )
