"""Codes made white, and ridge regression on them."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_RIDGE = 0.05


def symmetric_root(covariance: FloatArray) -> FloatArray:
    """Give the symmetric square root of a covariance: from white codes to codes.

    Parameters
    ----------
    covariance : ndarray, shape (d, d)
        Of codes.

    Returns
    -------
    ndarray, shape (d, d)
        Its square is the covariance, negative eigenvalues taken as 0.
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)


def white_codes(codes: FloatArray, root: FloatArray) -> FloatArray:
    """Centre codes and make them white.

    Parameters
    ----------
    codes : ndarray, shape (n, d)
        Of images.
    root : ndarray, shape (d, d)
        From `symmetric_root`.

    Returns
    -------
    ndarray, shape (n, d)
        Along directions that hardly vary, 0.
    """
    return np.asarray(np.linalg.lstsq(root, (codes - codes.mean(0)).T, rcond=1e-6)[0].T)


def ridge(x: FloatArray, y: FloatArray) -> FloatArray:
    """Fit a ridge regression without intercept.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        White codes.
    y : ndarray, shape (n, m)
        Centred, of standard deviation 1.

    Returns
    -------
    ndarray, shape (d, m)
        Weights.
    """
    return np.asarray(np.linalg.solve(x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1]), x.T @ y))
