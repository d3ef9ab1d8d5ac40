"""How much of its accuracy a model keeps under attack, beside another at the same budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.progress import progress
from diffex.effects.arrays import BoolArray, IntArray
from diffex.effects.replication import replication_units
from diffex.rules.attacks.library import ATTACKS, GRADIENTS, AttackName, Effort, run_attack
from diffex.rules.attacks.victim import GuidedNetwork, Victim
from diffex.rules.fidelity import Estimate, balanced, bootstrapped

TRANSFER = "transfer"
_SEARCH = Effort(steps=10, starts=0, queries=0)
_HALVINGS = 9
_SMALLEST = 1e-4


@final
@dataclass(frozen=True, eq=False)
class Subjects:
    """Images to attack.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
        Pixels in [0, 1].
    labels : ndarray of int, shape (n,)
        True classes.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.
    value_range : (float, float)
        What 0 and 1 are in the images' own numbers.
    """

    x: Tensor
    labels: NDArray[np.int64]
    groups: NDArray[np.str_] | None
    value_range: tuple[float, float]


@final
@dataclass(frozen=True, eq=False)
class Stand:
    """How one model stood the attacks.

    Parameters
    ----------
    victim : Victim
        The model.
    right : ndarray of bool, shape (n,)
        Recognised before any attack.
    fooled : mapping of str to ndarray of bool, shape (n,)
        Of the images recognised, those that an attack turned.
    pictures : mapping of str to Tensor, shape (n, c, h, w)
        What each attack made, in [0, 1].
    """

    victim: Victim
    right: BoolArray
    fooled: Mapping[str, BoolArray]
    pictures: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def left(self) -> BoolArray:
        """Recognised whatever the attack: for each image the strongest counts."""
        return np.asarray(self.right & ~np.any(list(self.fooled.values()), axis=0))

    @property
    def worst(self) -> str:
        """The attack that alone turns most images."""
        return max(self.fooled, key=lambda name: int(self.fooled[name].sum()))

    def strongest(self) -> Tensor:
        """Give of each image what first turned it, else what the strongest attack made, ``(n, c, h, w)``."""
        shown = self.pictures[self.worst].clone()
        for name in reversed(list(self.pictures)):
            rows = torch.from_numpy(self.fooled[name])
            shown[rows] = self.pictures[name][rows]
        return shown


def find_budget(victim: Victim, subjects: Subjects, keep: float, seed: int) -> float:
    """Find the budget at which a model keeps a share of its balanced accuracy.

    Parameters
    ----------
    victim : Victim
        The model.
    subjects : Subjects
        To attack.
    keep : float
        The share, for example 0.5.
    seed : int
        Of the attack.

    Returns
    -------
    float
        Between 0.0001 and 1 of the pixels' range, by bisection of its logarithm with PGD of few steps; 1
        where no budget is large enough.
    """
    low, high = np.log(_SMALLEST), 0.0
    network, right = _scaled(victim, subjects), _right(victim, subjects, subjects.x)
    before = balanced_share(subjects.labels, right)
    for _ in progress(range(_HALVINGS), "Finding the budget", _HALVINGS):
        middle = (low + high) / 2
        made = _attacked(network, subjects, "PGD", float(np.exp(middle)), _SEARCH, seed)
        left = right & _right(victim, subjects, made)
        if balanced_share(subjects.labels, left) > keep * before:
            low = middle
        else:
            high = middle
    return float(np.exp(high))


def attack(
    victim: Victim,
    subjects: Subjects,
    budget: float,
    effort: Effort,
    seed: int,
    *,
    others: Mapping[str, Tensor] | None = None,
) -> Stand:
    """Attack a model in every way.

    Parameters
    ----------
    victim : Victim
        The model.
    subjects : Subjects
        To attack.
    budget : float
        Share of the pixels' range.
    effort : Effort
        How hard.
    seed : int
        Of everything random.
    others : mapping of str to Tensor, optional
        Pictures made against another model at the same budget; they count together as ``transfer``.

    Returns
    -------
    Stand
        What was left.
    """
    network, right = _scaled(victim, subjects), _right(victim, subjects, subjects.x)
    made: dict[str, Tensor] = {}
    for name in progress(ATTACKS, f"Attacking {victim.name}", len(ATTACKS)):
        made[name] = _attacked(network, subjects, name, budget, effort, seed)
    if others:
        made[TRANSFER] = _transferred(victim, subjects, others)
    fooled = {name: right & ~_right(victim, subjects, x) for name, x in made.items()}
    return Stand(victim, right, fooled, made)


def _transferred(victim: Victim, subjects: Subjects, others: Mapping[str, Tensor]) -> Tensor:
    """Of each image the first picture made against another model that turns this one, else the last."""
    *first, last = others.values()
    shown = last.clone()
    for x in reversed(first):
        rows = torch.from_numpy(~_right(victim, subjects, x))
        shown[rows] = x[rows]
    return shown


def kept(stand: Stand, subjects: Subjects, seed: int) -> Estimate:
    """Give the share of its balanced accuracy that a model keeps under the strongest attack on each image.

    Parameters
    ----------
    stand : Stand
        How it stood.
    subjects : Subjects
        The images.
    seed : int
        Of the interval.

    Returns
    -------
    (float, float, float)
        With a 95 % bootstrap interval over groups where there are 6, else over images.
    """
    return _estimate(subjects, lambda rows: _kept(stand, subjects, rows), seed)


def kept_more(stand: Stand, than: Stand, subjects: Subjects, seed: int) -> Estimate:
    """Give how much more of its accuracy a model keeps than another, on the same images.

    Parameters
    ----------
    stand, than : Stand
        At the same budget.
    subjects : Subjects
        The images.
    seed : int
        Of the interval.

    Returns
    -------
    (float, float, float)
        Difference of kept shares, with a 95 % interval of paired resamples.
    """
    return _estimate(subjects, lambda rows: _kept(stand, subjects, rows) - _kept(than, subjects, rows), seed)


def guide_agrees(stand: Stand, subjects: Subjects) -> float | None:
    """Give how often a model's guide says what the model says: where seldom, gradients lead attacks astray.

    Parameters
    ----------
    stand : Stand
        How the model stood.
    subjects : Subjects
        The images.

    Returns
    -------
    float or None
        Share of the images, as they are and as attacked with gradients; None of a model that has its own.
    """
    victim = stand.victim
    if victim.guide is victim.classifier:
        return None
    guide = Victim(victim.name, victim.guide, victim.guide)
    x = torch.cat([subjects.x, *(stand.pictures[name] for name in GRADIENTS if name in stand.pictures)])
    return float(np.mean(_said(victim, subjects, x) == _said(guide, subjects, x)))


def balanced_share(labels: NDArray[np.int64], marked: BoolArray) -> float:
    """Mean over classes of the share that is marked.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes.
    marked : ndarray of bool, shape (n,)
        For example those recognised.

    Returns
    -------
    float
        As `balanced`.

    Examples
    --------
    >>> balanced_share(np.array([0, 0, 0, 1]), np.array([True, True, True, False]))
    0.5
    """
    return balanced(labels, np.where(marked, labels, -1))


def _kept(stand: Stand, subjects: Subjects, rows: IntArray) -> float:
    labels = subjects.labels[rows]
    before = balanced_share(labels, stand.right[rows])
    return balanced_share(labels, stand.left[rows]) / before if before > 0 else 0.0


def _estimate(subjects: Subjects, statistic: Any, seed: int) -> Estimate:
    units = replication_units(len(subjects.labels), subjects.groups)
    return bootstrapped(units, len(subjects.labels), statistic, seed)


def _attacked(
    network: GuidedNetwork, subjects: Subjects, name: AttackName, budget: float, effort: Effort, seed: int
) -> Tensor:
    return run_attack(name, network, subjects.x, subjects.labels, budget, effort=effort, seed=seed)


@torch.no_grad()
def _scaled(victim: Victim, subjects: Subjects) -> GuidedNetwork:
    """Divide logits by the median gap of the two largest: beyond it a loss has no gradient."""
    gaps = victim.network(subjects.value_range, 1.0)(subjects.x).topk(2, dim=1).values
    return victim.network(subjects.value_range, max(float((gaps[:, 0] - gaps[:, 1]).median()), 1e-3))


def _right(victim: Victim, subjects: Subjects, x: Tensor) -> BoolArray:
    return np.asarray(_said(victim, subjects, x) == subjects.labels)


@torch.no_grad()
def _said(victim: Victim, subjects: Subjects, x: Tensor) -> IntArray:
    return np.asarray(victim.network(subjects.value_range, 1.0)(x).argmax(dim=1).cpu().numpy())


def as_dict(stands: Sequence[Stand], subjects: Subjects, seed: int) -> list[dict[str, Any]]:
    """Give plain values, for JSON; the first model is the one that the others are compared with.

    Parameters
    ----------
    stands : sequence of Stand
        At the same budget.
    subjects : Subjects
        The images.
    seed : int
        Of the intervals.

    Returns
    -------
    list of dict
        ``name``, ``gradients``, ``guide_agrees`` (see there), ``accuracy`` (balanced, before), ``kept``,
        ``kept_more`` (None for the first), ``worst`` and ``by_attack``: the share of accuracy kept under
        each attack alone.
    """
    return [
        {
            "name": stand.victim.name,
            "gradients": stand.victim.path,
            "guide_agrees": guide_agrees(stand, subjects),
            "accuracy": balanced_share(subjects.labels, stand.right),
            "kept": list(kept(stand, subjects, seed)),
            "kept_more": None if stand is stands[0] else list(kept_more(stand, stands[0], subjects, seed)),
            "worst": stand.worst,
            "by_attack": {
                name: _kept(Stand(stand.victim, stand.right, {name: gone}), subjects, _all(subjects))
                for name, gone in stand.fooled.items()
            },
        }
        for stand in stands
    ]


def _all(subjects: Subjects) -> IntArray:
    return np.arange(len(subjects.labels))
