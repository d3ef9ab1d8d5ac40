"""Which phrases, edited into images, move a classifier: propose, edit, check, search, test, show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier, align_labels
from diffex.concepts import Concept, ConceptTree, Node
from diffex.concepts.describers import with_measurements
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import margin_of
from diffex.explainers.semantics.checking import DONE, check_edits
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.controls import control_concepts
from diffex.explainers.semantics.edits import PhraseEdits, edits_of
from diffex.explainers.semantics.leakage import own_effects
from diffex.explainers.semantics.preparing import prepare_subject
from diffex.explainers.semantics.ranking import Outcome, ranked
from diffex.explainers.semantics.searching import search
from diffex.explainers.semantics.showing import dose_table, example_pictures, measured_table
from diffex.explainers.semantics.summarising import summarise
from diffex.generators.text.model import TextModel
from diffex.images import Images
from diffex.measurements import OwnMeasurement, Quantity, quantities
from diffex.runs import Explanation


def explain_semantics(
    images: Images,
    classifier: Classifier,
    model: TextModel,
    tree: ConceptTree,
    config: SemanticConfig,
    *,
    address: str,
    transcript: Sequence[Mapping[str, Any]] = (),
    own: Sequence[OwnMeasurement] = (),
) -> Explanation:
    """Find, check, test and rank the phrases of a tree that move a classifier.

    Parameters
    ----------
    images : Images
        Real images, of the text model's size.
    classifier : Classifier
        The thing explained; only its logits are asked for.
    model : TextModel
        What edits phrases into images.
    tree : ConceptTree
        The phrases; where one names no measurement, the ontology's is taken (`with_measurements`).
    config : SemanticConfig
        Target, sizes, thresholds, seed.
    address : str
        Where the text model comes from, for the record.
    transcript : sequence of mapping
        What a describer was asked and answered, for the record.
    own : sequence of OwnMeasurement
        Functions by whose names the tree says what its phrases move, beside the catalogue's measurements.

    Returns
    -------
    Explanation
        Of method ``semantics``. ``effect`` is the change of the margin less what the edit's leakage carries;
        ``total`` is the whole change; ``edit`` says whether the edit happened.

    Raises
    ------
    InputError, ClassifierError
        If images, target, classifier, model or phrases do not fit.
    GateError
        If re-rendering alone changes what the classifier says and `config.force` is False.
    """
    ledger, before = CostLedger(), classifier.state_hash()
    labels_given = images.labels is not None
    images = align_labels(images, classifier.card)
    tree = with_measurements(tree, images.channel_names, config.view)
    subject, chosen, gates, real = prepare_subject(images, classifier, model, tree, config, ledger, own)
    known = (
        *quantities(images.channel_names, images.pixel_size_um, config.view),
        *(one.quantity for one in own),
    )
    with ledger.timed("calibration"):
        controls = control_concepts(tree, images, subject.editor, config)
        edits = edits_of(tree, subject, config.size, known, real.to_numpy(), controls)
    target = classifier.card.class_names.index(config.target)
    with ledger.timed("edits"):
        raced = search(tree, edits, target, config)
    with ledger.timed("statistics"):
        table = assess(tree, edits, known, real, chosen.groups, target, config)
    concepts = edits.concepts[: len(tree.phrases())]
    best = _best(table, concepts, config)
    with ledger.timed("examples"):
        dose = dose_table(subject, best, target, chosen.groups, config)
        measured = measured_table(edits, best, known, real.std(axis=0).to_numpy(), chosen.groups)
        examples = example_pictures(subject, chosen, best, target, config)
    classifier.check_unchanged(before)
    return Explanation(
        summary=summarise(
            images, chosen, classifier, model, gates, table, config,
            address=address, phrases=len(concepts), controls=len(controls), raced=raced,
            labels_given=labels_given,
        ),
        effects=table,
        cells=_cells(chosen, edits, concepts, target),
        examples=examples,
        dose=dose,
        measured=measured,
        concepts=tuple(c.as_dict() for c in concepts),
        directions={c.id: c.direction for c in concepts},
        config=config.model_dump(mode="json"),
        cost=ledger.summary(),
        tree={**tree.as_dict(), "transcript": [dict(turn) for turn in transcript]},
    )  # fmt: skip


def assess(
    tree: ConceptTree,
    edits: PhraseEdits,
    known: Sequence[Quantity],
    real: pd.DataFrame,
    groups: NDArray[np.str_] | None,
    target: int,
    config: SemanticConfig,
) -> pd.DataFrame:
    """Check edits, take leakage out of their effects, test and rank them.

    Parameters
    ----------
    tree : ConceptTree
        Its phrases are the first concepts of the edits, in order. Those that follow are controls: edits to
        learn leakage from, not tested.
    edits : PhraseEdits
        Rendered.
    known : sequence of Quantity
        The measurements.
    real : DataFrame
        Measurements of real images, a column each.
    groups : ndarray of str, optional
        Unit of replication of the images.
    target : int
        Index of the target.
    config : SemanticConfig
        Thresholds.

    Returns
    -------
    DataFrame
        A row per phrase of the tree and sign, by rank.
    """
    asked = tree.phrases()
    nodes = (*asked, *(Node(control.id, control.name) for control in edits.concepts[len(asked) :]))
    values, total, changes = real.to_numpy(), edits.effects(target), central(edits.changes)
    checks = check_edits(changes, nodes, known, values, groups, config)
    own = own_effects(central(total), changes, checks, np.array([n.rises for n in nodes]), values)
    scale = float(margin_of(edits.subject.null_logits, target).std())
    return ranked(tree, asked, edits, checks, Outcome(total, own, scale), groups, target, config)


def central(changes: FloatArray) -> FloatArray:
    """Half the difference between the edits along a phrase and away from it, for either sign.

    What both have in common is no doing of the phrase: detail that any rendering loses, above all.

    Parameters
    ----------
    changes : ndarray, shape (K, n, 2, ...)
        Edits less null edits, at strengths +1 and -1.

    Returns
    -------
    ndarray, shape (K, n, 2, ...)
        The second is the first's negative.
    """
    half = (changes[:, :, 0] - changes[:, :, 1]) / 2
    return np.stack([half, -half], axis=2)


def _best(
    table: pd.DataFrame, concepts: tuple[Concept, ...], config: SemanticConfig
) -> list[tuple[Concept, int]]:
    """The best phrases that are significant, or checked where nothing is tested, with their better sign."""
    by_id = {c.id: c for c in concepts}
    shown = table["edit"] == DONE if config.search == "rank" else table["significant"]
    good = table[shown].drop_duplicates("concept").head(config.top)
    return [(by_id[row["concept"]], int(row["sign"])) for row in good.to_dict("records")]


def _cells(chosen: Images, edits: PhraseEdits, concepts: tuple[Concept, ...], target: int) -> pd.DataFrame:
    """A row per image: what it is, and how much each phrase moves it."""
    subject, effects = edits.subject, edits.effects(target)
    names = subject.judge.classifier.card.class_names
    head = {
        "id": list(chosen.ids),
        "label": None if chosen.labels is None else [chosen.class_names[i] for i in chosen.labels],
        "group": None if chosen.groups is None else chosen.groups,
    }
    logits = {f"logit_{name}": subject.null_logits[:, k] for k, name in enumerate(names)}
    scores = {f"score_{c.id}": np.nan_to_num(effects[k, :, 0]) for k, c in enumerate(concepts)}
    return pd.DataFrame({**head, **logits, **scores})
