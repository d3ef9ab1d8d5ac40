"""The two JSON forms of a hierarchy that the released code of DiffEx writes."""

from collections.abc import Mapping
from typing import Any

from diffex.base.errors import InputError
from diffex.concepts.node import Node, path_names

MOST_NODES = 10_000


def published_nodes(categories: Any) -> list[Node]:
    """Read ``{category: [items]}`` or ``{category: {item: [sub-items]}}``; both may be mixed.

    Parameters
    ----------
    categories : object
        What the file holds under ``"categories"``.

    Returns
    -------
    list of Node
        Categories are groups; items and sub-items are phrases.

    Raises
    ------
    InputError
        If the form is another, a name stands twice below one parent, or there are over 10 000 nodes.

    Notes
    -----
    Kazimi et al. 2025 (DiffEx): the categories themselves are never edited in.

    Examples
    --------
    >>> [node.id for node in published_nodes({"Accessories": {"hat": ["beret"]}})]
    ['accessories', 'accessories/hat', 'accessories/hat/beret']
    """
    if not isinstance(categories, Mapping):
        raise InputError(
            f"Concept tree: categories got {type(categories).__name__}, expected a mapping of names to items."
        )
    nodes: list[Node] = []
    for path, category in _named(list(categories), None):
        nodes.append(Node(path, category))
        _add_items(nodes, path, categories[category])
    return nodes


def _add_items(nodes: list[Node], parent: str, items: Any) -> None:
    subs = items if isinstance(items, Mapping) else {}
    for path, item in _named(list(items) if subs else _texts(items, parent), parent):
        nodes.append(Node(path, item, parent, phrase=item))
        for below, sub in _named(_texts(subs.get(item, []), path), path):
            nodes.append(Node(below, sub, path, phrase=sub))
        if len(nodes) > MOST_NODES:  # a small file can say much through YAML's aliases
            raise InputError(f"Concept tree got over {MOST_NODES} nodes: give a smaller tree.")


def _named(names: list[Any], parent: str | None) -> list[tuple[str, str]]:
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"Concept tree: name got {name!r}, expected text: put it in quotes.")
    parts = path_names(names)
    return [(f"{parent}/{part}" if parent else part, name) for part, name in zip(parts, names, strict=True)]


def _texts(items: Any, where: str) -> list[Any]:
    if isinstance(items, Mapping) and not items:
        return []
    if not isinstance(items, list):
        raise InputError(
            f"Concept tree: {where} got {type(items).__name__}, expected a list of names: mend the file."
        )
    return items
