"""Test every phrase and sign, over the tree, and rank."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from diffex.concepts import ConceptTree, Node
from diffex.effects.arrays import SIGNS, FloatArray
from diffex.effects.hierarchy import hierarchical_calls
from diffex.effects.intervals import Intervals, mean_intervals, wilson
from diffex.explainers.semantics.checking import Checks
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.edits import PhraseEdits
from diffex.explainers.semantics.leakage import OwnEffects
from diffex.explainers.semantics.searching import parents_of


@final
@dataclass(frozen=True, eq=False)
class Outcome:
    """Effects of K phrases and two signs, less leakage, with intervals.

    Parameters
    ----------
    total : ndarray, shape (K, n, 2)
        Changes of the margin, NaN where not rendered.
    own : OwnEffects
        The same less what other measurements carry.
    scale : float
        Standard deviation of the margin over null edits.
    """

    total: FloatArray
    own: OwnEffects
    scale: float

    def interval(self, k: int, groups: NDArray[np.str_] | None) -> tuple[Intervals, NDArray[np.int64]]:
        """Mean own effect of both signs of phrase k, and the images it was rendered on."""
        own = self.own.effects[k]
        rows = np.flatnonzero(~np.isnan(own[:, 0]))
        return mean_intervals(own[rows], None if groups is None else groups[rows]), rows


def p_beyond(found: Intervals, least: float, besides: float | FloatArray = 0.0) -> FloatArray:
    """P of "the effect is no larger than `least`", two-sided.

    Parameters
    ----------
    found : Intervals
        Means with 95 % t intervals.
    least : float
        Smallest effect of interest, 0 or more.
    besides : float or ndarray, default 0
        Another standard error of each mean, added to that of the interval in quadrature.

    Returns
    -------
    ndarray
        A p per mean: the largest chance of one at least as far from 0 that any effect within `least` gives,
        which is one of `least` itself. With `least` 0 the usual two-sided t-test.
    """
    units = found.groups if found.unit == "groups" else found.n
    freedom = max(units - 1, 1)
    own = (found.high - found.value) / stats.t.ppf(0.975, freedom)
    error, size = np.maximum(np.hypot(own, besides), 1e-12), np.abs(found.value)
    same, other = (stats.t.sf((size - end) / error, freedom) for end in (least, -least))
    return np.asarray(np.minimum(1.0, same + other))


def ranked(
    tree: ConceptTree,
    nodes: tuple[Node, ...],
    edits: PhraseEdits,
    checks: Checks,
    outcome: Outcome,
    groups: NDArray[np.str_] | None,
    target: int,
    config: SemanticConfig,
) -> pd.DataFrame:
    """Make the table of effects.

    Parameters
    ----------
    tree : ConceptTree
        All nodes.
    nodes : tuple of Node
        The K phrases tested, the first of the edits.
    edits : PhraseEdits
        What was rendered.
    checks : Checks
        Which edits may be believed.
    outcome : Outcome
        Effects.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.
    target : int
        Index of the target.
    config : SemanticConfig
        False discovery rate, least effect.

    Returns
    -------
    DataFrame
        A row per phrase and sign, but none for less of a phrase that has an opposite, by rank: significant
        rows first, then those measured on most images, then by size of the effect; edits that failed or leak
        come last.
    """
    already = edits.subject.null_logits.argmax(1) == target
    rows, p = [], np.full((len(nodes), 2), np.nan)
    for k, node in enumerate(nodes):
        found, seen = outcome.interval(k, groups)
        tested = p_beyond(found, config.least_effect * outcome.scale, outcome.own.error[k])
        # It counts, but what was measured in part is never called, and an order calls nothing.
        dropped = len(seen) < len(already) or config.search == "rank"
        p[k] = np.where(checks.done[k], 1.0 if dropped else tested, np.nan)
        flips = (edits.logits[k, seen].argmax(-1) == target)[~already[seen]]  # (m, 2)
        for side, sign in enumerate(SIGNS):
            share = wilson(int(flips[:, side].sum()), len(flips))
            rows.append(
                {
                    "concept": node.id, "kind": "text", "name": _name(node, sign), "words": _name(node, sign),
                    "parent": node.parent, "sign": sign, "strength": 1.0, "max_strength": np.nan,
                    "effect": found.value[side], "ci_low": found.low[side], "ci_high": found.high[side],
                    "total": outcome.total[k, seen, side].mean(), "n": len(seen), "groups": found.groups,
                    "flip_rate": share[0], "flip_low": share[1], "flip_high": share[2],
                    "size": edits.sizes[k, seen, side].mean(), "off_target": checks.off_target[k, side],
                    "on_target": checks.on_target[k, side], "edit": checks.verdict[k, side],
                    "on_manifold": bool(checks.done[k, side]), "p": p[k, side],
                }
            )  # fmt: skip
    table = pd.DataFrame(rows).assign(q=_tree_q(tree, nodes, p).ravel())
    table["significant"] = table["q"] <= config.q
    opposite = [concept.opposite for concept in edits.concepts[: len(nodes)]]
    said = np.repeat(opposite, len(SIGNS))  # by the opposite
    return _by_rank(table[(table["sign"] > 0) | ~said])


def _name(node: Node, sign: int) -> str:
    return node.name if sign > 0 else f"less of: {node.name}"


def _tree_q(tree: ConceptTree, nodes: tuple[Node, ...], p: FloatArray) -> FloatArray:
    """The q of every row, from the tests of the whole tree."""
    places = {node.id: i for i, node in enumerate(tree.nodes)}
    rows = np.full((len(tree.nodes), 2), np.nan)
    chosen = [places[node.id] for node in nodes]
    rows[chosen] = p
    return np.asarray(hierarchical_calls(parents_of(tree), rows).row_q[chosen])


def _by_rank(table: pd.DataFrame) -> pd.DataFrame:
    size = table["effect"].abs()
    order = np.lexsort((-size, -table["n"], ~table["significant"], table["edit"] != "done"))
    table = table.iloc[order].reset_index(drop=True)
    rank = np.arange(1, len(table) + 1)
    ends = table[["ci_low", "ci_high"]].to_numpy()
    far = np.abs(ends).max(1)
    near = np.where(np.sign(ends).prod(1) > 0, np.abs(ends).min(1), 0.0)
    larger = (near[None] > far[:, None]).sum(1)
    smaller = (far[None] < near[:, None]).sum(1)
    return table.assign(
        rank=rank,
        rank_low=np.minimum(1 + larger, rank),
        rank_high=np.maximum(len(table) - smaller, rank),
    )
