"""What the rows of cost stand on: planted cells, the shipped generator, calibrated concepts."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.concepts import SOURCES, Concept, merge_duplicates, propose_concepts
from diffex.effects.arrays import FloatArray
from diffex.effects.linear import logit_gradients
from diffex.effects.matrix import Judge, probabilities_of
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import TARGET, demo_cells, shipped_model
from diffex.evaluation.peers.attfind_rendered import Steps
from diffex.explainers.attributes import calibrated
from diffex.explainers.config import AttributeConfig
from diffex.explainers.preparing import Prepared, prepare, target_index
from diffex.generators.model import Model
from diffex.images import Images

RULE = "linear"
"""The shipped rule whose cells and classifier come first."""
BLIND_KINDS = ("morphology", "contrastive_images", "contrastive_codes", "principal_axis", "latent")
"""Sources that never ask the classifier: their concepts serve several classifiers."""

_LEAST = 24


@final
@dataclass(frozen=True, eq=False)
class Ground:
    """Prepared images and calibrated concepts, with what they took.

    Parameters
    ----------
    model : Model
        Shipped.
    cells : Images
        All that were drawn.
    prepared : Prepared
        The sample.
    concepts : list of Concept
        K of them.
    size : float
        Common size.
    """

    model: Model
    cells: Images
    prepared: Prepared
    concepts: list[Concept]
    size: float

    @property
    def ledger(self) -> CostLedger:
        """The account of preparation and calibration."""
        return self.prepared.ledger


def make_ground(bench: Bench, images: int, concepts: int, kinds: tuple[str, ...] = tuple(SOURCES)) -> Ground:
    """Prepare images and exactly K concepts.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.
    images : int
        N; at least 24 are prepared.
    concepts : int
        K.
    kinds : tuple of str
        Sources.

    Returns
    -------
    Ground
        Of the rule that comes first.
    """
    model = shipped_model(RULE, bench.device)
    cells = demo_cells(RULE, bench.seed, bench.size(600, 60))
    pool = 2 * concepts + 10 * len(kinds)
    config = AttributeConfig(
        target=TARGET, images=max(images, _LEAST), concepts=pool, kinds=kinds, seed=bench.seed, force=True
    )
    prepared = prepare(cells, model, config, CostLedger())
    with prepared.ledger.timed("concepts"):
        merged = merge_duplicates(propose_concepts(prepared.evidence, pool, kinds), prepared.evidence.metric)
        able = [concept for concept in merged if concept.kind in kinds]  # controls are always proposed
        chosen = [able[i] for i in evenly(len(able), concepts)]
        scaled, size, _ = calibrated(prepared, chosen)
    return Ground(model, cells, prepared, scaled, size)


def asked(ground: Ground, model: Model, target: str) -> Prepared:
    """Put the same images and concepts to another classifier or class, on an account of its own.

    Parameters
    ----------
    ground : Ground
        Prepared for one classifier.
    model : Model
        Of the same generator.
    target : str
        The class.

    Returns
    -------
    Prepared
        With that classifier's gradients and logits.
    """
    ledger, prepared = CostLedger(), ground.prepared
    index = target_index(model.classifier.card.class_names, target)
    judge = Judge(model.classifier, ground.cells.value_range, ledger)
    inversion = prepared.inversion
    with ledger.timed("preparation"):
        gradients = logit_gradients(
            ground.model.generator, model.guide, inversion.codes, inversion.noise, index, ledger
        )
        logits = judge.logits(prepared.x)
    return replace(
        prepared, target=index, gradients=gradients, logits=logits, judge=judge, guide=model.guide,
        ledger=ledger,
    )  # fmt: skip


def probability_of(logits: NDArray[np.float64], target: int) -> FloatArray:
    """Give a class's probability.

    Parameters
    ----------
    logits : ndarray, shape (..., k)
        Of a classifier.
    target : int
        Index of the class.

    Returns
    -------
    ndarray, shape (...)
        NaN where logits are.
    """
    return np.asarray(probabilities_of(logits)[..., target])


def published_steps(bench: Bench) -> Steps:
    """Give the published numbers of steps; a quick run takes few.

    Parameters
    ----------
    bench : Bench
        Full or quick.

    Returns
    -------
    Steps
        50 and 20, or 4 and 2.
    """
    return bench.size(Steps(), Steps(4, 2))
