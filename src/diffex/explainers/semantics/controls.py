"""Edits that no phrase asks for, to learn what any edit does besides."""

import numpy as np
import torch
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.noise import derive_seed
from diffex.concepts import Concept, ConceptTree
from diffex.concepts.describers import OfflineDescriber
from diffex.editors.text import TextEditor
from diffex.explainers.semantics.config import SemanticConfig
from diffex.images import Images

_IMAGES = 16
_ENOUGH = 24  # phrases: so many tell it themselves


def control_concepts(
    tree: ConceptTree, images: Images, editor: TextEditor, config: SemanticConfig
) -> list[Concept]:
    """Mix the directions of many phrases at random.

    What leaks from an edit, and what edits change that nothing measures, is learnt from all edits together,
    and the few of a small tree do not tell: on simulated cells a quarter to two fifths of what trees of 4 to
    10 phrases called was false. With 16 mixtures beside them 1 to 6 % were false, and seven of ten effects
    called (docs/notes/0006).

    Parameters
    ----------
    tree : ConceptTree
        The phrases asked about.
    images : Images
        At least 2, as to `OfflineDescriber`.
    editor : TextEditor
        Knows the direction of a phrase.
    config : SemanticConfig
        What images show, how many controls there are, and whether anything is tested at all.

    Returns
    -------
    list of Concept
        Normal weights on the phrases of the ontology and of the tree. Empty for trees of 24 phrases and more,
        which are not helped; in fields, where mixtures break images; and where nothing is tested.
    """
    small = len(tree.phrases()) < _ENOUGH and config.view == "cell"
    if not small or config.search == "rank" or not config.controls:
        return []
    texts = sorted(
        {(node.phrase or node.name).casefold() for node in tree.phrases()} | _known(images, config)
    )
    some = [editor.concept(text, text, text, None) for text in texts if editor.model.reads(text)]
    rng = np.random.default_rng(derive_seed("controls", config.seed))
    weights = rng.standard_normal((config.controls, len(some))) / np.sqrt(len(some))
    directions = torch.stack([one.direction for one in some])
    mixed = torch.tensordot(torch.from_numpy(weights).to(directions), directions, dims=1)
    names = (f"mixture-{i + 1}" for i in range(config.controls))
    return [Concept(name, "text", name, one) for name, one in zip(names, mixed, strict=True)]


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
    rng = np.random.default_rng(derive_seed("control images", seed))
    return np.asarray(np.sort(rng.permutation(count)[:_IMAGES]))


def _known(images: Images, config: SemanticConfig) -> set[str]:
    """Phrases of the ontology."""
    try:
        proposed = OfflineDescriber(unmeasured=True, view=config.view).describe(images)
    except InputError:
        return set()
    return {(node.phrase or node.name).casefold() for node in proposed.phrases()}
