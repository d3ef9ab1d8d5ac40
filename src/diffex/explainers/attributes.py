"""Attributes of a classifier, end to end: propose, calibrate, render, test, verify, name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.concepts import Concept, Evidence, merge_duplicates, propose_concepts
from diffex.effects.arrays import SIGNS
from diffex.effects.attenuation import shown
from diffex.effects.matrix import EffectMatrix
from diffex.effects.strengths import calibrate, typical_size
from diffex.explainers.breakdown import breakdown
from diffex.explainers.config import AttributeConfig
from diffex.explainers.covering import best_columns, coverage, usable
from diffex.explainers.driving import driven
from diffex.explainers.naming import measure_like, measured_changes, name_of, named_quantities, off_target
from diffex.explainers.preparing import Prepared, prepare
from diffex.explainers.searching import compare_with_exact, search_effects
from diffex.explainers.showing import example_pictures
from diffex.explainers.significance import ranked_table
from diffex.explainers.summarising import search_part, summarise
from diffex.explainers.verifying import Verified, Verifier, make_verifier, passing_first, verify
from diffex.generators.model import Model
from diffex.images import Images, require_classes
from diffex.responses.scores import strength_axes
from diffex.runs import Explanation
from diffex.runs.tables import DOSE_COLUMNS, MEASURED_COLUMNS

Propose = Callable[[Evidence], list[Concept]]
_SIZE_IMAGES = 48


def explain_attributes(images: Images, model: Model, config: AttributeConfig) -> Explanation:
    """Find, test and rank the attributes that move a classifier.

    Parameters
    ----------
    images : Images
        Real images of the model's form. Where the model was fitted on them, effects are estimated on those
        that it held out.
    model : Model
        Generator and classifier.
    config : AttributeConfig
        Target, sizes, seed.

    Returns
    -------
    Explanation
        Ready to be saved and reported.

    Raises
    ------
    GateError
        If a gate of the model failed and `config.force` is False.
    InputError, ClassifierError
        If images, target or classifier do not fit, or labelled images are of one class only.
    """
    if images.labels is not None:
        require_classes(images)
    return explain_concepts(images, model, config, _proposer(config), CostLedger())


def explain_concepts(
    images: Images, model: Model, config: AttributeConfig, propose: Propose, ledger: CostLedger
) -> Explanation:
    """Test and rank any concepts of the code; see `explain_attributes`.

    Parameters
    ----------
    images : Images
        Real images of the model's form.
    model : Model
        Generator and classifier.
    config : AttributeConfig
        Target, sizes, seed; its sources of concepts are not asked.
    propose : callable
        From the evidence to concepts, at least four random directions among them.
    ledger : CostLedger
        The account.

    Returns
    -------
    Explanation
        Ready to be saved and reported.
    """
    model.require_gates(force=config.force)
    model.check_images(images)
    before = model.classifier.state_hash()
    prepared = prepare(images, model, config, ledger)
    with ledger.timed("concepts"):
        concepts, size, proposed = calibrated(prepared, propose(prepared.evidence))
    with ledger.timed("matrix"):
        matrix, searched = search_effects(prepared, concepts, config.search, config.top)
        compared = compare_with_exact(prepared, concepts, (matrix, searched))
    with ledger.timed("statistics"):
        table = ranked_table(prepared, matrix, searched, concepts, size, config)
    with ledger.timed("verification"):
        verifier = make_verifier(prepared, images, model.generator, config)
        verified = _verify_best(verifier, prepared, table, concepts, config)
    with ledger.timed("measurement"):
        measured, leaks = _measure(verifier, prepared, verified)
    with ledger.timed("drivers"):
        followed, told = driven(prepared, config.q, config.seed) if config.drivers else (None, None)
    with ledger.timed("examples"):
        examples = example_pictures(prepared, model.generator, verified, config)
    model.classifier.check_unchanged(before)
    table = _complete(table, verified, measured, leaks)
    rows = usable(table, matrix)
    covered = coverage(prepared, matrix, rows, dict(zip(table["concept"], table["name"], strict=True)))
    head = summarise(images, model, prepared, table, verified, size, proposed, config, compared=compared)
    cells = _cells(prepared, matrix, verified, model)
    return Explanation(
        summary={**head, "coverage": covered, "drivers": told},
        effects=table,
        cells=cells.assign(**best_columns(prepared, matrix, rows)),
        examples=examples,
        dose=_stacked([v.dose for v in verified], DOSE_COLUMNS),
        measured=measured,
        concepts=tuple(c.as_dict() for c in concepts),
        directions={c.id: c.direction for c in concepts},
        config=config.model_dump(mode="json"),
        cost=ledger.summary() | {"search": search_part(config.search, compared)},
        breakdown=breakdown(cells, ~prepared.half, verified),
        drivers=followed,
    )


def calibrated_concepts(prepared: Prepared, config: AttributeConfig) -> tuple[list[Concept], float, int]:
    """Propose concepts, merge near duplicates, scale all to one perceptual size.

    Parameters
    ----------
    prepared : Prepared
        Evidence and renderer.
    config : AttributeConfig
        How many, of which kinds.

    Returns
    -------
    (list of Concept, float, int)
        As of `calibrated`.
    """
    return calibrated(prepared, _proposer(config)(prepared.evidence))


def _proposer(config: AttributeConfig) -> Propose:
    return lambda evidence: propose_concepts(evidence, config.concepts, config.kinds)


def calibrated(prepared: Prepared, proposed: list[Concept]) -> tuple[list[Concept], float, int]:
    """Merge near duplicates and scale all to one perceptual size.

    Parameters
    ----------
    prepared : Prepared
        Evidence and renderer.
    proposed : list of Concept
        Of any length.

    Returns
    -------
    (list of Concept, float, int)
        Concepts, the common size, and how many there were before merging.
    """
    evidence = prepared.evidence
    merged = merge_duplicates(proposed, evidence.metric)
    selecting = np.flatnonzero(prepared.half)
    some = selecting[evenly(len(selecting), _SIZE_IMAGES)]
    size = typical_size(prepared.screen, prepared.rows(some), prepared.ledger)
    concepts = calibrate(merged, prepared.screen, prepared.sizing, evidence.metric, size, prepared.ledger)
    return concepts, size, len(proposed)


def _verify_best(
    verifier: Verifier,
    prepared: Prepared,
    table: pd.DataFrame,
    concepts: list[Concept],
    config: AttributeConfig,
) -> list[Verified]:
    """Verify the best significant rows, one sign of each concept; those that pass their gate lead."""
    by_id = {c.id: c for c in concepts}
    good = table[table["significant"] & (table["kind"] != "random")]
    best = good.drop_duplicates("concept").head(config.top)
    pairs = zip(best["concept"], best["sign"], strict=True)
    found = [verify(verifier, prepared, by_id[name], int(sign), config.strengths) for name, sign in pairs]
    return passing_first(found)


def _measure(
    verifier: Verifier, prepared: Prepared, verified: list[Verified]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Measure null edits and edits of the verified images, at each attribute's strength."""
    if not verified:
        return pd.DataFrame(columns=MEASURED_COLUMNS), {}
    rows, images = verifier.rows, prepared.images
    editor, ledger = verifier.editor, prepared.ledger
    groups = None if images.groups is None else images.groups[rows]

    def tabulated(x: torch.Tensor) -> pd.DataFrame:
        ledger.count("measurement", len(x) * editor.evaluations)
        return measure_like(images, x, rows, prepared.shape_channel)

    original = measure_like(images, prepared.x[rows], rows, prepared.shape_channel)
    null = tabulated(editor.null(verifier.inversion))
    renders = shown(original, null, verifier.inversion.codes.double().cpu().numpy())
    spread = prepared.evidence.measured.std(axis=0).to_numpy()
    tables, leaks = [], {}
    for v in verified:
        after = tabulated(editor.edit(verifier.inversion, v.concept, v.sign * v.strength))
        changes = measured_changes(null, after, prepared, groups, renders)
        tables.append(changes.assign(concept=v.concept.id, sign=v.sign, strength=v.strength))
        named = named_quantities(changes, v.concept.id, prepared.evidence.quantities)
        leaks[v.concept.id] = off_target(original, null, after, spread, named)
    return pd.concat(tables, ignore_index=True)[MEASURED_COLUMNS], leaks


