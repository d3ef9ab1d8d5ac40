"""Arrays checked at the door of the statistics: right shape, finite, float64."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SIGNS = (1, -1)
"""The signs along the last axis of an effect matrix."""


def finite(values: ArrayLike, name: str, dimensions: int) -> FloatArray:
    """Convert to float64 and refuse what no statistic can use.

    Parameters
    ----------
    values : array_like
        Numbers.
    name : str
        What they are called in the error.
    dimensions : int
        Number of axes expected.

    Returns
    -------
    ndarray of float64
        The same numbers.

    Raises
    ------
    InputError
        If the number of axes differs or a value is NaN or infinite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        raise InputError(f"{name} got shape {array.shape}, expected {dimensions} axes; reshape it first.")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise InputError(
            f"{name} got {bad} NaN or infinite values, expected finite ones; leave them out first."
        )
    return array


def same_length(count: int, name: str, values: NDArray[np.generic]) -> None:
    """Refuse an array whose first axis does not match.

    Parameters
    ----------
    count : int
        Length expected.
    name : str
        What the array is called in the error.
    values : ndarray
        The array.

    Raises
    ------
    InputError
        If the lengths differ.
    """
    if len(values) != count:
        raise InputError(
            f"{name} got {len(values)} entries, expected {count}; give one per row of the matrix."
        )


def signed_effects(matrix: ArrayLike) -> FloatArray:
    """Check an effect matrix.

    Parameters
    ----------
    matrix : array_like, shape (n, K, 2)
        Effect per image, concept and sign (+1, -1).

    Returns
    -------
    ndarray of float64, shape (n, K, 2)
        The same numbers.

    Raises
    ------
    InputError
        If a value is not finite, there is no concept, or the last axis does not hold the two signs.
    """
    array = finite(matrix, "matrix", 3)
    if array.shape[1] == 0 or array.shape[2] != len(SIGNS):
        raise InputError(f"matrix got shape {array.shape}, expected (images, concepts, 2 signs).")
    return array
