"""Best-first racing over a tree of concepts: measure all a little, then more what may still matter."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import SIGNS, BoolArray, FloatArray, IntArray, finite, same_length
from diffex.effects.nulls import rise_p
from diffex.effects.trees import Tree, tree_of

MeasureEffects = Callable[[IntArray, IntArray], FloatArray]
"""Effects ``(k, n, 2)`` of k nodes on n images, signs +1 and -1, given positions of nodes and images."""

NodeState = Literal["kept", "dropped", "unseen", "group"]
"""Measured to the end; measured and dropped; left out with its family; not editable."""


@final
@dataclass(frozen=True)
class RaceSettings:
    """What a race looks for, and how sure it is. The influence of a node is its larger absolute mean effect.

    Parameters
    ----------
    top : int, default 10
        Keep what may be among this many most influential nodes; 0 for no such aim.
    matter : float, default inf
        Keep what may have this influence, in logits of the margin; inf for no such aim. A node stays
        while it serves either aim.
    stages : tuple of int, default (4, 8, 16, 32)
        Images used by the end of each stage, growing; cut to the images there are.
    lost : float, default 0.02
        Largest chance that a node which belongs is dropped at any stage, for each such node.
    slack : float, default 0.2
        A node may be dropped for `top` if it is at most this share more influential than the last of
        the top.
    unseen : float, default 0.0
        Accepted chance that a family left unopened hides a child which belongs. At 0 every family is
        opened; at 0.05 families may be left once 19 others taught how far children differ from their parent.
    seed : int, default 0
        Decides which images come first.
    """

    top: int = 10
    matter: float = math.inf
    stages: tuple[int, ...] = (4, 8, 16, 32)
    lost: float = 0.02
    slack: float = 0.2
    unseen: float = 0.0
    seed: int = 0


RANK_ALONE = RaceSettings(stages=(2, 3, 4, 6, 8, 12), lost=0.3, slack=0.0)
"""To order the top ten and claim nothing: an order needs fewer images than a claim."""


@final
@dataclass(frozen=True, eq=False)
class TreeRace:
    """What a race measured.

    Parameters
    ----------
    effects : ndarray, shape (K, n, 2)
        Effect per node, image and sign; NaN where not measured.
    images : ndarray of int, shape (K,)
        Images each node was measured on.
    states : tuple of {"kept", "dropped", "unseen", "group"}, length K
        What became of each node.
    """

    effects: FloatArray
    images: IntArray
    states: tuple[NodeState, ...]

    @property
    def edits(self) -> int:
        """Edits measured: two signs per node and image."""
        return len(SIGNS) * int(self.images.sum())

    def influence(self) -> FloatArray:
        """Give the larger absolute mean effect of each node's signs.

        Returns
        -------
        ndarray, shape (K,)
            NaN where nothing was measured.
        """
        influence = np.full(len(self.images), np.nan)
        seen = np.flatnonzero(self.images)
        influence[seen] = np.abs(np.nanmean(self.effects[seen], axis=1)).max(axis=1)
        return influence

    def ranking(self) -> IntArray:
        """Order the measured nodes by influence; those kept come before those dropped.

        Returns
        -------
        ndarray of int
            Nodes, most influential first.
        """
        kept = np.array([state == "kept" for state in self.states])
        order = np.lexsort((-self.influence(), ~kept))
        return np.asarray(order[self.images[order] > 0])

    def p(self, groups: NDArray[np.generic] | None = None) -> FloatArray:
        """Test "the mean effect is 0" per node and sign, two-sided, for `hierarchical_calls`.

        What was dropped or left unseen counts with p = 1: it is never called, and the race makes no call
        easier.

        Parameters
        ----------
        groups : ndarray, shape (n,), optional
            Unit of replication of each image.

        Returns
        -------
        ndarray, shape (K, 2)
            NaN for groups that cannot be edited.

        Raises
        ------
        InputError
            If groups do not match the images.
        """
        p = np.ones((len(self.states), len(SIGNS)))
        p[[state == "group" for state in self.states]] = np.nan
        kept = np.flatnonzero([state == "kept" for state in self.states])
        if len(kept):
            used = np.flatnonzero(~np.isnan(self.effects[kept[0], :, 0]))
            rows = np.moveaxis(self.effects[kept][:, used], 1, 0).reshape(len(used), -1)
            rise = rise_p(rows, None if groups is None else groups[used])
            p[kept] = (2 * np.minimum(rise, 1 - rise)).reshape(len(kept), -1)
        return p


def race_tree(
    parents: Sequence[int],
    editable: BoolArray,
    measure: MeasureEffects,
    images: int,
    settings: RaceSettings | None = None,
) -> TreeRace:
    """Find the most influential nodes of a tree, or all that matter, with few edits.

    All nodes see the same images, so that comparisons are paired. At the first stage every editable node is
    measured on a few images, children too whatever their parent does: children may cancel in their parent.
    After each stage a node is dropped if the interval of its effect, in either sign, excludes it from both
    aims: it stays below `matter`, and it stays below the last of the top by the paired difference. Intervals
    are simultaneous over stages; their variance is the larger of the node's own and the median node's, as few
    images show little of it. What is left is measured on further images, which contain the earlier ones.

    Parameters
    ----------
    parents : sequence of int, length K
        Parent of each node, -1 for roots; a parent comes before its children.
    editable : ndarray of bool, shape (K,)
        False for groups that are only headings.
    measure : callable
        Gives effects ``(k, n, 2)`` of nodes on images. No pair of node and image is asked for twice.
    images : int
        Images there are.
    settings : RaceSettings, optional
        Aims and risks.

    Returns
    -------
    TreeRace
        Effects, images used and state of each node.

    Raises
    ------
    InputError
        If the parents are no tree, nothing is editable, settings make no sense, there are fewer than 2
        images, or effects are not finite or have the wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> means = np.array([0.0, 0.0, 2.0, 0.1])
    >>> def measure(nodes, images):  # the same on all images
    ...     return np.stack([np.outer(s * means[nodes], np.ones(len(images))) for s in (1, -1)], axis=-1)
    >>> settings = RaceSettings(top=1, stages=(2, 4))
    >>> race = race_tree([-1, 0, 1, 1], np.array([False, True, True, True]), measure, 4, settings)
    >>> race.states, race.edits
    (('group', 'dropped', 'kept', 'dropped'), 16)
    """
    how, tree = settings or RaceSettings(), tree_of(parents)
    stages = _stages(how, images)
    same_length(len(tree.parents), "editable", editable)
    if not editable.any():
        raise InputError("The race got no editable node, expected at least one; mark phrases as editable.")
    race = _Race(measure, np.random.default_rng(how.seed).permutation(images), len(tree.parents))
    _first_stage(race, tree, editable, stages[0], how)
    alive = np.flatnonzero(race.used)
    for count, following in pairwise(stages):
        chance = how.lost / (len(stages) - 1)
        alive = alive[_may_belong(race.seen(alive, count), how, chance)]
        race.extend(alive, following)
    return TreeRace(race.effects, race.used, _states(editable, race.used, alive))


@final
class _Race:
    """Effects measured so far."""

    def __init__(self, measure: MeasureEffects, order: IntArray, nodes: int) -> None:
        self._measure, self._order = measure, order
        self.effects = np.full((nodes, len(order), len(SIGNS)), np.nan)
        self.used = np.zeros(nodes, dtype=np.int64)

    def extend(self, nodes: IntArray, count: int) -> None:
        """Measure nodes, all equally far, on further images."""
        if not len(nodes):
            return
        images = self._order[self.used[nodes[0]] : count]
        found = finite(self._measure(nodes, images), "The measured effects", 3)
        if found.shape != (len(nodes), len(images), len(SIGNS)):
            raise InputError(
                f"The measured effects got shape {found.shape}, "
                f"expected {(len(nodes), len(images), len(SIGNS))}: nodes, images, signs."
            )
        self.effects[np.ix_(nodes, images)] = found
        self.used[nodes] = count

    def seen(self, nodes: IntArray, count: int) -> FloatArray:
        """Effects of nodes on the first images, ``(count, nodes, 2)``."""
        return np.moveaxis(self.effects[np.ix_(nodes, self._order[:count])], 1, 0)


def _first_stage(race: _Race, tree: Tree, editable: BoolArray, count: int, how: RaceSettings) -> None:
    """Measure every node once, but for families whose parents and whose like promise nothing."""
    families = [node for node in range(len(editable)) if editable[node] and _only_leaves_below(tree, node)]
    late = np.zeros(len(editable), dtype=bool)
    late[[leaf for node in families for leaf in tree.children[node]]] = True
    race.extend(np.flatnonzero(editable & ~late), count)
    reach = _influence(race.seen(np.array(families, dtype=np.int64), count))
    waiting = [families[i] for i in np.argsort(-reach, kind="stable")]
    teachers = len(waiting) if how.unseen == 0 else math.ceil(1 / how.unseen) - 1
    opened: list[int] = []
    while waiting and not (opened and _promises_nothing(race, tree, opened, waiting[0], how)):
        batch = [waiting.pop(0) for _ in range(1 if opened else min(teachers, len(waiting)))]
        leaves = np.array([leaf for node in batch for leaf in tree.children[node] if editable[leaf]])
        race.extend(leaves.astype(np.int64), count)
        opened += batch


def _only_leaves_below(tree: Tree, node: int) -> bool:
    below = tree.children[node]
    return bool(below) and not any(tree.children[child] for child in below)


def _promises_nothing(race: _Race, tree: Tree, opened: list[int], node: int, how: RaceSettings) -> bool:
    """Ask how often a child of the families opened exceeded its parent by what this family would need.

    With F families opened, the next exceeds all of them with chance ``1 / (F + 1)`` where families are alike.
    """
    measured = np.flatnonzero(race.used)
    influence = np.zeros(len(race.used))
    influence[measured] = _influence(race.seen(measured, int(race.used.max())))
    last_of_top = np.sort(influence)[-how.top] if 0 < how.top <= len(influence) else how.matter
    needed = min(how.matter, last_of_top) - influence[node]
    gains = [influence[list(tree.children[one])].max() - influence[one] for one in opened]
    return bool((1 + np.sum(np.array(gains) >= needed)) / (1 + len(opened)) <= how.unseen)


def _influence(effects: FloatArray) -> FloatArray:
    """Larger absolute mean of the signs, from ``(n, k, 2)``."""
    return np.asarray(np.abs(effects.mean(axis=0)).max(axis=-1, initial=0.0))


def _may_belong(effects: FloatArray, how: RaceSettings, chance: float) -> BoolArray:
    """Say which nodes may still serve an aim, from ``(n, k, 2)``."""
    count, nodes, _ = effects.shape
    if how.top >= nodes:
        return np.ones(nodes, dtype=bool)
    may = np.zeros(nodes, dtype=bool)
    if math.isfinite(how.matter):
        may |= _may_reach(effects, np.full(count, how.matter), chance)
    if how.top:
        means = effects.mean(axis=0)
        leaders = np.argsort(-_influence(effects), kind="stable")[: how.top]
        may[leaders] = True  # the slack is not for them
        last = int(leaders[-1])
        side = int(np.abs(means[last]).argmax())
        bar = np.sign(means[last, side]) * effects[:, last, side]
        may |= _may_reach(effects, (1 + how.slack) * bar, chance)
    return may


def _may_reach(effects: FloatArray, bar: FloatArray, chance: float) -> BoolArray:
    """Say which nodes may reach a bar given per image, in either sign and direction; paired by image."""
    missing = np.stack([bar[:, None, None] - way * effects for way in SIGNS])  # (2, n, k, 2)
    variance = missing.var(axis=1, ddof=1)
    variance = np.maximum(variance, np.median(variance))
    reach = NormalDist().inv_cdf(1 - chance) * np.sqrt(variance / len(bar))
    return np.asarray((missing.mean(axis=1) <= reach).any(axis=(0, 2)))


def _states(editable: BoolArray, used: IntArray, alive: IntArray) -> tuple[NodeState, ...]:
    kept = set(alive.tolist())
    names: list[NodeState] = []
    for node, can in enumerate(editable):
        if not can:
            names.append("group")
        elif node in kept:
            names.append("kept")
        else:
            names.append("dropped" if used[node] else "unseen")
    return tuple(names)


def _stages(how: RaceSettings, images: int) -> list[int]:
    growing = all(a < b for a, b in pairwise(how.stages))
    if not how.stages or how.stages[0] < 2 or not growing:
        raise InputError(f"stages got {how.stages}, expected growing numbers of images from 2.")
    if images < 2:
        raise InputError(f"The race got {images} images, expected at least 2; give more images.")
    if how.top < 1 and not math.isfinite(how.matter):
        raise InputError("The race got no aim, expected `top` of 1 or more, or a finite `matter`.")
    if not (0 < how.lost < 1 and 0 <= how.unseen < 1 and how.slack >= 0 and how.matter > 0 and how.top >= 0):
        raise InputError(
            f"The race got lost={how.lost}, unseen={how.unseen}, slack={how.slack}, matter={how.matter}, "
            f"top={how.top}, expected lost in (0, 1), unseen in [0, 1), the others not negative."
        )
    return sorted({min(stage, images) for stage in how.stages})
