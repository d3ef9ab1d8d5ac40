"""Which measured quantities drive a classifier, each with the others held: random moves as instruments."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, IntArray, finite

FEWEST_PER_AXIS = 3
"""Moves that it takes for every axis of the code."""

_FOLLOWS = 0.4  # share of a quantity's change that moves have to tell
_NEW = 0.15  # share of it that no quantity chosen before moves along with
_ALIKE = 0.7  # of two quantities nearly as new, the one that comes first in the table is taken
_SPENT = 3  # axes of the code that it takes for each quantity
_LEVEL = 0.975
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
        Shortest white move that changes one of them by a unit and holds the others.
    share : float
        Share of the margin's answer to moves that the chosen quantities carry; the rest, nothing measured
        tells.
    straight : float
        Share of the margin's changes that a straight line over moves tells: the rest is bent, or interacts.
    """

    chosen: IntArray
    effect: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    moves: FloatArray
    share: float
    straight: float


def drivers(moves: ArrayLike, changes: ArrayLike, response: ArrayLike) -> Drivers:
    r"""Regress what random moves of the code do to a margin on what they do to measured quantities.

    Moves are drawn at random, so that nothing about an image goes along with them. With :math:`b_i` the slope
    of the margin along axis i of the white code and :math:`a_{ij}` that of quantity j, the effects are the
    regression of :math:`b` on :math:`a` over the d axes. Its residuals hold what the margin answers to and
    nobody measured; their spread is the error of the effects, so that unmeasured drivers widen intervals in
    place of making up drivers, as long as they do not happen to move with a measured one.

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
    randomization" (random effects over instruments).

    Examples
    --------
    >>> moves = np.random.default_rng(0).normal(size=(400, 12))
    >>> found = drivers(moves, moves[:, :3], 2 * moves[:, 1])
    >>> found.chosen, found.effect.round(3)
    (array([0, 1, 2]), array([0., 2., 0.]))
    """
    u, m, y = finite(moves, "moves", 2), finite(changes, "changes", 2), finite(response, "response", 1)
    n, d = u.shape
    if len(m) != n or len(y) != n or n < FEWEST_PER_AXIS * d:
        raise InputError(
            f"drivers got {n} moves along {d} axes, {len(m)} changes and {len(y)} responses, expected at "
            f"least {FEWEST_PER_AXIS * d} of each."
        )
    slopes, told, _ = _regressed(u, m)
    chosen = _apart(slopes, told)
    along, straight, noise = _regressed(u, y[:, None])
    a, b = slopes[:, chosen], along[:, 0]
    back: FloatArray = np.asarray(np.linalg.pinv(a), dtype=np.float64)
    effect = back @ b
    left, free = b - a @ effect, d - len(chosen)
    variance = float(left @ left) / free
    error = np.sqrt(variance * np.square(back).sum(axis=1)) + _EXACT * float(np.linalg.norm(b))
    reach = stats.t.ppf(_LEVEL, free) * error
    p = 2 * stats.t.sf(np.abs(effect) / np.maximum(error, 1e-300), free)
    whole = max(float(b @ b) - d * float(noise[0]), 1e-300)
    share = 1 - max(float(left @ left) - free * float(noise[0]), 0.0) / whole
    return Drivers(
        chosen, effect, effect - reach, effect + reach, p, back,
        share=float(np.clip(share, 0, 1)), straight=float(straight[0]),
    )  # fmt: skip


def _regressed(u: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Slopes ``(d, q)``, the share that they tell, and the variance of a slope that comes of their noise."""
    n, d = u.shape
    design = np.concatenate([np.ones((n, 1)), u], axis=1)
    found = np.linalg.lstsq(design, y, rcond=None)[0]
    left = np.square(y - design @ found).sum(axis=0) / (n - d - 1)
    told = 1 - left / np.maximum(y.var(axis=0, ddof=1), 1e-300)
    return found[1:], told, left / (n * u.var())


def _apart(slopes: FloatArray, told: FloatArray) -> IntArray:
    """Choose quantities that moves tell and that do not all move together, by pivoted elimination."""
    length = np.linalg.norm(slopes, axis=0)
    rest = slopes / np.maximum(length, 1e-300)
    usable = (told >= _FOLLOWS) & (length > 0)
    chosen: list[int] = []
    while len(chosen) < len(slopes) // _SPENT:
        new = np.where(usable, np.square(rest).sum(axis=0), 0.0)
        new[chosen] = 0.0
        if new.max(initial=0.0) < _NEW:
            break
        worth = new * np.maximum(told, 0.0)
        chosen.append(int(np.flatnonzero(worth >= _ALIKE * worth.max())[0]))
        axis = rest[:, chosen[-1]] / np.linalg.norm(rest[:, chosen[-1]])
        rest = rest - np.outer(axis, axis @ rest)
    return np.array(chosen, dtype=np.int64)
