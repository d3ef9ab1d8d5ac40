"""The smallest move of factors that flips a rule, and what the picture then is."""

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
import torch
from torch import Tensor

from diffex.effects.arrays import BoolArray, FloatArray
from diffex.rules.factors import Factors
from diffex.rules.rule import Rule

_STEPS = 20
_NUDGE = 0.02  # of a factor's standard deviation
_HALVINGS = 20
_LONGEST = 4.0  # multiple of the move found


class FactorMoves(Protocol):
    """Moves of factors, in standard deviations, as moves of codes; and what they do to the factors."""

    @property
    def metric(self) -> FloatArray:
        """Squared length of moves in white codes, ``(F, F)``."""
        ...

    def code_moves(self, moves: FloatArray) -> FloatArray:
        """Moves of codes, ``(n, d)``."""
        ...

    def change(self, codes: FloatArray, moves: FloatArray) -> FloatArray:
        """Change of every factor ``(n, F)``, in its unit."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Moves:
    """Moves of codes, each along the factors that a rule reads.

    Parameters
    ----------
    codes : Tensor, shape (n, d)
        What is added to the images' codes.
    flips : ndarray of bool, shape (n,)
        Whether the rule says the other side by the margin wanted.
    """

    codes: Tensor
    flips: BoolArray


@final
@dataclass(frozen=True, eq=False)
class _Problem:
    """Signed margin as a function of moves ``(n, F)`` in standard deviations of the factors."""

    rule: Rule
    own: Factors
    codes: FloatArray
    factor_map: FactorMoves
    sides: FloatArray

    def margin(self, moves: FloatArray) -> FloatArray:
        """What is still to be lost: above 0 on the image's own side."""
        changed = self.own.values + self.factor_map.change(self.codes, moves)
        factors = Factors(self.own.meanings, changed).columns(self.rule.names)
        with np.errstate(all="ignore"):
            found = np.nan_to_num(self.rule.evaluate(factors.values), posinf=1e4, neginf=-1e4)
        return self.sides * found


def smallest_flips(
    rule: Rule, own: Factors, codes: Tensor, factor_map: FactorMoves, beyond: float = 0.5
) -> Moves:
    r"""Find for each image the shortest move of factors that takes the rule to its other side.

    Parameters
    ----------
    rule : Rule
        Of one class margin.
    own : Factors
        Of n images, as in `factor_map`.
    codes : Tensor, shape (n, d)
        Of the images.
    factor_map : FactorMoves
        What moves of codes do to factors.
    beyond : float, default 0.5
        Margin wanted on the other side, in logits.

    Returns
    -------
    Moves
        Shortest in white codes, hence likeliest: with :math:`M` the metric of factor moves, steps of
        :math:`M^{-1} g \, (g^\top u - m) / (g^\top M^{-1} g)` to the tangent of the wanted margin, then
        bisection along the move.

    References
    ----------
    Hasofer and Lind 1974, Rackwitz and Fiessler 1978 (the nearest point of a limit state).
    """
    margin = rule.evaluate(own.columns(rule.names).values)
    sides = np.where(margin > 0, 1.0, -1.0)
    problem = _Problem(rule, own, codes.double().numpy(), factor_map, sides)
    inverse = np.linalg.pinv(factor_map.metric)
    moves = np.zeros_like(own.values)
    best, short = moves, np.full(len(moves), np.inf)
    for _ in range(_STEPS):
        slope, value = _slopes(problem, moves), problem.margin(moves) + beyond
        lean = slope @ inverse
        wanted = (slope * moves).sum(axis=1) - value
        aim = lean * (wanted / np.maximum((slope * lean).sum(axis=1), 1e-12))[:, None]
        moves = moves + 0.5 * (aim - moves)
        found = _cut(problem, moves, beyond)
        length = np.sqrt(np.einsum("ni,ij,nj->n", found, factor_map.metric, found))
        better = (problem.margin(found) <= -beyond + 1e-6) & (length < short)
        best, short = np.where(better[:, None], found, best), np.where(better, length, short)
    return Moves(torch.from_numpy(factor_map.code_moves(best)).to(codes), np.isfinite(short))


def _slopes(problem: _Problem, moves: FloatArray) -> FloatArray:
    columns = []
    for j in range(moves.shape[1]):
        nudge = np.zeros(moves.shape[1])
        nudge[j] = _NUDGE
        columns.append((problem.margin(moves + nudge) - problem.margin(moves - nudge)) / (2 * _NUDGE))
    return np.stack(columns, axis=1)


def _cut(problem: _Problem, moves: FloatArray, beyond: float) -> FloatArray:
    """Bisect each move between nothing and four times its length."""
    low, high = np.zeros((len(moves), 1)), np.full((len(moves), 1), _LONGEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        flips = (problem.margin(middle * moves) <= -beyond)[:, None]
        low, high = np.where(flips, low, middle), np.where(flips, middle, high)
    return np.asarray(high * moves)
