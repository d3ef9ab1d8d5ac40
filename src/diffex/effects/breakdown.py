"""For whom an edit matters: mean effects of parts of the images, each with its interval."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import same_length
from diffex.effects.intervals import Interval, mean_interval


def effects_by_part(
    effects: ArrayLike, parts: NDArray[np.generic], groups: NDArray[np.generic] | None = None
) -> pd.DataFrame:
    """Give the mean effect in each part of the images.

    Intervals are those of `mean_interval`: cluster t over the part's groups where there are 6 or more, else
    t over its images. They are not tests of a difference between parts.

    Parameters
    ----------
    effects : array_like, shape (n,)
        Effect on each image; NaN where it was not rendered, which is left out.
    parts : ndarray, shape (n,)
        Which part each image belongs to, such as its class.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.

    Returns
    -------
    DataFrame
        A row per part, in the order of their names: ``name, effect, low, high, n, groups, unit``. A part of
        one image has no interval (NaN), one of none no row.

    Raises
    ------
    InputError
        If an effect is infinite, or lengths differ.

    Examples
    --------
    >>> found = effects_by_part([1.0, 3.0, 5.0, np.nan], np.array(["a", "a", "b", "b"]))
    >>> found[["name", "effect", "n"]].values.tolist()
    [['a', 2.0, 2], ['b', 5.0, 1]]
    """
    values = np.asarray(effects, dtype=np.float64)
    same_length(len(values), "parts", parts)
    if np.isinf(values).any():
        raise InputError("effects got an infinite value, expected numbers, or NaN where not rendered.")
    known = ~np.isnan(values)
    rows = []
    for name in np.unique(parts[known]):
        own = known & (parts == name)
        found = _interval(values[own], None if groups is None else groups[own])
        rows.append((str(name), found.value, found.low, found.high, found.n, found.groups, found.unit))
    return pd.DataFrame(rows, columns=["name", "effect", "low", "high", "n", "groups", "unit"])


def _interval(values: NDArray[np.float64], groups: NDArray[np.generic] | None) -> Interval:
    if len(values) > 1:
        return mean_interval(values, groups)
    return Interval(float(values[0]), np.nan, np.nan, 1, 0 if groups is None else 1, "images")
