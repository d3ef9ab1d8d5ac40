"""Attributes of a classifier, end to end: propose, calibrate, render, test, verify, name."""

import datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diffex.concepts import Concept, merge_duplicates, propose_concepts
from diffex.editors import Inversion
from diffex.effects.arrays import SIGNS
from diffex.effects.matrix import EffectMatrix, effect_matrix
from diffex.effects.nulls import linear_effects, random_direction_null
from diffex.effects.ranking import TableSettings, effect_table
from diffex.effects.replication import replication_units
from diffex.effects.strengths import calibrate, typical_size
from diffex.explainers.answer import answer
from diffex.explainers.config import AttributeConfig
from diffex.explainers.naming import measure_like, measured_changes, name_of, named_quantities, off_target
from diffex.explainers.preparing import Prepared, prepare
from diffex.explainers.showing import example_pictures
from diffex.explainers.verifying import Verified, Verifier, make_verifier, verify
from diffex.generators.model import Model
from diffex.images import Images
from diffex.runs import Explanation

_CALIBRATION_IMAGES = 8
_SIZE_IMAGES = 48


def explain_attributes(images: Images, model: Model, config: AttributeConfig) -> Explanation:
    """Find, test and rank the attributes that move a classifier.

    Parameters
    ----------
    images : Images
        Real images of the model's form, best not those it was fitted on.
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
        If images, target or classifier do not fit.
    """
    model.require_gates(force=config.force)
    model.check_images(images)
    before = model.classifier.state_hash()
    prepared = prepare(images, model, config)
    ledger = prepared.ledger
    with ledger.timed("concepts"):
        concepts, size, proposed = calibrated_concepts(prepared, config)
    with ledger.timed("matrix"):
        matrix = effect_matrix(
            prepared.screen, prepared.judge, prepared.inversion, concepts, model.generator.pixels.size
        )
    with ledger.timed("statistics"):
        table = ranked_table(prepared, matrix, concepts, size, config)
    with ledger.timed("verification"):
        verifier = make_verifier(prepared, images, model.generator, config)
        verified = _verify_best(verifier, prepared, table, concepts, config)
    with ledger.timed("measurement"):
        measured, leaks = _measure(verifier, prepared, verified)
    with ledger.timed("examples"):
        examples = example_pictures(prepared, model.generator, verified, config)
    model.classifier.check_unchanged(before)
    table = _complete(table, verified, measured, leaks)
    return Explanation(
        summary=_summary(images, model, prepared, table, verified, size, proposed, config),
        effects=table,
        cells=_cells(prepared, matrix, verified, model),
        examples=examples,
        dose=_stacked([v.dose for v in verified], _DOSE_COLUMNS),
        measured=measured,
        concepts=tuple(c.as_dict() for c in concepts),
        directions={c.id: c.direction for c in concepts},
        config=config.model_dump(mode="json"),
        cost=ledger.summary(),
    )


