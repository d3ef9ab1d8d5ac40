"""Which phrases are edited into which images: all into all, or a race."""

from dataclasses import replace

import numpy as np

from diffex.concepts import ConceptTree
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.matrix import margin_of
from diffex.effects.tree_race import RANK_ALONE, RaceSettings, race_tree
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.controls import control_images
from diffex.explainers.semantics.edits import PhraseEdits


def parents_of(tree: ConceptTree) -> list[int]:
    """Find each node's parent.

    Parameters
    ----------
    tree : ConceptTree
        All nodes.

    Returns
    -------
    list of int
        Positions, -1 for roots.
    """
    places = {node.id: i for i, node in enumerate(tree.nodes)}
    return [-1 if node.parent is None else places[node.parent] for node in tree.nodes]


def search(tree: ConceptTree, edits: PhraseEdits, target: int, config: SemanticConfig) -> int:
    """Render what the search asks for.

    Parameters
    ----------
    tree : ConceptTree
        All nodes; its phrases are the first concepts of the edits, in order. Those that follow are controls.
    edits : PhraseEdits
        Filled in place.
    target : int
        Index of the target.
    config : SemanticConfig
        Kind of search, seed.

    Returns
    -------
    int
        How many phrases of the tree were edited into all images.
    """
    phrases, images = len(tree.phrases()), len(edits.subject.inversion)
    edits.fill(np.arange(phrases, len(edits.concepts)), control_images(images, config.seed))
    if config.search == "exact":
        edits.fill(np.arange(phrases), np.arange(images))
        return phrases
    editable = np.array([node.phrase is not None for node in tree.nodes])
    place = np.cumsum(editable) - 1

    def measure(nodes: IntArray, rows: IntArray) -> FloatArray:
        edits.fill(place[nodes], rows)
        return np.asarray(edits.effects(target)[np.ix_(place[nodes], rows)])

    scale = float(margin_of(edits.subject.null_logits, target).std())
    to_all = RaceSettings(matter=config.least_effect * scale)
    to_all = replace(to_all, stages=tuple(sorted({*to_all.stages, images})))
    settings = to_all if config.search == "race" else RANK_ALONE
    settings = replace(settings, top=config.top, seed=config.seed)
    race = race_tree(parents_of(tree), editable, measure, images, settings)
    return sum(state == "kept" for state in race.states)
