"""Edits of a tree into planted images, rendered once for every classifier of the suite."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from diffex.base.files import atomic_path
from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier
from diffex.concepts import Concept, ConceptTree, read_tree
from diffex.concepts.describers import with_measurements
from diffex.effects.arrays import FloatArray
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.semantics.oracle import fit_reader
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.controls import control_concepts
from diffex.explainers.semantics.edits import PhraseEdits, Subject, edits_of
from diffex.explainers.semantics.explain import assess
from diffex.explainers.semantics.preparing import prepare_subject
from diffex.explainers.semantics.searching import search
from diffex.generators import logits_of
from diffex.generators.text.model import open_text_model
from diffex.images import Images, PlantedCells
from diffex.images.planted_factors import FACTORS
from diffex.measurements import Quantity, View, quantities
from diffex.training import TrainConfig

TREE = Path(__file__).with_name("tree.yaml")
_CELLS, _STEPS = 8000, 1200


@final
@dataclass(frozen=True, eq=False)
class Cached:
    """The edits of a tree into planted images, with the factors read off every rendering.

    Parameters
    ----------
    tree : ConceptTree
        The phrases.
    edits : PhraseEdits
        Rendered, controls into some of the images; its "logits" are the factors that the oracle reads.
    real : DataFrame
        Measurements of real images.
    known : tuple of Quantity
        The measurements.
    oracle : Classifier
        What reads the factors.
    """

    tree: ConceptTree
    edits: PhraseEdits
    real: pd.DataFrame
    known: tuple[Quantity, ...]
    oracle: Classifier

    @property
    def count(self) -> int:
        """Images edited."""
        return len(self.edits.subject.inversion)

    def read(self, x: Tensor) -> FloatArray:
        """Factors of images, ``(n, d)``."""
        return logits_of(self.oracle, x, (0.0, 1.0))

    def judged(self, weights: FloatArray) -> PhraseEdits:
        """Give the edits as judged by a linear rule over the factors: logits 0 and the weighted sum."""
        return self.edits.judged_by(partial(_two_logits, weights=weights))

    def assessed(self, edits: PhraseEdits, seed: int) -> pd.DataFrame:
        """Rank the edits for class 1 of such a rule, as `explain_semantics` does."""
        config = SemanticConfig(target="treated", images=self.count, seed=seed)
        return assess(self.tree, edits, self.known, self.real, None, 1, config)


def cached_edits(bench: Bench) -> Cached:
    """Render every phrase of the frozen tree into planted cells, both signs, or open the stage.

    Parameters
    ----------
    bench : Bench
        Seed, sizes, stages.

    Returns
    -------
    Cached
        Of 32 cells, exhaustive but for controls.
    """
    return edits_of_cells(bench, "semantic-edits", read_tree(TREE))


def edits_of_cells(bench: Bench, kind: str, tree: ConceptTree) -> Cached:
    """Render every phrase of a tree into planted cells, both signs, or open the stage.

    Parameters
    ----------
    bench : Bench
        Seed, sizes, stages.
    kind : str
        Of the stage.
    tree : ConceptTree
        The phrases.

    Returns
    -------
    Cached
        Of 32 cells, exhaustive but for controls.
    """
    count, steps = bench.size(_CELLS, 400), bench.size(_STEPS, 60)
    cells = PlantedCells()
    factors = cells.sample_factors(count, 500 + bench.seed)
    oracle = fit_reader(
        bench, "factor-reader", lambda m: cells.render(factors[:m], list(range(m))), factors, FACTORS,
        TrainConfig(steps=steps, batch_size=64, lr=2e-3, ema=0.995, seed=bench.seed),
    )  # fmt: skip
    images = cells.images(bench.size(32, 12), 900 + bench.seed)
    return render_tree(bench, kind, tree, images, oracle)


def render_tree(
    bench: Bench, kind: str, tree: ConceptTree, images: Images, oracle: Classifier, view: View = "cell"
) -> Cached:
    """Render every phrase of a tree into images with the shipped text model, or open the stage.

    Parameters
    ----------
    bench : Bench
        Seed, stages, device.
    kind : str
        Of the stage.
    tree : ConceptTree
        The phrases.
    images : Images
        All are edited.
    oracle : Classifier
        Reads factors.
    view : {"cell", "field"}, default "cell"
        What the images show.

    Returns
    -------
    Cached
        Exhaustive but for controls, both signs.
    """
    tree = with_measurements(tree, images.channel_names, view)
    first = oracle.card.class_names[0]
    config = SemanticConfig(target=first, view=view, images=len(images), seed=bench.seed, force=True)
    model = open_text_model("shipped", bench.device)
    subject, chosen, _, real = prepare_subject(images, oracle, model, tree, config, CostLedger())
    known = quantities(chosen.channel_names, chosen.pixel_size_um, view)
    content = [
        model.state_hash(),
        oracle.state_hash(),
        tree.as_dict(),
        config.model_dump(),
        images.fingerprint(),
    ]
    kept = bench.stage(kind, [*content, code_hash(RUN_ROOMS)]) / "edits.npz"
    if not kept.is_file():
        controls = control_concepts(tree, images, subject.editor, config)
        edits = edits_of(tree, subject, config.size, known, real.to_numpy(), controls)
        search(tree, edits, 0, config.model_copy(update={"search": "exact"}))
        _keep(edits, kept)
    edits = _open(tree, subject, kept)
    return Cached(tree, edits, real, known, oracle)


def _keep(edits: PhraseEdits, kept: Path) -> None:
    """Write edits with the directions and gains that were found for them."""
    with atomic_path(kept) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream, logits=edits.logits, changes=edits.changes, sizes=edits.sizes,
            directions=np.stack([one.direction.numpy() for one in edits.concepts]),
            gains=np.array([one.gain for one in edits.concepts]),
            opposites=np.array([one.opposite for one in edits.concepts]), opposite=edits.opposite,
        )  # fmt: skip


def _open(tree: ConceptTree, subject: Subject, kept: Path) -> PhraseEdits:
    """Read what `_keep` wrote."""
    with np.load(kept, allow_pickle=False) as found:
        led = zip(*(found[name] for name in ("directions", "gains", "opposites")), strict=True)
        count = len(found["gains"])
        named = [(n.id, n.name, n.parent) for n in tree.phrases()]
        named += [(f"control-{i}", f"control {i}", None) for i in range(count - len(named))]
        concepts = [
            Concept(
                i, "text", name, torch.from_numpy(way), parent=up, gain=float(gain), opposite=bool(opposite)
            )
            for (i, name, up), (way, gain, opposite) in zip(named, led, strict=True)
        ]
        edits = PhraseEdits(subject, concepts, found["opposite"])
        edits.logits, edits.changes, edits.sizes = found["logits"], found["changes"], found["sizes"]
    return edits


def _two_logits(factors: FloatArray, weights: FloatArray) -> FloatArray:
    score = factors @ weights
    return np.stack([np.zeros_like(score), score], axis=-1)
