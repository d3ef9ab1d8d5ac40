"""A tree of phrases, from coarse to fine."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from pydantic import BaseModel, ConfigDict, ValidationError

from diffex.base.errors import InputError
from diffex.concepts.node import Node, path_parent
from diffex.concepts.published_trees import MOST_NODES, published_nodes


@final
@dataclass(frozen=True)
class ConceptTree:
    """What may be edited into images, as a tree of any depth.

    Parameters
    ----------
    nodes : tuple of Node
        In any order; kept depth first, so that parents come before their children.

    Raises
    ------
    InputError
        If there is no phrase, an id stands twice, a parent is unknown, or parents form a cycle.

    Examples
    --------
    >>> tree = ConceptTree.from_dict({"categories": {"Hair": {"hair colour": ["blond", "brown"]}}})
    >>> [node.phrase for node in tree.phrases()]
    ['hair colour', 'blond', 'brown']
    >>> tree.depth
    3
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        """Check the nodes and put parents first."""
        object.__setattr__(self, "nodes", _ordered(tuple(self.nodes)))

    def node(self, node_id: str) -> Node:
        """Find a node.

        Parameters
        ----------
        node_id : str
            Its id.

        Returns
        -------
        Node
            The node.

        Raises
        ------
        InputError
            If there is none.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise InputError(f"Concept tree has no node {node_id!r}, expected one of its {len(self.nodes)} ids.")

    def children(self, node_id: str | None = None) -> tuple[Node, ...]:
        """Give the nodes right below one.

        Parameters
        ----------
        node_id : str, optional
            Id of the parent; None for the nodes at the top.

        Returns
        -------
        tuple of Node
            Empty for a leaf.
        """
        return tuple(node for node in self.nodes if node.parent == node_id)

    def ancestors(self, node_id: str) -> tuple[Node, ...]:
        """Give the nodes above one.

        Parameters
        ----------
        node_id : str
            Id of the node.

        Returns
        -------
        tuple of Node
            The nearest first; empty at the top.
        """
        above: list[Node] = []
        parent = self.node(node_id).parent
        while parent is not None:
            above.append(self.node(parent))
            parent = above[-1].parent
        return tuple(above)

    def phrases(self) -> tuple[Node, ...]:
        """Give the nodes that have a phrase."""
        return tuple(node for node in self.nodes if node.phrase is not None)

    def leaves(self) -> tuple[Node, ...]:
        """Give the nodes without children."""
        parents = {node.parent for node in self.nodes}
        return tuple(node for node in self.nodes if node.id not in parents)

    @property
    def depth(self) -> int:
        """Number of levels; 1 for a list without groups."""
        levels: dict[str | None, int] = {None: 0}
        for node in self.nodes:
            levels[node.id] = levels[node.parent] + 1
        return max(levels.values())

    def as_dict(self) -> dict[str, Any]:
        """Give what `from_dict` reads, for JSON and YAML."""
        return {"nodes": [node.as_dict() for node in self.nodes]}

    @staticmethod
    def from_dict(value: Any) -> "ConceptTree":
        """Make a tree from what a file holds.

        Parameters
        ----------
        value : object
            ``{"nodes": [{"id", "name", "parent", "phrase", "measurement", "rises"}, ...]}``, of which only
            ``id`` must be there: the parent is what stands before the id's last slash, the name is the
            phrase, else the id's last part. Or a published form, ``{"categories": {category: [items]}}`` or
            ``{"categories": {category: {item: [sub-items]}}}`` (see `published_nodes`).

        Returns
        -------
        ConceptTree
            The tree.

        Raises
        ------
        InputError
            If the form is another, or the nodes make no tree.

        Examples
        --------
        >>> tree = ConceptTree.from_dict({"nodes": [{"id": "size"}, {"id": "size/large", "phrase": "large"}]})
        >>> tree.node("size/large").parent
        'size'
        """
        if isinstance(value, Mapping) and "categories" in value:
            return ConceptTree(tuple(published_nodes(value["categories"])))
        if not isinstance(value, Mapping) or not isinstance(value.get("nodes"), list):
            raise InputError(
                "Concept tree holds neither nodes nor categories, expected a list under one of these names: "
                "see ConceptTree.from_dict."
            )
        return ConceptTree(tuple(_Entry.read(entry, i) for i, entry in enumerate(value["nodes"])))


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str
    name: str | None = None
    parent: str | None = None
    phrase: str | None = None
    measurement: str | None = None
    rises: bool = True

    @staticmethod
    def read(entry: Any, position: int) -> Node:
        try:
            given = _Entry.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "itself"
            raise InputError(
                f"Concept tree: node {position + 1}, {field[:60]}: {first['msg'].lower()}; expected fields "
                "id, name, parent, phrase, measurement, rises."
            ) from error
        parent = given.parent if "parent" in given.model_fields_set else path_parent(given.id)
        name = given.name or given.phrase or given.id.rpartition("/")[2].replace("-", " ")
        return Node(given.id, name, parent, given.phrase, given.measurement, given.rises)


def _ordered(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    _check(nodes)
    below: defaultdict[str | None, list[Node]] = defaultdict(list)
    for node in nodes:
        below[node.parent].append(node)
    ordered: list[Node] = []
    waiting = list(reversed(below[None]))
    while waiting:  # no recursion: a tree may be deeper than Python's stack
        node = waiting.pop()
        ordered.append(node)
        waiting.extend(reversed(below[node.id]))
    _refuse_cycle(nodes, ordered)
    return tuple(ordered)


def _check(nodes: tuple[Node, ...]) -> None:
    if not any(node.phrase for node in nodes):
        raise InputError(
            "Concept tree is empty, expected at least one phrase: add nodes with phrases to the file."
        )
    if len(nodes) > MOST_NODES:
        raise InputError(f"Concept tree got {len(nodes)} nodes, expected at most {MOST_NODES}: prune it.")
    twice, times = Counter(node.id for node in nodes).most_common(1)[0]
    if times > 1:
        raise InputError(f"Concept tree got node {twice!r} {times} times: give every node its own id.")
    known = {node.id for node in nodes}
    for node in nodes:
        if node.parent is not None and node.parent not in known:
            raise InputError(
                f"Concept tree: parent of {node.id!r} got {node.parent!r}, expected the id of a node: add a "
                "node with that id."
            )


def _refuse_cycle(nodes: Iterable[Node], reached: list[Node]) -> None:
    lost = {node.id for node in nodes} - {node.id for node in reached}
    if lost:
        raise InputError(
            f"Concept tree: parents of {', '.join(sorted(lost)[:3])} form a cycle, expected every node below "
            "one at the top: mend the parents."
        )
