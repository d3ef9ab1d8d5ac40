"""A move of the code, split over the attributes of a run."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.explainers.edit import find_concept
from diffex.generators.model import Model
from diffex.runs import Explanation

_PARTS = 4
_LEAST = 0.02


@final
@dataclass(frozen=True)
class Along:
    """How far a move goes along one attribute.

    Parameters
    ----------
    concept, words : str
        The attribute, and what its edit measurably changes.
    amount : float
        In units of its strength 1.
    share : float
        Of the squared length of the move.
    """

    concept: str
    words: str
    amount: float
    share: float

    def __str__(self) -> str:
        """Say how far."""
        return f"{self.amount:+.2f} x {self.words} ({self.concept})"


@final
@dataclass(frozen=True)
class Split:
    """A move as a sum of attributes and a rest; all shares add up to 1.

    Parameters
    ----------
    parts : tuple of Along
        The largest first; none where no attribute of the run is significant.
    rest : float
        Share that is along none of them.
    known : bool
        Whether the run has significant attributes at all.
    """

    parts: tuple[Along, ...]
    rest: float
    known: bool

    def __str__(self) -> str:
        """Say it in words."""
        if not self.known:
            return "no attribute of the run is significant"
        return ", ".join([*map(str, self.parts), f"{100 * self.rest:.0f} % of the move is none of these"])


def split_moves(model: Model, run: Explanation, moves: Tensor) -> tuple[Split, ...]:
    """Split moves over the significant attributes of a run, greedily, in the codes' own metric.

    Parameters
    ----------
    model : Model
        The run's.
    run : Explanation
        With concepts of the code.
    moves : Tensor, shape (n, d)
        Of the codes.

    Returns
    -------
    tuple of Split
        One per move.
    """
    good = run.effects[run.effects["significant"] & (run.effects["kind"] != "random")]
    words = dict(zip(good["concept"], good["words"], strict=True))
    if not words:
        return tuple(Split((), 1.0, known=False) for _ in moves)
    inverse = torch.linalg.pinv(model.generator.code_cov.cpu())
    directions = torch.stack([find_concept(run, name).direction for name in words])
    names = [(str(name), str(told).partition(", ")[0]) for name, told in words.items()]
    return tuple(_split(move, directions, inverse, names) for move in moves)


def _split(move: Tensor, directions: Tensor, inverse: Tensor, names: list[tuple[str, str]]) -> Split:
    left, parts = move.clone(), []
    total = max(float(move @ inverse @ move), 1e-12)
    norms = (directions @ inverse * directions).sum(1)
    for _ in range(min(_PARTS, len(names))):
        along = directions @ inverse @ left
        best = int((along.square() / norms).argmax())
        amount = float(along[best] / norms[best])
        share = amount**2 * float(norms[best]) / total
        if share < _LEAST:
            break
        left = left - amount * directions[best]
        parts.append(Along(*names[best], amount, share))
    return Split(tuple(parts), float(left @ inverse @ left) / total, known=True)