_DOSE_COLUMNS = [
    *("concept", "sign", "strength", "effect", "low", "high"),
    *("flip_rate", "flip_low", "flip_high", "n", "discriminator_auroc", "on_manifold"),
]
_MEASURED_COLUMNS = [
    *("concept", "sign", "strength", "quantity", "words", "unit", "kind", "log"),
    *("before", "after", "change", "low", "high", "change_sd"),
]


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
        Concepts, the common size, and how many there were before merging.
    """
    evidence = prepared.evidence
    proposed = propose_concepts(evidence, config.concepts, config.kinds)
    merged = merge_duplicates(proposed, evidence.metric)
    selecting = np.flatnonzero(prepared.half)
    some = selecting[np.linspace(0, len(selecting) - 1, min(len(selecting), _SIZE_IMAGES)).astype(int)]
    few = some[np.linspace(0, len(some) - 1, min(len(some), _CALIBRATION_IMAGES)).astype(int)]
    size = typical_size(prepared.screen, _rows(prepared, some), prepared.ledger)
    concepts = calibrate(
        merged, prepared.screen, _rows(prepared, few), evidence.metric, size, prepared.ledger
    )
    return concepts, size, len(proposed)


def _rows(prepared: Prepared, rows: NDArray[np.int64]) -> Inversion:
    whole = prepared.inversion
    index = torch.from_numpy(rows)
    return Inversion(tuple(whole.ids[i] for i in rows), whole.codes[index], whole.noise[index])


def ranked_table(
    prepared: Prepared, matrix: EffectMatrix, concepts: list[Concept], size: float, config: AttributeConfig
) -> pd.DataFrame:
    """Test every row against zero and against arbitrary directions of equal size, and rank.

    Parameters
    ----------
    prepared : Prepared
        Gradients, halves, groups.
    matrix : EffectMatrix
        Rendered.
    concepts : list of Concept
        Of the matrix; its random directions calibrate the null.
    size : float
        The common size.
    config : AttributeConfig
        False discovery rate and seed.

    Returns
    -------
    DataFrame
        Rows by rank, with concept, kind and name.
    """
    effects = matrix.effects(prepared.target)
    estimating = ~prepared.half
    mean = effects[estimating].mean(0)  # (K, 2)
    directions = np.stack([c.direction.double().numpy() for c in concepts])
    gradients = prepared.gradients[estimating]
    linear = linear_effects(gradients, directions)[:, None] * np.array(SIGNS)
    random = np.array([c.kind == "random" for c in concepts])
    null = random_direction_null(
        gradients, prepared.evidence.metric, prepared.evidence.covariance, size, seed=config.seed
    ).calibrated(mean[random].ravel(), linear[random].ravel(), config.seed)
    table = effect_table(
        within_strata(effects, _strata(prepared), prepared.half, prepared.images.groups),
        matrix.flips(prepared.target),
        matrix.eligible(prepared.target),
        null.p(mean),
        prepared.half,
        groups=prepared.images.groups,
        settings=TableSettings(q=config.q, seed=config.seed),
    )
    index = table["concept"].to_numpy()
    side = np.where(table["sign"].to_numpy() > 0, 0, 1)
    return table.assign(
        concept=[concepts[k].id for k in index],
        kind=[concepts[k].kind for k in index],
        name=[concepts[k].name for k in index],
        parent=[concepts[k].parent for k in index],
        size=matrix.sizes[index, side],
    ).sort_values("rank", ignore_index=True)


def _strata(prepared: Prepared) -> NDArray[np.int64]:
    """Class of each image; the sample was balanced over them."""
    if prepared.images.labels is None:
        return np.zeros(len(prepared.images), dtype=np.int64)
    return prepared.images.labels


def within_strata(
    effects: NDArray[np.float64],
    strata: NDArray[np.int64],
    half: NDArray[np.bool_],
    groups: NDArray[np.str_] | None,
) -> NDArray[np.float64]:
    """Take differences between class means out of the spread, since the class shares are fixed by design.

    Parameters
    ----------
    effects : ndarray, shape (n, K, 2)
        Per image.
    strata : ndarray of int, shape (n,)
        Class of each image.
    half : ndarray of bool, shape (n,)
        The halves are treated apart.
    groups : ndarray of str, shape (n,), optional
        Units of replication; else images are.

    Returns
    -------
    ndarray, shape (n, K, 2)
        With the same mean in either half, spread within classes, scaled for the degrees of freedom lost.
        Without this, wells of different classes would count as replicates of one another.
    """
    result = effects.copy()
    for part in (half, ~half):
        present = np.unique(strata[part])
        units = part.sum() if groups is None else len(np.unique(groups[part]))
        scale = np.sqrt((units - 1) / max(units - len(present), 1))
        middle = effects[part].mean(0)
        for stratum in present:
            rows = part & (strata == stratum)
            result[rows] = middle + scale * (effects[rows] - effects[rows].mean(0))
    return result


def _verify_best(
    verifier: Verifier,
    prepared: Prepared,
    table: pd.DataFrame,
    concepts: list[Concept],
    config: AttributeConfig,
) -> list[Verified]:
    """Verify the best significant rows that raise the target, one sign of each concept."""
    by_id = {c.id: c for c in concepts}
    good = table[table["significant"] & (table["effect"] > 0) & (table["kind"] != "random")]
    best = good.drop_duplicates("concept").head(config.top)
    pairs = zip(best["concept"], best["sign"], strict=True)
    return [verify(verifier, prepared, by_id[name], int(sign), config.strengths) for name, sign in pairs]


def _measure(
    verifier: Verifier, prepared: Prepared, verified: list[Verified]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Measure null edits and edits of the verified images, at each attribute's strength."""
    if not verified:
        return pd.DataFrame(columns=_MEASURED_COLUMNS), {}
    rows, images = verifier.rows, prepared.images
    editor, ledger = verifier.editor, prepared.ledger
    groups = None if images.groups is None else images.groups[rows]

    def tabulated(x: torch.Tensor) -> pd.DataFrame:
        ledger.count("measurement", len(x) * editor.evaluations)
        return measure_like(images, x, rows, prepared.shape_channel)

    original = measure_like(images, prepared.x[rows], rows, prepared.shape_channel)
    null = tabulated(editor.null(verifier.inversion))
    spread = prepared.evidence.measured.std(axis=0).to_numpy()
    tables, leaks = [], {}
    for v in verified:
        after = tabulated(editor.edit(verifier.inversion, v.concept, v.sign * v.strength))
        changes = measured_changes(null, after, prepared, groups)
        tables.append(changes.assign(concept=v.concept.id, sign=v.sign, strength=v.strength))
        named = named_quantities(changes, prepared.evidence.quantities)
        leaks[v.concept.id] = off_target(original, null, after, spread, named)
    return pd.concat(tables, ignore_index=True)[_MEASURED_COLUMNS], leaks


