"""Phrases edited beside those asked about, since few phrases do not tell what any edit does besides."""

from dataclasses import replace

from diffex.base.errors import InputError
from diffex.base.positions import evenly
from diffex.concepts import ConceptTree, Node
from diffex.concepts.describers import OfflineDescriber
from diffex.concepts.measurable import column_of
from diffex.explainers.semantics.config import SemanticConfig
from diffex.generators.text.model import TextModel
from diffex.images import Images
from diffex.measurements import quantities

CONTROL_IMAGES = 16
"""Images that controls are edited into."""

_ENOUGH = 48  # phrases, controls among them


def control_phrases(
    tree: ConceptTree, images: Images, model: TextModel, config: SemanticConfig
) -> tuple[Node, ...]:
    """Choose phrases of the ontology that have nothing to do with those of a tree.

    What leaks from an edit, and what edits change that nothing measures, is learnt from all edits together.
    Of 6 or 10 phrases that left 11 and 19 % of calls false, of 14 it left nothing to be called; with 24
    phrases beside them 1 to 2 % were false, and three of four effects were called (docs/notes/0006).

    Parameters
    ----------
    tree : ConceptTree
        The phrases asked about, with their measurements.
    images : Images
        At least 2, as to `OfflineDescriber`.
    model : TextModel
        What edits them in; phrases longer than it reads are left out.
    config : SemanticConfig
        What images show, how many controls there may be, and whether anything is tested at all.

    Returns
    -------
    tuple of Node
        At the top, in pairs of opposites, of measurements that the tree does not name; empty for trees of 48
        phrases and more, where nothing is tested, and where images differ in nothing that it has phrases for.
    """
    pairs = min(config.controls, _ENOUGH - len(tree.phrases())) // 2
    if pairs <= 0 or config.search == "rank":
        return ()
    try:
        proposed = OfflineDescriber(view=config.view).describe(images)
    except InputError:
        return ()
    known = quantities(images.channel_names, images.pixel_size_um, config.view)
    asked = {column_of(node.measurement, known) for node in tree.phrases() if node.measurement is not None}
    said = {_text(node) for node in tree.phrases()}
    free = [node for node in proposed.phrases() if node.measurement not in asked]
    opposites = [
        pair
        for pair in zip(free[::2], free[1::2], strict=True)
        if all(_text(node) not in said and model.reads(_text(node)) for node in pair)
    ]
    chosen = [opposites[i] for i in evenly(len(opposites), pairs)]
    return tuple(replace(node, id=f"beside/{node.id}", parent=None) for pair in chosen for node in pair)


def _text(node: Node) -> str:
    return (node.phrase or node.name).casefold()
