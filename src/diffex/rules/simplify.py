"""Shorter formulas that say the same: constants that are not needed go, the others are rounded."""

import math

import numpy as np
import sympy
from scipy import stats

from diffex.effects.arrays import FloatArray
from diffex.rules.constants import Fitted, fit_constants, fit_template
from diffex.rules.expression import Expr, complexity, template

_LEVEL = 0.001
_SMALLEST_GAIN = 0.002  # of the variance of y: what explains less is not worth its nodes
_SLACK = 3.0  # Wald's statistic is only about the likelihood ratio


def simplify(expression: Expr, names: tuple[str, ...], x: FloatArray, y: FloatArray) -> Fitted:
    """Expand where that is shorter, then set constants to 0 that a likelihood ratio does not miss.

    Parameters
    ----------
    expression : Expr
        A formula over `names`.
    names : tuple of str
        Columns of `x`.
    x : ndarray, shape (n, d)
        Factors.
    y : ndarray, shape (n,)
        What the formula should give.

    Returns
    -------
    Fitted
        No larger than before; constants fitted again.
    """
    expanded = sympy.expand(expression)
    flat = expanded if complexity(expanded) <= complexity(expression) else expression
    found = fit_constants(flat, names, x, y)
    while (shorter := _without_a_constant(found, names, x, y)) is not None:
        found = shorter
    return found


def _without_a_constant(found: Fitted, names: tuple[str, ...], x: FloatArray, y: FloatArray) -> Fitted | None:
    """Drop the constant, and the term it stands before, that is missed least; None where all are needed."""
    nodes, variance = complexity(found.expression), float(y.var())
    tried = [found.form.without(place, found.constants) for place in _weak(found, len(y), variance)]
    shorter = {template(one).expression: one for one in tried if complexity(one) < nodes}
    fits = [fit_constants(one, names, x, y) for one in shorter.values()]
    good = [fit for fit in fits if _as_good(fit, found, len(y), variance)]
    return min(good, key=lambda fit: fit.loss, default=None)


def _weak(found: Fitted, n: int, variance: float) -> list[int]:
    """Constants that may be dropped, as far as Wald's statistic tells."""
    value, high = np.array(found.constants), np.array(found.high)
    with np.errstate(divide="ignore", invalid="ignore"):
        wald = np.nan_to_num(np.square(value / (high - value)) * stats.chi2.ppf(0.95, 1))
    small = n * _SMALLEST_GAIN * variance / max(found.loss, 1e-300)
    limit = max(stats.chi2.ppf(1 - _LEVEL, 1), small)
    return np.flatnonzero(wald < _SLACK * limit).tolist()


def _as_good(shorter: Fitted, longer: Fitted, n: int, variance: float) -> bool:
    """Likelihood-ratio test of Gaussian errors, or a gain too small to matter."""
    ratio = n * math.log(max(shorter.loss, 1e-300) / max(longer.loss, 1e-300))
    freed = max(1, len(longer.constants) - len(shorter.constants))
    insignificant = ratio < stats.chi2.ppf(1 - _LEVEL, freed)
    return bool(insignificant or shorter.loss - longer.loss < _SMALLEST_GAIN * variance)


def round_constants(found: Fitted, names: tuple[str, ...], x: FloatArray, y: FloatArray) -> Fitted:
    """Round constants one by one to the fewest digits within their interval; the others are fitted again.

    Parameters
    ----------
    found : Fitted
        A formula with intervals.
    names : tuple of str
        Columns of `x`.
    x : ndarray, shape (n, d)
        Factors.
    y : ndarray, shape (n,)
        What the formula should give.

    Returns
    -------
    Fitted
        Rounded constants; intervals are those from before each was rounded.
    """
    low, high = np.array(found.low), np.array(found.high)
    current = found
    for place in range(len(found.constants)):
        low[place], high[place] = current.low[place], current.high[place]
        values = np.array(current.constants)
        values[place] = coarsest(values[place], low[place], high[place])
        current = fit_template(found.form, values, tuple(range(place + 1)), names, x, y)
    return Fitted(found.form, current.loss, current.constants, tuple(low.tolist()), tuple(high.tolist()))


def coarsest(value: float, low: float, high: float) -> float:
    """Give the number with the fewest significant digits inside an interval, nearest to a value.

    Parameters
    ----------
    value, low, high : float
        The value and its interval.

    Returns
    -------
    float
        At most six digits; not 0 where the value is not.

    Examples
    --------
    >>> coarsest(0.4312, 0.41, 0.45)
    0.43
    """
    if value == 0 or not np.isfinite([value, low, high]).all():
        return value
    for digits in range(1, 7):
        rounded = float(f"{value:.{digits - 1}e}")
        if low <= rounded <= high and rounded != 0:
            return rounded
    return float(f"{value:.5e}")
