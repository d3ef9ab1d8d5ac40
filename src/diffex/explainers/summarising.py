"""The head of a run: everything about an explanation that is not a table."""

import datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from diffex.effects.replication import replication_units
from diffex.explainers.answer import answer
from diffex.explainers.config import AttributeConfig
from diffex.explainers.preparing import Prepared
from diffex.explainers.verifying import Verified
from diffex.generators.model import Model
from diffex.images import Images


def summarise(
    images: Images,
    model: Model,
    prepared: Prepared,
    table: pd.DataFrame,
    verified: list[Verified],
    size: float,
    proposed: int,
    config: AttributeConfig,
) -> dict[str, Any]:
    """Write the head of the run: who was asked what, how it was split, what was found, in plain values.

    Parameters
    ----------
    images : Images
        All that were given.
    model : Model
        Generator, classifier, gates.
    prepared : Prepared
        The sample.
    table : DataFrame
        Ranked effects.
    verified : list of Verified
        The best attributes.
    size : float
        Common size of strength 1.
    proposed : int
        Concepts before merging.
    config : AttributeConfig
        Target and seed.

    Returns
    -------
    dict
        ``explanation.json``.
    """
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
        "answer": list(answer(table, verified, config.target, unit, groups, config.q)),
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
        "warnings": _warnings(verified),
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


def _listed(strengths: tuple[float, ...]) -> str:
    return " and ".join(f"{strength:g}" for strength in strengths)


def _warnings(verified: list[Verified]) -> list[str]:
    found = [
        f"Edits along {v.concept.id} can be told from real images even at the smallest strength."
        for v in verified
        if np.isnan(v.max_strength)
    ]
    found += [
        f"Edits along {v.concept.id} can be told from real images at strength {_listed(v.gaps)}, though not "
        f"at {v.max_strength:g}: few real images lie there."
        for v in verified
        if v.gaps
    ]
    found += [
        f"The check that {v.concept.id} stays realistic has no power: "
        "it does not find edits three times as strong."
        for v in verified
        if not np.isnan(v.max_strength) and not v.control_found
    ]
    return found
