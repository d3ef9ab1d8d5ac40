"""Which measured quantities drive a classifier, each with the others held: random moves as instruments."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, IntArray, finite

FEWEST_PER_AXIS = 3
"""Moves that it takes for every axis of the code."""

_FOLLOWS = 0.4  # share of a quantity's change that moves have to tell
_NEW = 0.05  # share of it that no quantity chosen before moves along with
_ALIKE = 0.7  # of two quantities nearly as new, the one that comes first in the table is taken
_SPENT = 2  # axes of the code that it takes for each quantity
_LEVEL = 0.975
_SURE = 2.0  # standard errors by which an answer to moves has to exceed what noise alone would show
_EXACT = 1e-9  # of the answer: rounding, where nothing else errs


@final
@dataclass(frozen=True, eq=False)
class Drivers:
    """What a classifier answers to, in terms of what is measured.

    Parameters
    ----------
    chosen : ndarray of int, shape (p,)
        Columns of quantities that can be moved apart from each other.
    effect, low, high : ndarray, shape (p,)
        Change of the margin per unit of one quantity, the others held, with a 95 % interval.
    p : ndarray, shape (p,)
        Of no such effect.
    moves : ndarray, shape (p, d)
        White move that changes one of them by a unit and holds the others.
    share : float
        Share of the margin's answer to moves, as far as that is straight, which the chosen quantities carry;
        0 where it does not answer.
    straight : float
        Share of the margin's changes that a straight line over moves tells: the rest is bent, or interacts.
    full : bool
        Whether more quantities could have been told apart if the code had more axes.
    """

    chosen: IntArray
    effect: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    moves: FloatArray
    share: float
    straight: float
    full: bool


@final
@dataclass(frozen=True, eq=False)
class _Slopes:
    """Slopes along the axes, of quantities and of the margin in the last column."""

    values: FloatArray  # (d, q + 1)
    told: FloatArray  # (q + 1,), share of the variance
    noise: FloatArray  # (q + 1, q + 1), covariance of the errors of the slopes along one axis

    def products(self) -> FloatArray:
        """Sums of products of slopes over axes, less what their common noise adds, ``(q + 1, q + 1)``."""
        return np.asarray(self.values.T @ self.values - len(self.values) * self.noise)


def drivers(moves: ArrayLike, changes: ArrayLike, response: ArrayLike) -> Drivers:
    r"""Regress what random moves of the code do to a margin on what they do to measured quantities.

    Moves are drawn at random, so that nothing about an image goes along with them. With :math:`b_i` the slope
    of the margin along axis i of the white code and :math:`a_{ij}` that of quantity j, the effects are the
    regression of :math:`b` on :math:`a` over the d axes, both less the noise of their estimates. Its
    residuals hold what the margin answers to and nobody measured; their spread is the error of the effects,
    so that unmeasured drivers widen intervals in place of making up drivers, as long as they do not happen
    to move with a measured one.

    Parameters
    ----------
    moves : array_like, shape (n, d)
        Independent, of equal spread along all axes of the white code.
    changes : array_like, shape (n, q)
        Of every quantity, edit minus null edit, in any unit.
    response : array_like, shape (n,)
        Of the margin.

    Returns
    -------
    Drivers
        No quantity is chosen where moves tell none.

    Raises
    ------
    InputError
        If values are not finite, shapes differ, or there are fewer than 3 moves per axis.

    References
    ----------
    Bowden et al. 2017, "A framework for the investigation of pleiotropy in two-sample summary data Mendelian
    randomization" (random effects over instruments); Fuller 1987, Measurement Error Models (noise of slopes).

    Examples
    --------
    >>> moves = np.random.default_rng(0).normal(size=(400, 12))
    >>> found = drivers(moves, moves[:, :3], 2 * moves[:, 1])
    >>> found.chosen, found.effect.round(3) + 0.0
    (array([0, 1, 2]), array([0., 2., 0.]))
    """
    u, m, y = finite(moves, "moves", 2), finite(changes, "changes", 2), finite(response, "response", 1)
    n, d = u.shape
    if len(m) != n or len(y) != n or n < max(FEWEST_PER_AXIS * d, 1):
        raise InputError(
            f"drivers got {n} moves along {d} axes, {len(m)} changes and {len(y)} responses, expected at "
            f"least {FEWEST_PER_AXIS * d} of each."
        )
    slopes = _regressed(u, np.column_stack([m, y]))
    chosen, full = _apart(slopes)
    products = slopes.products()
    a, b, free = slopes.values[:, chosen], slopes.values[:, -1], d - len(chosen)
    back = np.asarray(np.linalg.pinv(products[np.ix_(chosen, chosen)], hermitian=True), dtype=np.float64)
    effect = back @ products[chosen, -1]
    left = b - a @ effect
    weights = back @ a.T
    error = np.sqrt(float(left @ left) / max(free, 1) * np.square(weights).sum(axis=1))
    error += _EXACT * float(np.linalg.norm(b))
    reach = stats.t.ppf(_LEVEL, max(free, 1)) * error
    p = 2 * stats.t.sf(np.abs(effect) / np.maximum(error, 1e-300), max(free, 1))
    return Drivers(
        chosen, effect, effect - reach, effect + reach, p, weights,
        share=_share(slopes, effect @ products[chosen, -1]), straight=float(np.clip(slopes.told[-1], 0, 1)),
        full=full,
    )  # fmt: skip


def _share(slopes: _Slopes, carried: float) -> float:
    """Share of the answer that is carried; 0 where the answer may be noise."""
    answer, noise, axes = slopes.products()[-1, -1], slopes.noise[-1, -1], len(slopes.values)
    if slopes.told[-1] <= 0 or answer <= _SURE * noise * np.sqrt(2 * axes):
        return 0.0
    return float(np.clip(carried / answer, 0, 1))


def _regressed(u: FloatArray, y: FloatArray) -> _Slopes:
    """Regress columns on moves, with an intercept."""
    n, d = u.shape
    design = np.concatenate([np.ones((n, 1)), u], axis=1)
    found = np.linalg.lstsq(design, y, rcond=None)[0]
    left = y - design @ found
    free = max(n - d - 1, 1)  # of residuals; and a slope along random moves errs by their variance over it
    scatter = left.T @ left / free
    variance = y.var(axis=0, ddof=1) if n > 1 else np.zeros(y.shape[1])
    told = np.where(variance > 0, 1 - scatter.diagonal() / np.where(variance > 0, variance, 1.0), 0.0)
    return _Slopes(found[1:], told, scatter / (free * max(float(u.var()) if d else 1.0, 1e-300)))


def _apart(slopes: _Slopes) -> tuple[IntArray, bool]:
    """Choose quantities that moves tell and that do not all move together, by pivoted elimination."""
    rest = slopes.products()[:-1, :-1]
    length, told = rest.diagonal().copy(), slopes.told[:-1]
    usable: BoolArray = (told >= _FOLLOWS) & (length > 0)
    chosen: list[int] = []
    while True:
        new = np.where(usable, rest.diagonal() / np.where(usable, length, 1.0), 0.0)
        new[chosen] = 0.0
        worth = np.where(new >= _NEW, new, 0.0) * told
        if worth.max(initial=0.0) <= 0:
            return np.array(chosen, dtype=np.int64), False
        if len(chosen) >= len(slopes.values) // _SPENT:
            return np.array(chosen, dtype=np.int64), True
        chosen.append(int(np.flatnonzero(worth >= _ALIKE * worth.max())[0]))
        pivot = chosen[-1]
        rest = rest - np.outer(rest[:, pivot], rest[pivot]) / rest[pivot, pivot]
