"""How rendered effects follow the predicted ones."""

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats

from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray

_BENDS = (-1.0, -0.7, -0.5, -0.3, 0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
_SATURATION_EVIDENCE = 3.84  # likelihood ratio at 5 %: a bend that narrows the null must be earned
_SETS, _NARROW = 1000, 0.8


@final
@dataclass(frozen=True)
class Calibration:
    """A bent line with scatter: ``rendered = intercept + slope * bend(predicted) + error``.

    Parameters
    ----------
    intercept, slope : float
        Of the line, slope >= 0.
    bend : float
        0: straight; above: saturating, ``asinh(bend * u) / bend``; below: swelling, ``sinh``.
    unit : float
        Predicted effects are divided by it before bending.
    scale : float
        Of the scatter about the line.
    count : int
        Directions behind the fit.
    centre, spread : float
        Mean and sum of squared deviations of the bent predictions, for the uncertainty of the line.
    """

    intercept: float
    slope: float
    bend: float
    unit: float
    scale: float
    count: int
    centre: float
    spread: float

    def draw(self, predicted: FloatArray, seed: int) -> FloatArray:
        """Draw what rendering would give, as the prediction of one new direction each.

        Parameters
        ----------
        predicted : ndarray, shape (R,)
            Predicted effects.
        seed : int
            Of the errors: Student t with two degrees of freedom less than directions.

        Returns
        -------
        ndarray, shape (R,)
            In the unit of the rendered effects.
        """
        bent = _bend(predicted / self.unit, self.bend)
        lever = (bent - self.centre) ** 2 / self.spread if self.spread > 0 else 0.0
        reach = self.scale * np.sqrt(1 + 1 / self.count + lever)
        error = np.random.default_rng(seed).standard_t(self.count - 2, size=len(predicted))
        return np.asarray(self.intercept + self.slope * bent + reach * error, dtype=np.float64)


def fit_calibration(
    rendered: FloatArray, predicted: FloatArray, unit: float, arbitrary: int | None = None
) -> Calibration:
    """Fit the bent line to directions that were rendered.

    Theil-Sen lines for each of some bends; the one of least scatter wins, but a saturating one only where the
    likelihood ratio against the straight line is significant.

    Parameters
    ----------
    rendered : ndarray, shape (r,)
        Mean effects as rendered.
    predicted : ndarray, shape (r,)
        Their predicted effects.
    unit : float
        Typical size of predicted effects, above 0.
    arbitrary : int, optional
        How many of them, the first ones, are random directions: the scatter is theirs. Default: all.

    Returns
    -------
    Calibration
        The best line.
    """
    fits = [_fit(rendered, predicted, bend, unit, arbitrary) for bend in _BENDS]
    straight = next(misfit for misfit, line in fits if line.bend == 0)
    worst_allowed = straight * np.exp(-_SATURATION_EVIDENCE / (2 * len(rendered)))
    allowed = [one for one in fits if one[1].bend <= 0 or one[0] < worst_allowed]
    return min(allowed, key=lambda one: (one[0], abs(one[1].bend)))[1]


def curvature_weight(even: FloatArray, curved: FloatArray) -> float:
    """Fit how much of the predicted curvature is rendered.

    Parameters
    ----------
    even : ndarray, shape (r,)
        Mean of the rendered effects of a direction and of its opposite.
    curved : ndarray, shape (r,)
        What was predicted of it.

    Returns
    -------
    float
        Theil-Sen slope, at least 0: 0 where the prediction is opposed or unrelated.
    """
    return max(0.0, float(stats.theilslopes(even, curved)[0])) if np.ptp(curved) > 0 else 0.0


def widening(rendered: FloatArray, null: FloatArray, seed: int) -> float:
    """Say by how much a null is too narrow for directions that were rendered.

    Parameters
    ----------
    rendered : ndarray, shape (r, 2)
        Mean effects of random directions and of their opposites as rendered.
    null : ndarray, shape (R,)
        Null effects.
    seed : int
        Of the sets of r that are drawn from the null.

    Returns
    -------
    float
        Largest ratio of upper quantiles of the absolute values, the largest value included, where it is
        above what 80 of 100 sets drawn from the null itself have; else 1. A direction counts twice, as
        does its opposite, in both.
    """
    levels = (np.arange(rendered.size) + 0.5) / rendered.size
    upper = levels >= 0.5
    expected = np.quantile(np.abs(null), levels[upper])
    if not (expected > 0).all():
        return 1.0
    drawn = np.random.default_rng(derive_seed("widening", seed)).choice(np.abs(null), (_SETS, len(rendered)))
    chance = (np.sort(np.repeat(drawn, 2, axis=1), axis=1)[:, upper] / expected).max(1)
    ratio = float((np.sort(np.abs(rendered), axis=None)[upper] / expected).max())
    return max(1.0, ratio) if ratio > np.quantile(chance, _NARROW) else 1.0


def _fit(
    y: FloatArray, predicted: FloatArray, bend: float, unit: float, arbitrary: int | None
) -> tuple[float, Calibration]:
    """Misfit over all directions, and the line with the scatter of the arbitrary ones."""
    x = _bend(predicted / unit, bend)
    slope = max(0.0, float(stats.theilslopes(y, x)[0])) if np.ptp(x) > 0 else 0.0
    intercept = float(np.median(y - slope * x))
    residuals = y - intercept - slope * x
    some = residuals[:arbitrary]
    scale = float(np.sqrt((some**2).sum() / (len(some) - 2)))
    spread = float(((x - x.mean()) ** 2).sum())
    line = Calibration(intercept, slope, bend, unit, scale, len(some), float(x.mean()), spread)
    return float(np.sqrt(np.mean(residuals**2))), line


def _bend(x: FloatArray, bend: float) -> FloatArray:
    if bend > 0:
        return np.arcsinh(bend * x) / bend
    return np.sinh(-bend * x) / -bend if bend < 0 else x
