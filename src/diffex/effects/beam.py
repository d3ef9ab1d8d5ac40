"""The published searches, as peers: the beam of the released code, and the paper's Algorithm 1."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, finite
from diffex.effects.trees import Tree, tree_of

Combination = tuple[int, ...]
"""Nodes edited into an image together."""

BeamScore = Callable[[Combination], FloatArray]
"""The target's probability after an edit, one value per seed: each value is one edit."""

_PASSES_PER_STEP = 2
"""Of an edit: without the phrase, and with it."""


@final
@dataclass(frozen=True, eq=False)
class BeamRanking:
    """What a beam search scored on one image, and what it reports.

    Parameters
    ----------
    reported : tuple of tuple of int
        Combinations it reports, best first.
    beam : tuple of tuple of int
        Its last beam, best first.
    deltas : dict of tuple of int to float
        Score minus the image's own, of everything that was scored.
    edits : int
        Edits made.
    """

    reported: tuple[Combination, ...]
    beam: tuple[Combination, ...]
    deltas: dict[Combination, float]
    edits: int


def beam_as_released(
    parents: Sequence[int],
    score: BeamScore,
    base: float,
    *,
    width: int = 8,
    top: int = 25,
    least: float = 0.0,
) -> BeamRanking:
    """Search two levels by absolute change, as the released code of DiffEx does on one image.

    Every item, a child of a root, is scored; roots are categories and are not edited. The `width` items of
    largest absolute change form the beam, all leaves below them are scored, and the `top` leaves of largest
    absolute change are reported. An item whose own change is small loses its leaves unseen.

    Parameters
    ----------
    parents : sequence of int, length K
        Parent of each node, -1 for roots; a parent comes before its children.
    score : callable
        Gives the target's probability of an edit for each seed; called with one node at a time.
    base : float
        The target's probability of the image itself.
    width : int, default 8
        Items in the beam.
    top : int, default 25
        Leaves reported.
    least : float, default 0.0
        Smallest absolute change kept.

    Returns
    -------
    BeamRanking
        Leaves reported, items in the beam, all that was scored.

    Raises
    ------
    InputError
        If the parents are no tree, or a score is empty or not finite.

    References
    ----------
    Kazimi, Allada & Yanardag 2025, DiffEx (CVPR), released code.

    Examples
    --------
    >>> import numpy as np
    >>> effects = {1: 0.1, 2: 0.4}
    >>> beam_as_released([-1, 0, 1], lambda nodes: np.array([0.5 + effects[nodes[0]]]), 0.5).reported
    ((2,),)
    """
    tree, run = tree_of(parents), _Scorer(score, base)
    items = [(node,) for root in tree.roots for node in tree.children[root]]
    beam = run.best(items, width, least, np.abs)
    leaves = [(leaf,) for (item,) in beam for leaf in tree.leaves_below(item)]
    reported = run.best(leaves, top, least, np.abs)
    return BeamRanking(reported, beam, run.deltas, run.edits)


def beam_as_meant(
    parents: Sequence[int],
    score: BeamScore,
    base: float,
    *,
    editable: BoolArray | None = None,
    width: int = 8,
    threshold: float = 0.0,
) -> BeamRanking:
    """Search level by level for the best joint combination, as the paper's Algorithm 1 means it.

    The beam starts with the `width` best root groups of score `threshold` or more. At each level, every
    combination of the beam is joined with each child of the node it added last; those that score higher than
    the combination they extend are kept, and the best `width` of them are the next beam. (As printed, the
    beam is never renewed.) It ends where no child improves its parent.

    Parameters
    ----------
    parents : sequence of int, length K
        Parent of each node, -1 for roots; a parent comes before its children.
    score : callable
        Gives the target's probability of an edit for each seed; called with one combination at a time.
    base : float
        The target's probability of the image itself.
    editable : ndarray of bool, shape (K,), optional
        False for nodes that cannot be edited, whose children take their place. Default: all can.
    width : int, default 8
        Combinations in the beam.
    threshold : float, default 0.0
        Smallest score of a root group in the beam.

    Returns
    -------
    BeamRanking
        The last beam, which is what it reports; its first combination is the answer.

    Raises
    ------
    InputError
        If the parents are no tree, or a score is empty or not finite.

    References
    ----------
    Kazimi, Allada & Yanardag 2025, DiffEx (CVPR), Algorithm 1.
    """
    tree, run = tree_of(parents), _Scorer(score, base)
    can = np.ones(len(tree.parents), dtype=bool) if editable is None else editable
    groups = [(node,) for node in _editable(tree, tree.roots, can)]
    beam: tuple[Combination, ...] = ()
    following = run.best(groups, width, threshold - base, np.positive)
    while following:
        beam = following
        wider = [(*one, node) for one in beam for node in _editable(tree, tree.children[one[-1]], can)]
        better = [one for one in wider if run.delta(one) > run.delta(one[:-1])]
        following = run.best(better, width, -np.inf, np.positive)
    return BeamRanking(beam, beam, run.deltas, run.edits)


def leditspp_evaluations(edits: int, inversions: int, inversion_steps: int = 50) -> int:
    """Count network evaluations of LEDITS++: one per step of an inversion, two per step of an edit.

    Parameters
    ----------
    edits : int
        Phrases edited into an image, over all seeds.
    inversions : int
        Images inverted, over all seeds; cached, that is one per seed, else one per edit.
    inversion_steps : int, default 50
        Steps of either.

    Returns
    -------
    int
        ``inversion_steps (inversions + 2 edits)``.

    Examples
    --------
    >>> leditspp_evaluations(edits=920, inversions=4)
    92200
    """
    return inversion_steps * (inversions + _PASSES_PER_STEP * edits)


def released_evaluations(edits: int, inversion_steps: int = 50) -> int:
    """Count network evaluations of the released code, which inverts the image again for every edit.

    Parameters
    ----------
    edits : int
        Phrases edited into an image, over all seeds.
    inversion_steps : int, default 50
        Steps of the inversion, and of the edit.

    Returns
    -------
    int
        ``3 inversion_steps edits``.

    Examples
    --------
    >>> released_evaluations(1)
    150
    """
    return leditspp_evaluations(edits, edits, inversion_steps)


@final
class _Scorer:
    """Scores each combination once, and counts."""

    def __init__(self, score: BeamScore, base: float) -> None:
        self._score, self._base = score, base
        self.deltas: dict[Combination, float] = {}
        self.edits = 0

    def delta(self, nodes: Combination) -> float:
        if nodes not in self.deltas:
            values = finite(self._score(nodes), f"The score of nodes {nodes}", 1)
            if not len(values):
                raise InputError(f"The score of nodes {nodes} got no values, expected one per seed.")
            self.deltas[nodes] = float(values.mean()) - self._base
            self.edits += len(values)
        return self.deltas[nodes]

    def best(
        self,
        candidates: Iterable[Combination],
        count: int,
        least: float,
        merit: Callable[[float], float],
    ) -> tuple[Combination, ...]:
        """Score candidates and keep the best; ties in the order given."""
        kept = [one for one in candidates if merit(self.delta(one)) >= least]
        return tuple(sorted(kept, key=lambda one: -merit(self.delta(one)))[:count])


def _editable(tree: Tree, nodes: Iterable[int], can: BoolArray) -> tuple[int, ...]:
    found: tuple[int, ...] = ()
    for node in nodes:
        found += (node,) if can[node] else _editable(tree, tree.children[node], can)
    return found
