"""The Hill curve: at which dose half of the response is reached."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import OptimizeResult, least_squares

from diffex.effects.arrays import FloatArray, finite, same_length
from diffex.responses.doses import check_doses

_ALPHA = 0.05
_PARAMETERS = 4
_SLOPES = (0.3, 12.0)
_BEYOND = 10.0
_TOLERANCE = 1e-5
_FAR = 700.0


@final
@dataclass(frozen=True)
class HillFit:
    """A Hill curve fitted to wells, or the reason why there is none.

    Parameters
    ----------
    ec50, low, high : float
        Dose of half the response with its 95 % interval, in the unit of the doses; NaN where none can
        be given. An end is 0 or infinite where the doses do not bound it.
    bottom, top, slope : float
        Response without and at the highest effect, and Hill's exponent; NaN without EC50.
    p : float
        F test of the curve against a constant, over wells; NaN where there are too few.
    reason : str
        Why no EC50 can be given; empty where it is.
    """

    ec50: float
    low: float
    high: float
    bottom: float
    top: float
    slope: float
    p: float
    reason: str = ""

    @property
    def words(self) -> str:
        """The result as a sentence."""
        if self.reason:
            return f"No EC50 can be given: {self.reason}."
        low = f"{self.low:.3g}" if self.low > 0 else "below all doses"
        high = f"{self.high:.3g}" if math.isfinite(self.high) else "above all doses"
        step = " or more, a step between two doses" if self.slope > 0.9 * _SLOPES[1] else ""
        return (
            f"EC50 {self.ec50:.3g} [{low}, {high}], Hill slope {self.slope:.2g}{step} "
            f"(p = {self.p:.2g} against no response)."
        )


def hill(doses: FloatArray, bottom: float, top: float, ec50: float, slope: float) -> FloatArray:
    """Evaluate ``bottom + (top - bottom) / (1 + (ec50 / dose)^slope)``; dose 0 gives the bottom.

    Parameters
    ----------
    doses : ndarray, shape (n,)
        0 or above.
    bottom, top : float
        Response at dose 0 and far above the EC50.
    ec50, slope : float
        Dose of half the response, and exponent; positive.

    Returns
    -------
    ndarray, shape (n,)
        The response.

    Examples
    --------
    >>> import numpy as np
    >>> hill(np.array([0.0, 5.0]), 0.0, 2.0, 5.0, 1.5).tolist()
    [0.0, 1.0]
    """
    powers = np.power(np.asarray(doses, dtype=np.float64) / ec50, slope)
    return np.asarray(bottom + (top - bottom) * powers / (1 + powers))


def fit_hill(
    values: ArrayLike, doses: ArrayLike, *, seed: int, repeats: int = 300, unit: str = "wells"
) -> HillFit:
    """Fit a Hill curve to well values, with an interval of its EC50 by bootstrap over wells.

    Least squares over wells in ``(bottom, top, log ec50, log slope)``, slopes from 0.3 to 12, EC50 up to ten
    times outside the doses. The interval: residuals, over one minus their leverage, keep their wells and
    get random signs (wild bootstrap), so doses may differ in scatter and may have a single well; its
    percentiles are widened from normal to t with ``w - 4`` degrees of freedom.

    Parameters
    ----------
    values, doses : array_like, shape (w,)
        One value per well, and its dose; 0 for controls.
    seed : int
        Of the bootstrap.
    repeats : int, default 300
        Resamples.
    unit : str, default "wells"
        What the values are of, for the reason.

    Returns
    -------
    HillFit
        With a reason in place of the EC50 where the curve is flat, the EC50 lies outside the doses, or there
        are fewer than 4 doses or 6 wells.

    Raises
    ------
    InputError
        If values are not finite, doses are no numbers, or lengths differ.

    References
    ----------
    Hill 1910; Wu 1986 for the wild bootstrap, MacKinnon & White 1985 for the leverage (HC3).

    Examples
    --------
    >>> import numpy as np
    >>> doses = np.repeat([0.0, 1, 2, 4, 8, 16, 32], 2)
    >>> noise = np.random.default_rng(0).normal(0, 0.05, 14)
    >>> round(fit_hill(hill(doses, 0, 1, 5, 2) + noise, doses, seed=0).ec50, 1)
    4.6
    """
    y, x = finite(values, "values", 1), check_doses(doses)
    same_length(len(y), "doses", x)
    levels = np.unique(x)
    if len(levels) < _PARAMETERS or len(y) < _PARAMETERS + 2:
        return _none(
            f"{len(y)} {unit} of {len(levels)} doses, expected {_PARAMETERS + 2} or more of {_PARAMETERS}"
        )
    span = _span(x)
    best = min((_least_squares(y, x, start) for start in _starts(y, x)), key=lambda found: found.cost)
    p = _against_constant(y, y - _curve(best.x, x))
    if not p <= _ALPHA:
        return _none(f"the response is flat (p = {p:.2g})", p)
    bottom, top, log_ec50, log_slope = best.x.tolist()
    ec50 = math.exp(log_ec50)
    if not span[0] <= ec50 <= span[1]:
        return _none(f"half the response lies outside the doses ({span[0]:.3g} to {span[1]:.3g})", p)
    low, high = _interval(y, x, best, span, seed, repeats)
    return HillFit(ec50, low, high, bottom, top, math.exp(log_slope), p)


def _none(reason: str, p: float = float("nan")) -> HillFit:
    nan = float("nan")
    return HillFit(nan, nan, nan, nan, nan, nan, p, reason)


def _span(doses: FloatArray) -> tuple[float, float]:
    positive = doses[doses > 0]
    return float(positive.min()), float(positive.max())


def _curve(parameters: FloatArray, doses: FloatArray) -> FloatArray:
    return hill(doses, parameters[0], parameters[1], math.exp(parameters[2]), math.exp(parameters[3]))


def _slopes(parameters: FloatArray, doses: FloatArray) -> FloatArray:
    """Derivatives of the curve by its parameters, ``(w, 4)``."""
    bottom, top, log_ec50, log_slope = parameters
    slope = math.exp(log_slope)
    share = hill(doses, 0.0, 1.0, math.exp(log_ec50), slope)
    steep = (top - bottom) * share * (1 - share)
    # dose 0 lies infinitely far below every EC50, where the curve is level
    distance = np.log(np.where(doses > 0, doses, 1.0)) - log_ec50
    return np.stack([1 - share, share, -steep * slope, steep * distance * slope], axis=1)


def _least_squares(y: FloatArray, x: FloatArray, start: FloatArray) -> OptimizeResult:
    low, high = _span(x)
    limits = (
        [-np.inf, -np.inf, math.log(low / _BEYOND), math.log(_SLOPES[0])],
        [np.inf, np.inf, math.log(high * _BEYOND), math.log(_SLOPES[1])],
    )
    unit = float(np.ptp(y)) or 1.0
    return least_squares(
        lambda one: (_curve(one, x) - y) / unit, start, lambda one: _slopes(one, x) / unit, bounds=limits,
        x_scale=[unit, unit, 1.0, 1.0], ftol=_TOLERANCE, xtol=_TOLERANCE,
    )  # fmt: skip


def _starts(y: FloatArray, x: FloatArray) -> list[FloatArray]:
    """Start at the lowest and highest dose's means, halfway in dose, shallow and steep."""
    ends = [float(y[x == dose].mean()) for dose in (x.min(), x.max())]
    low, high = _span(x)
    middles = np.exp(np.linspace(math.log(low), math.log(high), 5)[1:-1])
    return [np.array([*ends, math.log(m), math.log(h)]) for m in middles for h in (1.0, 3.0)]


