"""As many cells of each condition from every batch, so that a batch cannot stand for a condition."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import IntArray, same_length


def balanced_rows(conditions: NDArray[np.generic], batches: NDArray[np.generic], seed: int) -> IntArray:
    """Choose cells so that every batch gives equally many of each condition.

    Parameters
    ----------
    conditions, batches : ndarray, shape (n,)
        Class or dose, and plate or date, of each cell.
    seed : int
        Of the choice.

    Returns
    -------
    ndarray of int
        Positions of the cells kept, ascending; batches that lack a condition are left out.

    Raises
    ------
    InputError
        If lengths differ, or no batch holds all conditions.

    Examples
    --------
    >>> import numpy as np
    >>> condition, plate = np.array(list("aaabbc" + "a")), np.array([1, 1, 1, 1, 1, 1, 2])
    >>> rows = balanced_rows(condition, plate, seed=0)
    >>> "".join(condition[rows])
    'abc'
    """
    same_length(len(conditions), "batches", batches)
    table = pd.DataFrame({"condition": conditions, "batch": batches})
    table["order"] = np.random.default_rng(seed).random(len(table))
    counts = table.groupby(["batch", "condition"]).size().unstack(fill_value=0)
    kept = counts.min(axis=1)
    if not len(kept) or kept.max() == 0:
        raise InputError(
            f"Balancing got no batch with all {table['condition'].nunique()} conditions, expected one: "
            "leave conditions out."
        )
    place = table.groupby(["batch", "condition"])["order"].rank(method="first")
    return np.flatnonzero(place.to_numpy() <= table["batch"].map(kept).to_numpy())
