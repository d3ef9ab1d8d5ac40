"""Phrases edited beside those asked about, since few phrases do not tell what any edit does besides."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.noise import derive_seed
from diffex.base.positions import evenly
from diffex.concepts import ConceptTree, Node
from diffex.concepts.describers import OfflineDescriber
from diffex.concepts.measurable import column_of
from diffex.explainers.semantics.config import SemanticConfig
from diffex.generators.text.model import TextModel
from diffex.images import Images
from diffex.measurements import quantities

_ENOUGH, _IMAGES = 48, 16  # phrases, controls among them; images that controls are edited into


def control_phrases(
    tree: ConceptTree, images: Images, model: TextModel, config: SemanticConfig
) -> tuple[Node, ...]:
    """Choose phrases of the ontology of measurements that a tree does not name.

    What leaks from an edit, and what edits change that nothing measures, is learnt from all edits together,
    and few do not tell. In a trial on simulated cells up to a fifth of what trees of 6 and 10 phrases called
    was false, and of 14 nearly half of the effects were missed; with 24 others beside them 1 to 2 % were
    false, and three of four effects called (docs/notes/0006).

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
        At the top, pairs of opposites; empty for trees of 48 phrases and more, where nothing is tested, and
        where the ontology has no more phrases for what differs among the images.
    """
    pairs = min(config.controls, _ENOUGH - len(tree.phrases())) // 2
    if pairs <= 0 or config.search == "rank":
        return ()
    known = quantities(images.channel_names, images.pixel_size_um, config.view)
    asked = {column_of(node.measurement, known) for node in tree.phrases() if node.measurement is not None}
    said, free = _texts(tree.phrases()), _proposed(tree, images, config)
    opposites = {
        more.measurement: (more, less)
        for more, less in zip(free[::2], free[1::2], strict=True)
        if more.measurement not in asked and not said & _texts((more, less))
        and all(map(model.reads, _texts((more, less))))
    }  # fmt: skip
    chosen = [list(opposites.values())[i] for i in evenly(len(opposites), pairs)]
    return tuple(replace(node, id=f"beside/{node.id}", parent=None) for pair in chosen for node in pair)


def control_images(count: int, seed: int) -> NDArray[np.int64]:
    """Choose the images that controls are edited into.

    Parameters
    ----------
    count : int
        How many images there are.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of int, shape (min(count, 16),)
        Ascending.
    """
    rng = np.random.default_rng(derive_seed("controls", seed))
    return np.asarray(np.sort(rng.permutation(count)[:_IMAGES]))


def edited_nodes(tree: Mapping[str, Any]) -> tuple[Node, ...]:
    """Give all phrases that a run edited, in order, from what it keeps as its tree.

    Parameters
    ----------
    tree : mapping
        ``tree.json``.

    Returns
    -------
    tuple of Node
        Its phrases, and the controls.
    """
    controls = ConceptTree.from_dict({"nodes": tree["controls"]}).phrases() if tree["controls"] else ()
    return (*ConceptTree.from_dict(tree).phrases(), *controls)


def _proposed(tree: ConceptTree, images: Images, config: SemanticConfig) -> tuple[Node, ...]:
    """The ontology's phrases: of microscopy where the tree has some of them, else as the channels suggest."""
    found: tuple[Node, ...] = ()
    for domain in (None, "microscopy"):
        try:
            proposed = OfflineDescriber(view=config.view).describe(images, domain).phrases()
        except InputError:
            continue
        if _texts(proposed) & _texts(tree.phrases()):
            return proposed
        found = found or proposed
    return found


def _texts(nodes: Iterable[Node]) -> set[str]:
    return {(node.phrase or node.name).casefold() for node in nodes}