def _complete(
    table: pd.DataFrame,
    verified: list[Verified],
    measured: pd.DataFrame,
    leaks: dict[str, float],
) -> pd.DataFrame:
    """Add what only the verified rows have; the others carry NaN."""
    table = table.assign(
        strength=1.0, max_strength=np.nan, on_manifold=False, off_target=np.nan, words=table["name"]
    )
    for v in verified:
        row = (table["concept"] == v.concept.id) & (table["sign"] == v.sign)
        own = measured[(measured["concept"] == v.concept.id) & (measured["sign"] == v.sign)]
        at_one = v.dose[v.dose["strength"] <= 1.0]
        table.loc[row, "max_strength"] = v.max_strength
        table.loc[row, "on_manifold"] = bool(at_one["on_manifold"].all()) and not np.isnan(v.max_strength)
        table.loc[row, "off_target"] = leaks[v.concept.id]
        table.loc[row, "words"] = name_of(own)
    return table


def _stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _cells(prepared: Prepared, matrix: EffectMatrix, verified: list[Verified], model: Model) -> pd.DataFrame:
    """One row per image: logits, code, and how far along each verified attribute it stands."""
    images, codes = prepared.images, prepared.inversion.codes.double().numpy()
    logits = prepared.judge.logits(prepared.x)
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
    direction = verified.sign * verified.concept.direction.double().numpy()
    weight = np.linalg.lstsq(covariance, direction, rcond=1e-6)[0]
    return np.asarray((codes - codes.mean(0)) @ weight / (direction @ weight))


def _summary(
    images: Images,
    model: Model,
    prepared: Prepared,
    table: pd.DataFrame,
    verified: list[Verified],
    size: float,
    proposed: int,
    config: AttributeConfig,
) -> dict[str, Any]:
    chosen, half = prepared.images, prepared.half
    groups = 0 if chosen.groups is None else len(np.unique(chosen.groups))
    unit = replication_units(int((~half).sum()), None if chosen.groups is None else chosen.groups[~half]).unit
    quality = model.record.get("black_box")
    card = model.classifier.card
    return {
        "schema": 1,
        "method": "attributes",
        "target": config.target,
        "class_names": list(card.class_names),
        "seed": config.seed,
        "answer": list(answer(table, verified, config.target, unit, groups)),
        "classifier": {
            "address": model.classifier.address,
            "state_hash": model.classifier.state_hash(),
            "card": card.model_dump(mode="json"),
            "balanced_accuracy": _accuracy(quality),
        },
        "model": {"address": model.address, "state_hash": model.state_hash(), "forced": not model.passed},
        "gates": [gate.as_dict() for gate in model.gates],
        "images": {
            "source": repr(images),
            "channel_names": list(images.channel_names),
            "value_range": list(images.value_range),
            "dtype": images.dtype,
            "size": list(images.size),
            "pixel_size_um": images.pixel_size_um,
        },
        "counts": {
            "images": len(chosen), "by_class": chosen.class_counts(), "groups": groups, "concepts": proposed,
            "merged": len(table) // 2, "selection": int(half.sum()), "estimation": int((~half).sum()),
        },
        "splits": {
            "selection": [name for name, a in zip(chosen.ids, half, strict=True) if a],
            "estimation": [name for name, a in zip(chosen.ids, half, strict=True) if not a],
        },
        "unit": unit,
        "labels_are_predictions": prepared.labels_are_predictions,
        "warnings": _warnings(model, verified),
        "versions": {name: version(name) for name in ("diffex", "torch", "diffusers", "numpy")},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "search": {"strength_size": size, "depth": 1, "verify_depth": config.verify_depth},
    }  # fmt: skip


def _accuracy(quality: dict[str, float] | None) -> dict[str, float] | None:
    if quality is None:
        return None
    return {
        "value": quality["balanced_accuracy"],
        "low": quality["low"],
        "high": quality["high"],
        "images": quality["images"],
    }


def _warnings(model: Model, verified: list[Verified]) -> list[str]:
    found = [f"The model failed a gate: {gate}" for gate in model.gates if not gate.passed]
    found += [
        f"Edits along {v.concept.id} can be told from real images even at the smallest strength."
        for v in verified
        if np.isnan(v.max_strength)
    ]
    found += [
        f"The check that {v.concept.id} stays realistic has no power: "
        "it does not find edits three times as strong."
        for v in verified
        if not np.isnan(v.max_strength) and not v.control_found
    ]
    return found
