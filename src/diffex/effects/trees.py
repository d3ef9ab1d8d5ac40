"""A tree given as parents: who is below whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from diffex.base.errors import InputError


@final
@dataclass(frozen=True)
class Tree:
    """Nodes 0 to K - 1, parents before children.

    Parameters
    ----------
    parents : tuple of int
        Parent of each node, -1 for roots.
    roots : tuple of int
        Nodes without a parent.
    children : tuple of tuple of int
        Children of each node.
    """

    parents: tuple[int, ...]
    roots: tuple[int, ...]
    children: tuple[tuple[int, ...], ...]

    def leaves_below(self, node: int) -> tuple[int, ...]:
        """List the descendants of a node that have no children.

        Parameters
        ----------
        node : int
            Any node.

        Returns
        -------
        tuple of int
            In ascending order; none for a leaf.
        """
        inside, leaves = {node}, []
        for one in range(node + 1, len(self.parents)):
            if self.parents[one] in inside:
                inside.add(one)
                leaves += [] if self.children[one] else [one]
        return tuple(leaves)


def tree_of(parents: Sequence[int]) -> Tree:
    """Read a tree from its parents.

    Parameters
    ----------
    parents : sequence of int, length K
        Parent of each node, -1 for roots; a parent comes before its children.

    Returns
    -------
    Tree
        With roots and children in ascending order.

    Raises
    ------
    InputError
        If there is no node, or a parent does not come before its child.

    Examples
    --------
    >>> tree_of([-1, 0, 0, 1]).children
    ((1, 2), (3,), (), ())
    """
    known = tuple(int(one) for one in parents)
    if not known:
        raise InputError("A tree got no nodes, expected at least one; give the parent of each node.")
    children: list[list[int]] = [[] for _ in known]
    roots: list[int] = []
    for node, parent in enumerate(known):
        if not -1 <= parent < node:
            raise InputError(
                f"Node {node} got parent {parent}, expected -1 or an earlier node; list parents first."
            )
        (roots if parent == -1 else children[parent]).append(node)
    return Tree(known, tuple(roots), tuple(tuple(one) for one in children))
