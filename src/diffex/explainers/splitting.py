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
    concept, words : str
        Its id, and the first change that it is named after.
    amount : float
        How far along it, in its strengths; negative the other way of the concept.
    share : float
        Of the squared length of the move, in the codes' own metric; all shares and the rest add up to 1.
    """

    concept: str
    words: str
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
        if not self.parts and self.rest == 0:
            return "no move is needed"
        said = [f"{part.amount:+.2f} x {part.words} ({part.concept})" for part in self.parts]
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
    return tuple(split_of(move, directions, inverse, names) for move in moves)


def split_of(move: Tensor, directions: Tensor, inverse: Tensor, names: dict[str, str]) -> Split:
    """Take the attribute that explains most of what is left, fit all taken again, and so on.

    Parameters
    ----------
    move : Tensor
        ``(d,)`` of the code.
    directions : Tensor
        ``(k, d)`` of the attributes.
    inverse : Tensor
        ``(d, d)`` inverse covariance of codes.
    names : dict of str to str
        Of the k attributes, by concept.

    Returns
    -------
    Split
        At most four parts.
    """
    concepts, total = list(names), float(move @ inverse @ move)
    if total == 0:
        return Split((), 0.0)
    metric, left = directions @ inverse, move
    norms = (metric * directions).sum(1)
    taken: list[int] = []
    amounts: list[float] = []
    while len(taken) < min(_PARTS, len(names)):
        gains = (metric @ left).square() / norms
        if float(gains.max()) < _LEAST * total:
            break
        taken.append(int(gains.argmax()))
        gram = metric[taken] @ directions[taken].T
        solution = torch.linalg.lstsq(gram, (metric[taken] @ move).unsqueeze(1)).solution.squeeze(1)
        amounts, left = solution.tolist(), move - solution @ directions[taken]
    shares = [amount * float(metric[one] @ move) / total for one, amount in zip(taken, amounts, strict=True)]
    parts = [
        Part(concepts[one], names[concepts[one]], amount, share)
        for one, amount, share in zip(taken, amounts, shares, strict=True)
    ]
    return Split(tuple(parts), float(left @ inverse @ left) / total)
