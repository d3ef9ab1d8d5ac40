"""What an explanation must cost: expected network evaluations, and how a cost grows."""

import numpy as np
from scipy import stats

from diffex.effects.arrays import FloatArray


def expected_nfe(images: int, concepts: int, selecting: int, latents: int) -> dict[str, int]:
    """Count the network evaluations of an exact search, by purpose, verification left out.

    The numbers are written down here once more, so that a change of the method's cost shows in a test.

    Parameters
    ----------
    images : int
        N.
    concepts : int
        K, after near duplicates were merged.
    selecting : int
        Images of the selecting half.
    latents : int
        Size of the code.

    Returns
    -------
    dict of str to int
        As in the ledger.

    Examples
    --------
    >>> expected_nfe(256, 100, 128, 64)["screening"]
    51200
    """
    directions, few = 48, min(16, images - selecting)  # of the size-matched null
    bends = 2 * min(16, latents) * min(12, images - selecting)
    metric, size = 12 * (latents + 1), min(48, selecting)
    scaling = 8 * (1 + 2 * concepts) + 8 * (1 + 2 * directions)
    return {
        "gradients": 3 * (images + bends),
        "calibration": metric + size + scaling,
        "null": images + few,
        "screening": 2 * images * concepts,
        "null calibration": 2 * directions * few,
        "drivers": min(images, 8 * latents) + 8 * latents,
    }


def exponent(sizes: FloatArray, costs: FloatArray) -> tuple[float, float]:
    """Fit ``cost ~ size^a`` on logarithms.

    Parameters
    ----------
    sizes, costs : ndarray, shape (n,)
        Positive; three points or more.

    Returns
    -------
    (float, float)
        a and half the width of its 95 % interval; both 0 where all costs are equal.

    Examples
    --------
    >>> a, _ = exponent(np.array([1.0, 2.0, 4.0]), np.array([3.0, 6.0, 12.0]))
    >>> round(a, 6)
    1.0
    """
    if np.ptp(costs) == 0:  # the error of a fit to a constant is not defined
        return 0.0, 0.0
    fit = stats.linregress(np.log(sizes), np.log(costs))
    return float(fit.slope), float(stats.t.ppf(0.975, len(sizes) - 2) * fit.stderr)