def _against_constant(y: FloatArray, residuals: FloatArray) -> float:
    total, rss = float(((y - y.mean()) ** 2).sum()), float((residuals**2).sum())
    free = len(y) - _PARAMETERS
    if total == 0:
        return 1.0
    if rss <= 1e-12 * total:
        return 0.0
    return float(stats.f.sf(((total - rss) / (_PARAMETERS - 1)) / (rss / free), _PARAMETERS - 1, free))


def _interval(
    y: FloatArray, x: FloatArray, best: OptimizeResult, span: tuple[float, float], seed: int, repeats: int
) -> tuple[float, float]:
    fitted, random = _curve(best.x, x), np.random.default_rng(seed)
    # what each well pulls the curve towards itself: its residual is too small by that share
    leverage = (np.linalg.qr(best.jac)[0] ** 2).sum(axis=1)
    residuals = (y - fitted) / np.maximum(1 - leverage, 1 / len(y))
    signs = random.choice([-1.0, 1.0], (repeats, len(y)))
    drawn = [_least_squares(fitted + sign * residuals, x, best.x).x[2] for sign in signs]
    # few wells: as a t interval is wider than a normal one
    wider = stats.t.ppf(0.975, len(y) - _PARAMETERS) / stats.norm.ppf(0.975)
    ends = best.x[2] + wider * (np.quantile(drawn, (0.025, 0.975)) - best.x[2])
    low, high = np.exp(np.clip(ends, -_FAR, _FAR))
    return float(low) if low >= span[0] else 0.0, float(high) if high <= span[1] else float("inf")
