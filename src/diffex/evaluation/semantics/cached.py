"""Edits of the frozen tree into planted cells, rendered once for every classifier of the suite."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier, ClassifierCard
from diffex.classifiers.blackbox import standardise
from diffex.concepts import ConceptTree, Node, read_tree
from diffex.effects.arrays import FloatArray
from diffex.evaluation.bench import Bench
from diffex.evaluation.semantics.oracle import FactorNetwork, fit_reader
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.edits import PhraseEdits
from diffex.explainers.semantics.preparing import prepare_subject
from diffex.generators.text.model import open_text_model, shipped_text_model
from diffex.images import Images, PlantedCells
from diffex.images.planted_factors import FACTORS
from diffex.measurements import Quantity, quantities

TREE = Path(__file__).with_name("tree.yaml")
ITEMS = ("puncta", "nucleus", "cytoplasm")
"""Items of no value of their own, for the trees of row S3."""


@final
@dataclass(frozen=True, eq=False)
class Cached:
    """The tree's edits into planted cells, with the twelve factors read off every rendering.

    Parameters
    ----------
    tree : ConceptTree
        The frozen tree, and the items of row S3 after it.
    images : Images
        The cells.
    edits : PhraseEdits
        All rendered; its "logits" are the twelve factors that the oracle reads.
    real : ndarray, shape (m,)
        Standard deviation of every measurement over real images.
    known : tuple of Quantity
        The measurements.
    reader : FactorNetwork
        The oracle.
    card : ClassifierCard
        How pixels reach it.
    """

    tree: ConceptTree
    images: Images
    edits: PhraseEdits
    real: FloatArray
    known: tuple[Quantity, ...]
    reader: FactorNetwork
    card: ClassifierCard

    def read(self, x: Tensor) -> FloatArray:
        """Factors of images, ``(n, 12)``."""
        with torch.no_grad():
            return np.asarray(self.reader(standardise(x, self.card, (0.0, 1.0))).double().numpy())

    def judged(self, weights: FloatArray) -> PhraseEdits:
        """Give the edits as judged by a linear rule over the factors: logits 0 and the weighted sum."""
        return self.edits.judged_by(lambda factors: two_logits(factors, weights))


def cached_edits(bench: Bench) -> Cached:
    """Render every phrase of the frozen tree into planted cells, both signs, or open the stage.

    Parameters
    ----------
    bench : Bench
        Seed, sizes, stages.

    Returns
    -------
    Cached
        Of 32 cells, exhaustive.
    """
    reader, card = fit_reader(bench)
    oracle = Classifier(
        reader, card.model_copy(update={"class_names": FACTORS}), differentiable=True, address="oracle"
    )
    frozen = read_tree(TREE)
    tree = ConceptTree((*frozen.nodes, *(Node(f"item-{word}", word, phrase=word) for word in ITEMS)))
    count = bench.size(32, 12)
    images = PlantedCells().images(count, 900 + bench.seed)
    config = SemanticConfig(target=FACTORS[0], images=count, seed=bench.seed, force=True)
    model = open_text_model(str(shipped_text_model()), bench.device)
    subject, chosen, _, real = prepare_subject(images, oracle, model, config, CostLedger())
    concepts = [subject.editor.concept(n.id, n.phrase or n.name, n.name, n.parent) for n in tree.phrases()]
    edits = PhraseEdits(subject, concepts)
    stage = bench.stage("semantic-edits", [model.state_hash(), tree.as_dict(), config.model_dump(), count])
    fill_or_open(edits, stage / "edits.npz")
    known = quantities(chosen.channel_names, chosen.pixel_size_um)
    return Cached(tree, chosen, edits, real.std(axis=0).to_numpy(), known, reader, card)


def fill_or_open(edits: PhraseEdits, kept: Path) -> None:
    """Render all edits and keep them, or read them where they are kept.

    Parameters
    ----------
    edits : PhraseEdits
        Filled in place.
    kept : Path
        A file of plain arrays.
    """
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as found:
            edits.logits, edits.changes, edits.sizes = found["logits"], found["changes"], found["sizes"]
        return
    edits.fill(np.arange(len(edits.concepts)), np.arange(len(edits.subject.inversion)))
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(kept, logits=edits.logits, changes=edits.changes, sizes=edits.sizes)


def two_logits(factors: FloatArray, weights: FloatArray) -> FloatArray:
    """Give the logits of a linear rule over factors.

    Parameters
    ----------
    factors : ndarray, shape (..., d)
        As read.
    weights : ndarray, shape (d,)
        Of the rule.

    Returns
    -------
    ndarray, shape (..., 2)
        0 and the weighted sum.
    """
    score = factors @ weights
    return np.stack([np.zeros_like(score), score], axis=-1)
