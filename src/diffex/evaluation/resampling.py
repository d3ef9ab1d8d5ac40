"""Bootstrap intervals of any statistic."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from diffex.effects.arrays import FloatArray, IntArray


def bootstrap(
    count: int, statistic: Callable[[IntArray], float], seed: int, repeats: int = 1000
) -> tuple[float, float, float]:
    """Give a statistic with its 95 % percentile interval.

    Parameters
    ----------
    count : int
        Independent observations.
    statistic : callable
        Computes it from positions of observations, with repetition.
    seed : int
        Of the resampling.
    repeats : int, default 1000
        Resamples.

    Returns
    -------
    (float, float, float)
        Value, low, high.

    Examples
    --------
    >>> bootstrap(3, lambda rows: 1.0, seed=0, repeats=10)
    (1.0, 1.0, 1.0)
    """
    random = np.random.default_rng(seed)
    drawn = [statistic(random.integers(count, size=count)) for _ in range(repeats)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(statistic(np.arange(count))), float(low), float(high)


def bootstrap_mean(values: FloatArray, seed: int, repeats: int = 1000) -> tuple[float, float, float]:
    """Give a mean with its 95 % percentile interval.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Independent observations.
    seed : int
        Of the resampling.
    repeats : int, default 1000
        Resamples.

    Returns
    -------
    (float, float, float)
        Value, low, high.
    """
    return bootstrap(len(values), lambda rows: float(values[rows].mean()), seed, repeats)


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Give the cosine of two arrays, 0 where one is 0.

    Parameters
    ----------
    a, b : ndarray
        Of one shape.

    Returns
    -------
    float
        In [-1, 1].

    Examples
    --------
    >>> cosine(np.array([1.0, 0.0]), np.array([2.0, 0.0]))
    1.0
    """
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / lengths) if lengths > 0 else 0.0
