"""The likelihood of a mixture over bins: how large a share of the cells has responded."""

import numpy as np
from scipy.optimize import isotonic_regression

from diffex.effects.arrays import FloatArray

_HALVINGS = 30


def smoothed_shares(counts: FloatArray) -> FloatArray:
    """Turn counts into shares that are never 0: half a cell is added to each bin.

    Parameters
    ----------
    counts : ndarray, shape (..., k)
        Cells by bin.

    Returns
    -------
    ndarray, shape (..., k)
        Sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> smoothed_shares(np.array([0.0, 3.0])).tolist()
    [0.125, 0.875]
    """
    padded = counts + 0.5
    return np.asarray(padded / padded.sum(axis=-1, keepdims=True))


def monotone_ratio(control: FloatArray, treated: FloatArray, *, rising: bool) -> FloatArray:
    """Estimate the ratio of two densities, treated over control, that only rises (or falls) along the bins.

    Isotonic regression of the share of treated cells by bin, the maximum-likelihood estimate under that
    order. One cell per bin, split as the sets are, is added, so no ratio is 0 or infinite.

    Parameters
    ----------
    control, treated : ndarray, shape (k,)
        Cells by bin.
    rising : bool
        Whether treated cells lie in the upper bins.

    Returns
    -------
    ndarray, shape (k,)
        Positive.

    References
    ----------
    Barlow et al. 1972, Statistical inference under order restrictions.
    """
    odds = treated.sum() / control.sum()
    both = control + treated + 1.0
    share = (treated + odds / (1 + odds)) / both
    share = isotonic_regression(share, weights=both, increasing=rising).x
    return np.asarray(share / (1 - share) / odds, dtype=np.float64)


def likeliest_fractions(counts: FloatArray, ratios: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the responder fraction that makes the counts likeliest, for each set of cells and each component.

    Maximises ``sum_k m_k log(1 - f + f r_k)``, concave in f, by halving the interval in which its slope
    changes sign.

    Parameters
    ----------
    counts : ndarray, shape (b, k)
        Cells by bin, a row per set of cells.
    ratios : ndarray, shape (j, k) or (b, j, k)
        Density of each candidate component over the density of controls.

    Returns
    -------
    (ndarray, ndarray), shape (b, j)
        Fraction in [0, 1], and its log-likelihood minus that of fraction 0.

    Examples
    --------
    >>> import numpy as np
    >>> fraction, gain = likeliest_fractions(np.array([[80.0, 20.0]]), np.array([[0.1, 10.0]]))
    >>> fraction.round(3).tolist()
    [[0.133]]
    """
    excess = np.broadcast_to(ratios - 1.0, (len(counts), *ratios.shape[-2:]))  # (b, j, k)
    cells = counts[:, None, :]
    low, high = np.zeros(excess.shape[:2]), np.ones(excess.shape[:2])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rising = (cells * excess / (1 + middle[:, :, None] * excess)).sum(axis=2) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    # an end of the range is reached exactly, so that "none" and "all" are exact too
    fraction = np.where(low == 0, 0.0, np.where(high == 1, 1.0, (low + high) / 2))
    return fraction, (cells * np.log1p(fraction[:, :, None] * excess)).sum(axis=2)
