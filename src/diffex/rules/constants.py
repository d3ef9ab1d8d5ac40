"""Fitting the constants of a formula, and how sure they are."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from diffex.effects.arrays import FloatArray
from diffex.rules.expression import Expr, Template, template
from diffex.rules.gradients import Dual, Part, with_gradient

Places = NDArray[np.intp]
_MOST_STEPS = 100
_ENOUGH = 1e-7
_WORST = 1e50


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """A formula with its best constants.

    Parameters
    ----------
    form : Template
        The formula with parameters for constants.
    loss : float
        Mean squared error.
    constants, low, high : tuple of float
        One per parameter, with 95 % intervals.
    """

    form: Template
    loss: float
    constants: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def expression(self) -> Expr:
        """The formula with its constants in place."""
        return self.form.filled(self.constants)


def fit_constants(expression: Expr, names: tuple[str, ...], x: FloatArray, y: FloatArray) -> Fitted:
    """Fit the constants of a formula by least squares, from where they are.

    Parameters
    ----------
    expression : Expr
        A formula over `names`; its floating-point numbers are its constants.
    names : tuple of str
        Columns of `x`.
    x : ndarray, shape (n, d)
        Factors.
    y : ndarray, shape (n,)
        What the formula should give.

    Returns
    -------
    Fitted
        At least as good as the start.
    """
    form = template(expression)
    return fit_template(form, np.array(form.start), (), names, x, y)


def fit_template(
    form: Template,
    start: FloatArray,
    held: tuple[int, ...],
    names: tuple[str, ...],
    x: FloatArray,
    y: FloatArray,
) -> Fitted:
    """Fit the parameters of a template that are not held.

    Parameters
    ----------
    form : Template
        Over `names`.
    start : ndarray, shape (p,)
        Where to begin.
    held : tuple of int
        Parameters that stay as they are; their intervals have no width.
    names : tuple of str
        Columns of `x`.
    x : ndarray, shape (n, d)
        Factors.
    y : ndarray, shape (n,)
        What the formula should give.

    Returns
    -------
    Fitted
        Intervals from the heteroscedasticity-consistent covariance (White 1980), which does not assume that
        errors are equally large everywhere.
    """
    free = np.array([i for i in range(len(start)) if i not in held], dtype=np.intp)
    problem = _Problem(with_gradient(form, names), start, free, np.ascontiguousarray(x.T), y)
    best, spread = start[free], np.zeros_like(start)
    if len(free):
        options = {"x_scale": "jac", "ftol": _ENOUGH, "xtol": _ENOUGH, "max_nfev": _MOST_STEPS}
        best = optimize.least_squares(problem.errors, best, problem.slopes, method="lm", **options).x
        spread[free] = _spread(problem.slopes(best), problem.errors(best))
    values, reach = problem.every(best), spread * stats.norm.ppf(0.975)
    loss = float(np.mean(np.square(problem.errors(best))))
    ends = tuple((values - reach).tolist()), tuple((values + reach).tolist())
    return Fitted(form, loss, tuple(values.tolist()), *ends)


@final
class _Problem:
    """Errors and their derivatives; the latest point is kept, since both are asked for at it."""

    def __init__(
        self, evaluate: Part, start: FloatArray, free: Places, columns: FloatArray, y: FloatArray
    ) -> None:
        self.evaluate, self.start, self.free, self.columns, self.y = evaluate, start, free, columns, y
        self.at: FloatArray | None = None
        self.latest: Dual = (0.0, {})

    def every(self, some: FloatArray) -> FloatArray:
        values = self.start.copy()
        values[self.free] = some
        return values

    def errors(self, some: FloatArray) -> FloatArray:
        found = self._look(some)[0] - self.y
        return np.asarray(np.clip(np.nan_to_num(found, nan=_WORST), -_WORST, _WORST))

    def slopes(self, some: FloatArray) -> FloatArray:
        gradient = self._look(some)[1]
        found = np.zeros((len(self.y), len(self.free)))
        for column, place in enumerate(self.free):
            found[:, column] = gradient.get(int(place), 0.0)
        return np.clip(np.nan_to_num(found), -_WORST, _WORST)

    def _look(self, some: FloatArray) -> Dual:
        if self.at is None or not np.array_equal(self.at, some):
            with np.errstate(all="ignore"):
                self.latest = self.evaluate(self.every(some), self.columns)
            self.at = some.copy()
        return self.latest


def _spread(jacobian: FloatArray, errors: FloatArray) -> FloatArray:
    """Standard errors by the sandwich, with the small-sample factor n / (n - p)."""
    n, p = jacobian.shape
    lengths = np.sqrt(np.square(jacobian).sum(axis=0))
    scale = np.where(lengths > 0, lengths, 1.0)  # units differ by magnitudes, which a pseudo-inverse cuts off
    even = jacobian / scale
    inverse = np.linalg.pinv(even.T @ even)
    scores = even * errors[:, None]
    covariance = inverse @ (scores.T @ scores) @ inverse * n / max(n - p, 1)
    return np.asarray(np.sqrt(np.maximum(covariance.diagonal(), 0)) / scale)
