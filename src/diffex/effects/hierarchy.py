"""False discoveries in a tree: test families from the roots, and descend only below what was rejected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, same_length
from diffex.effects.multiplicity import benjamini_hochberg, simes
from diffex.effects.trees import tree_of

_Lift = Callable[[FloatArray], FloatArray]


@final
@dataclass(frozen=True, eq=False)
class HierarchicalCalls:
    """At which q each row and each node of a tree is called.

    Parameters
    ----------
    node_p : ndarray, shape (K,)
        p of "nothing at this node or below it"; NaN where there is no row.
    node_q, row_q : ndarray, shape (K,) and (K, r)
        Smallest q at which a node or row is called; NaN where there is no row.
    """

    node_p: FloatArray
    node_q: FloatArray
    row_q: FloatArray

    def rows(self, q: float = 0.05) -> BoolArray:
        """Call rows.

        Parameters
        ----------
        q : float, default 0.05
            Average share of false calls over the families entered.

        Returns
        -------
        ndarray of bool, shape (K, r)
            False where there is no row.
        """
        return np.asarray(self.row_q <= q)

    def nodes(self, q: float = 0.05) -> BoolArray:
        """Call nodes: something at the node or below it matters.

        Parameters
        ----------
        q : float, default 0.05
            As for `rows`.

        Returns
        -------
        ndarray of bool, shape (K,)
            True exactly where a row at the node or below it is called.
        """
        return np.asarray(self.node_q <= q)


def hierarchical_calls(parents: Sequence[int], p: ArrayLike) -> HierarchicalCalls:
    """Control false discoveries over a tree of concepts whose nodes have several rows, such as two signs.

    The family of a node is its own rows and its children; the roots are a family too. The p value of a node,
    "nothing here or below", is `simes` of its family, from the leaves up: a parent whose children cancel is
    as strong as its children. From the roots down, Benjamini-Hochberg is applied in the family of each
    rejected node, at ``q`` times the shares of members rejected in the families above (TreeBH; Bogomolov et
    al. 2021, after Benjamini & Bogomolov 2014). The share of false calls is then at most ``q`` on average
    over the families entered at each depth; it is no bound for all rows pooled. A rejected node always has a
    rejected row at it or below it. Rejections only grow with ``q``, so each row has a smallest ``q``.

    Parameters
    ----------
    parents : sequence of int, length K
        Parent of each node, -1 for roots; a parent comes before its children.
    p : array_like, shape (K, r)
        p of each row. NaN where there is no such row: a group that is not edited, a phrase left out of the
        claims. Give 1 to rows that were measured in part and dropped, so that they still count.

    Returns
    -------
    HierarchicalCalls
        The q of every row and node.

    Raises
    ------
    InputError
        If shapes disagree, the parents are no tree, or a p lies outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> nan = np.nan  # a group over two phrases, rows for adding and removing
    >>> calls = hierarchical_calls([-1, 0, 0], [[nan, nan], [0.001, 0.9], [0.4, 0.8]])
    >>> calls.row_q.round(3).tolist()
    [[nan, nan], [0.004, 0.9], [0.8, 0.8]]
    """
    tree, rows = tree_of(parents), np.asarray(p, dtype=np.float64)
    same_length(len(tree.parents), "p", rows)
    if rows.ndim != 2 or np.isinf(rows).any():
        raise InputError(f"p got shape {rows.shape} or infinite values, expected (nodes, rows) in [0, 1].")
    below = (*tree.children, tree.roots)  # entry -1 is the family of the roots
    rows = np.vstack([rows, np.full((1, rows.shape[1]), np.nan)])
    node_p = _node_p(below, rows)
    node_q, row_q = np.full(len(below) - 1, np.nan), np.full(rows.shape, np.nan)
    lifts: dict[int, _Lift] = {-1: np.asarray}
    for node in (-1, *range(len(node_q))):
        children = list(below[node])
        adjusted = _adjusted(np.concatenate([rows[node], node_p[children]]))
        q = np.minimum(lifts[node](adjusted), 1.0)
        row_q[node], node_q[children] = np.split(q, [rows.shape[1]])
        for child, own in zip(children, adjusted[rows.shape[1] :], strict=True):
            lifts[child] = _lift(adjusted, own, lifts[node])
    return HierarchicalCalls(node_p, node_q, row_q[:-1])


def _node_p(below: Sequence[Sequence[int]], rows: FloatArray) -> FloatArray:
    p = np.full(len(rows) - 1, np.nan)
    for node in reversed(range(len(p))):
        family = np.concatenate([rows[node], p[list(below[node])]])
        family = family[~np.isnan(family)]
        p[node] = simes(family) if len(family) else np.nan
    return p


def _adjusted(family: FloatArray) -> FloatArray:
    known, adjusted = ~np.isnan(family), np.full(len(family), np.nan)
    adjusted[known] = benjamini_hochberg(family[known])
    return adjusted


def _lift(adjusted: FloatArray, own: float, above: _Lift) -> _Lift:
    """Carry a level needed in the family below one member up to the q that grants it.

    With k of m members rejected at level l, the family below gets ``l k / m``; the least l that gives
    `need` and rejects the member itself is ``max(own, min over k of max(adjusted_(k), need m / k))``.
    """
    ranked, count = np.sort(adjusted), int((~np.isnan(adjusted)).sum())
    share = np.arange(1, len(ranked) + 1) / count if count else np.ones(len(ranked))

    def lift(need: FloatArray) -> FloatArray:
        # NaN sorts last, and fmin passes over it
        enough = np.fmin.reduce(np.maximum(ranked, need[:, None] / share), axis=1)
        return above(np.maximum(own, enough))

    return lift
