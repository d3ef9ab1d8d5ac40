"""Which of many to look at where a few are enough."""

import numpy as np
from numpy.typing import NDArray


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Choose positions, evenly spaced from the first to the last.

    Parameters
    ----------
    count : int
        How many there are.
    most : int
        How many to choose at most.

    Returns
    -------
    ndarray of int, shape (min(count, most),)
        Ascending, all different.

    Examples
    --------
    >>> evenly(10, 4)
    array([0, 3, 6, 9])
    >>> evenly(3, 8)
    array([0, 1, 2])
    """
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)
