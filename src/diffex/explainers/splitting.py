"""A move of a code, split into the attributes of a run."""

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
class Part:
    """One attribute's part of a move.

    Parameters
    ----------
    concept : str
        Its id.
    name : str
        The first change that it is named after.
    amount : float
        How far along it, in its strengths; negative the other way of the concept.
    share : float
        Of the squared length of the move, in the codes' own metric.
    """

    concept: str
    name: str
    amount: float
    share: float


@final
@dataclass(frozen=True)
class Split:
    """Parts of a move, largest first found.

    Parameters
    ----------
    parts : tuple of Part
        Few.
    rest : float
        Share of the squared length that is none of them.
    """

    parts: tuple[Part, ...]
    rest: float

    def __str__(self) -> str:
        """Say amounts and names, and how much is left."""
        said = [f"{part.amount:+.2f} x {part.name} ({part.concept})" for part in self.parts]
        return ", ".join([*said, f"{100 * self.rest:.0f} % of the move is none of these"])


def split_moves(model: Model, run: Explanation, moves: Tensor) -> tuple[Split, ...]:
    """Split each move over the run's significant attributes, greedily, in the codes' own metric.

    Parameters
    ----------
    model : Model
        Gives the metric.
    run : Explanation
        Of the same model.
    moves : Tensor
        ``(n, d)`` of the code.

    Returns
    -------
    tuple of Split
        One per move; empty where no attribute is significant.
    """
    good = run.effects[run.effects["significant"] & (run.effects["kind"] != "random")]
    words = dict(zip(good["concept"], good["words"], strict=True))
    if not words:
        return ()
    inverse = torch.linalg.pinv(model.generator.code_cov.cpu())
    directions = torch.stack([find_concept(run, name).direction for name in words])
    names = {concept: str(told).partition(", ")[0] for concept, told in words.items()}
    return tuple(_split(move, directions, inverse, names) for move in moves)


def _split(move: Tensor, directions: Tensor, inverse: Tensor, names: dict[str, str]) -> Split:
    left, parts, concepts = move.clone(), [], list(names)
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
        parts.append(Part(concepts[best], names[concepts[best]], amount, share))
    return Split(tuple(parts), float(left @ inverse @ left) / total)
