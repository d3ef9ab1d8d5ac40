"""The default describer: known phrases whose measurement differs among the images. Asks nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, final

from diffex.base.errors import InputError
from diffex.concepts.describers.ontology import Ontology, Pair, read_ontology
from diffex.concepts.measurable import Measurable
from diffex.concepts.node import Node, path_names
from diffex.concepts.tree import ConceptTree
from diffex.images.images import Images
from diffex.measurements import View

_PICTURES = frozenset({"red", "green", "blue", "alpha", "grey", "gray"})


@final
class OfflineDescriber:
    """Propose phrases of an ontology that comes with the package.

    Images of red, green and blue or grey get the ontology of photographs, unless the domain names cells or
    microscopy; all others get the one of microscopy (compartment, property, value). Fields have their own.

    Parameters
    ----------
    unmeasured : bool, default False
        Whether phrases that no measurement covers are kept too. Whether their edits happened cannot be read
        off the pixels.
    view : {"cell", "field"}, default "cell"
        What an image shows: one object in its middle, or several anywhere.

    Examples
    --------
    >>> from diffex.images import PlantedCells
    >>> tree = OfflineDescriber().describe(PlantedCells().images(24, seed=0))
    >>> [node.name for node in tree.children("nucleus/size")][:2]
    ['large nucleus', 'small nucleus']
    """

    def __init__(self, *, unmeasured: bool = False, view: View = "cell") -> None:
        self.unmeasured, self.view = unmeasured, view
        self._transcript: list[Mapping[str, Any]] = []

    @property
    def transcript(self) -> Sequence[Mapping[str, Any]]:
        """Which ontology was taken, and which phrases were left out."""
        return tuple(self._transcript)

    def describe(self, images: Images, domain: str | None = None) -> ConceptTree:
        """Propose the phrases whose measurement differs enough among the images.

        Parameters
        ----------
        images : Images
            At least 2; at most 64 of them are measured.
        domain : str, optional
            What they show; chooses the ontology.

        Returns
        -------
        ConceptTree
            Each leaf with its measurement, named as a column of `diffex.measurements.measure`, and its sense.

        Raises
        ------
        InputError
            If there are fewer than 2 images, or no phrase is left.
        """
        ontology = _ontology_for(images.channel_names, domain, self.view)
        measurable, nodes, left_out = Measurable(images, self.view), dict[str, Node](), list[str]()
        for pair in ontology.pairs(images.channel_names):
            column = pair.measurement and measurable.column(pair.measurement, pair.channel)
            known = {node.phrase for node in nodes.values()}
            if {pair.more, pair.less} & known or not (column or self._kept_unmeasured(pair)):
                left_out += [pair.more, pair.less]
            else:
                _add(nodes, pair, column)
        self._record(ontology, nodes, left_out)
        if not nodes:
            raise InputError(
                f"images differ in nothing that the {ontology.name} ontology has phrases for: give a tree of "
                "phrases with --taxonomy."
            )
        return ConceptTree(tuple(nodes.values()))

    def _kept_unmeasured(self, pair: Pair) -> bool:
        return self.unmeasured and pair.measurement is None

    def _record(self, ontology: Ontology, nodes: Mapping[str, Node], left_out: list[str]) -> None:
        kept = [node.phrase for node in nodes.values() if node.phrase]
        prompt = f"{ontology.name} ontology"
        self._transcript.append({"stage": "offline", "prompt": prompt, "answer": kept, "left_out": left_out})


def with_measurements(tree: ConceptTree, channel_names: Sequence[str], view: View = "cell") -> ConceptTree:
    """Say what the phrases of a tree move where the tree does not and the ontology knows the same phrase.

    Parameters
    ----------
    tree : ConceptTree
        For example one as published, which names no measurements.
    channel_names : sequence of str
        Of the images.
    view : {"cell", "field"}, default "cell"
        What they show.

    Returns
    -------
    ConceptTree
        The same phrases; measurements that the tree names are kept.
    """
    said = dict[str, tuple[str, bool]]()
    for pair in _ontology_for(channel_names, None, view).pairs(channel_names):
        if pair.measurement is not None:
            said.setdefault(pair.more.casefold(), (pair.measurement, True))
            said.setdefault(pair.less.casefold(), (pair.measurement, False))

    def told(node: Node) -> Node:
        known = said.get((node.phrase or "").casefold())
        if node.measurement is not None or known is None:
            return node
        return replace(node, measurement=known[0], rises=known[1])

    return ConceptTree(tuple(told(node) for node in tree.nodes))


def _ontology_for(channel_names: Sequence[str], domain: str | None, view: View) -> Ontology:
    if view == "field":
        return read_ontology("fields")
    microscopy = read_ontology("microscopy")
    asked = set((domain or "").lower().replace("-", " ").split())
    picture = {name.lower() for name in channel_names} <= _PICTURES
    return read_ontology("general") if picture and not asked & set(microscopy.words) else microscopy


def _add(nodes: dict[str, Node], pair: Pair, column: str | None) -> None:
    parent: str | None = None
    for name in pair.under:
        node_id = _below(parent, name)
        nodes.setdefault(node_id, Node(node_id, name, parent))
        parent = node_id
    for phrase, rises in ((pair.more, True), (pair.less, False)):
        node_id = _below(parent, phrase)
        nodes[node_id] = Node(node_id, phrase, parent, phrase, column, rises)


def _below(parent: str | None, name: str) -> str:
    part = path_names([name])[0]
    return part if parent is None else f"{parent}/{part}"