def _complete(
    table: pd.DataFrame,
    verified: list[Verified],
    measured: pd.DataFrame,
    leaks: dict[str, float],
) -> pd.DataFrame:
    """Add what only the verified rows have; the others carry NaN."""
    table = table.assign(
        strength=1.0, max_strength=np.nan, on_manifold=False, off_target=np.nan, words=table["name"],
        trend_p=np.nan, half_flip=np.nan, control_found=False,
    )  # fmt: skip
    for v in verified:
        row = (table["concept"] == v.concept.id) & (table["sign"] == v.sign)
        own = measured[(measured["concept"] == v.concept.id) & (measured["sign"] == v.sign)]
        table.loc[row, "max_strength"] = v.max_strength
        table.loc[row, "control_found"] = v.control_found
        table.loc[row, "on_manifold"] = bool(v.at(1.0)["on_manifold"])
        table.loc[row, "trend_p"] = v.trend.p
        table.loc[row, "half_flip"] = np.nan if v.trend.half_flip is None else v.trend.half_flip
        table.loc[row, "off_target"] = leaks[v.concept.id]
        table.loc[row, "words"] = name_of(own, v.concept.id)
    return table


def _stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _cells(prepared: Prepared, matrix: EffectMatrix, verified: list[Verified], model: Model) -> pd.DataFrame:
    """One row per image: logits, code, how far along each verified attribute it stands, and its effect there.

    Both follow the sign of the verified row; an effect is NaN where a search did not render the image.
    """
    images, codes = prepared.images, prepared.inversion.codes.double().numpy()
    logits = prepared.logits
    names = model.classifier.card.class_names
    labels = logits.argmax(1) if images.labels is None else images.labels
    columns: dict[str, Any] = {
        "id": list(images.ids),
        "label": [names[k] for k in labels],
        "group": [None] * len(images) if images.groups is None else [str(g) for g in images.groups],
    }
    columns |= {f"logit_{name}": logits[:, k] for k, name in enumerate(names)}
    columns |= {f"code_{k}": codes[:, k] for k in range(codes.shape[1])}
    effects = matrix.effects(prepared.target)
    position = {name: k for k, name in enumerate(matrix.concepts)}
    for v in verified:
        columns[f"score_{v.concept.id}"] = attribute_score(codes, v, prepared.evidence.covariance)
        columns[f"effect_{v.concept.id}"] = effects[:, position[v.concept.id], SIGNS.index(v.sign)]
    return pd.DataFrame(columns)


def attribute_score(
    codes: NDArray[np.float64], verified: Verified, covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far along an attribute codes stand, in units of its strength 1.

    Parameters
    ----------
    codes : ndarray, shape (n, d)
        Of the images.
    verified : Verified
        The attribute and its sign.
    covariance : ndarray, shape (d, d)
        Of the codes.

    Returns
    -------
    ndarray, shape (n,)
        Coordinate along the direction, by least squares in the codes' own metric; mean 0.
    """
    return strength_axes(codes, covariance, [verified.concept], [verified.sign]).scores(codes)[:, 0]
