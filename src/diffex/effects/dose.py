"""How the effect grows with the strength of the edit."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, finite, same_length
from diffex.effects.intervals import Intervals, mean_intervals
from diffex.effects.replication import replication_units


@final
@dataclass(frozen=True, eq=False)
class DoseTrend:
    """Effect by strength.

    Parameters
    ----------
    strengths : ndarray, shape (s,)
        Ascending.
    effects : Intervals
        Mean effect with its interval at each strength.
    direction : int
        +1 where effects rise with strength, -1 where they fall.
    p : float
        Page's trend test, two-sided.
    monotone : float
        Share of images whose effect never moves against the direction, and moves along it at all.
    half_flip : float or None
        Strength, nearest to 0, at which half of the images flip; None where they do not.
    """

    strengths: FloatArray
    effects: Intervals
    direction: int
    p: float
    monotone: float
    half_flip: float | None


def dose_response(
    effects: ArrayLike,
    strengths: ArrayLike,
    flips: BoolArray | None = None,
    groups: NDArray[np.generic] | None = None,
) -> DoseTrend:
    """Describe how effects grow with strength.

    Parameters
    ----------
    effects : array_like, shape (n, s)
        Effect per image and strength; 0 at strength 0.
    strengths : array_like, shape (s,)
        Signed strengths, ascending, 3 or more.
    flips : ndarray of bool, shape (e, s), optional
        Whether the edit is classified as the target, for the images whose null edit is not.
    groups : ndarray, shape (n,), optional
        Unit of replication; with 6 groups or more the trend is tested on their means.

    Returns
    -------
    DoseTrend
        Means, intervals, trend, share of monotone images, strength that flips half of them.

    Raises
    ------
    InputError
        If strengths do not ascend or are fewer than 3, shapes disagree, or values are not finite.

    References
    ----------
    Page 1963, Ordered hypotheses for multiple treatments.
    """
    array, doses = finite(effects, "effects", 2), finite(strengths, "strengths", 1)
    same_length(array.shape[1], "strengths", doses)
    if len(doses) < 3 or (np.diff(doses) <= 0).any():
        raise InputError(f"strengths got {doses.tolist()}, expected 3 or more, ascending.")
    units = replication_units(len(array), groups)
    p, direction = _page(units.sums(array) / units.sizes[:, None])
    steps = np.diff(array, axis=1) * direction
    monotone = (steps >= 0).all(axis=1) & (steps > 0).any(axis=1)
    found = mean_intervals(array, groups)
    half_flip = None if flips is None else half_flip_strength(flips, doses)
    return DoseTrend(doses, found, direction, p, float(monotone.mean()), half_flip)


def half_flip_strength(flips: BoolArray, strengths: FloatArray) -> float | None:
    """Interpolate the strength at which half of the images are the target.

    Parameters
    ----------
    flips : ndarray of bool, shape (e, s)
        Per image whose null edit is not the target, and strength.
    strengths : ndarray, shape (s,)
        Signed strengths, ascending.

    Returns
    -------
    float or None
        The crossing nearest to 0; at strength 0 nothing has flipped, by the choice of images. None where the
        rate stays below one half, or without images.

    Raises
    ------
    InputError
        If the shapes disagree.

    Examples
    --------
    >>> import numpy as np
    >>> half_flip_strength(np.array([[False, True], [False, True]]), np.array([1.0, 2.0]))
    1.5
    """
    if flips.ndim != 2 or flips.shape[1] != len(strengths):
        raise InputError(f"flips got shape {flips.shape}, expected (images, {len(strengths)} strengths).")
    if not len(flips):
        return None
    rates = flips.mean(axis=0)
    found = []
    for side in (1, -1):
        here = side * strengths > 0
        distance = _first_half(side * strengths[here], rates[here])
        if distance is not None:
            found.append(side * distance)
    return min(found, key=abs, default=None)


def _first_half(distances: FloatArray, rates: FloatArray) -> float | None:
    order = np.argsort(distances)
    x, y = np.append(0.0, distances[order]), np.append(0.0, rates[order])
    reached = np.flatnonzero(y >= 0.5)
    if not len(reached):
        return None
    i = int(reached[0])
    return float(x[i - 1] + (0.5 - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))


def _page(values: FloatArray) -> tuple[float, int]:
    """Test for a trend either way; values without any order give p = 1."""
    if not np.ptp(values, axis=1).any():
        return 1.0, 1
    rising = float(stats.page_trend_test(values).pvalue)
    falling = float(stats.page_trend_test(values[:, ::-1]).pvalue)
    return min(1.0, 2 * min(rising, falling)), 1 if rising <= falling else -1
