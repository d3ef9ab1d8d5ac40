"""The head of a run: everything about an explanation that is not a table."""

import datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from diffex.classifiers import Classifier
from diffex.effects.agreement import Agreement
from diffex.effects.replication import replication_units
from diffex.explainers.answer import answer
from diffex.explainers.config import AttributeConfig, Search
from diffex.explainers.magnification import model_magnification
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
    *,
    compared: Agreement | None,
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
    compared : Agreement or None
        How the search compares with rendering everything; None where everything was rendered.

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
        "answer": list(answer(table, verified, config.target, unit, groups, config.q, compared)),
        "classifier": classifier_part(model.classifier, quality),
        "model": {"address": model.address, "state_hash": model.state_hash(), "forced": not model.passed},
        "gates": [gate.as_dict() for gate in model.gates],
        "images": images_part(images),
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
        "warnings": [
            *model_magnification(model, images), *_warnings(verified),
            *_search_warnings(table, compared, config),
        ],
        **made_with("diffex", "torch", "diffusers", "numpy"),
        "search": {
            "strength_size": size, "depth": 1, "verify_depth": config.verify_depth,
            **search_part(config.search, compared),
        },
    }  # fmt: skip


def search_part(search: Search, compared: Agreement | None) -> dict[str, Any]:
    """Say how edits were searched, and how that compares with rendering all of them.

    Parameters
    ----------
    search : {"exact", "race", "gradient"}
        Which edits were rendered.
    compared : Agreement or None
        None where everything was rendered.

    Returns
    -------
    dict
        ``method`` and ``agreement``.
    """
    return {"method": search, "agreement": None if compared is None else compared.as_dict()}


def classifier_part(classifier: Classifier, quality: dict[str, float] | None) -> dict[str, Any]:
    """Say which classifier was explained.

    Parameters
    ----------
    classifier : Classifier
        The thing explained.
    quality : dict, optional
        Its balanced accuracy, where it is known.

    Returns
    -------
    dict
        Part ``classifier`` of the head.
    """
    return {
        "address": classifier.address,
        "state_hash": classifier.state_hash(),
        "card": classifier.card.model_dump(mode="json"),
        "balanced_accuracy": _accuracy(quality),
    }


def images_part(images: Images) -> dict[str, Any]:
    """Say what images were explained.

    Parameters
    ----------
    images : Images
        All that were given.

    Returns
    -------
    dict
        Part ``images`` of the head.
    """
    return {
        "source": repr(images),
        "channel_names": list(images.channel_names),
        "value_range": list(images.value_range),
        "dtype": images.dtype,
        "size": list(images.size),
        "pixel_size_um": images.pixel_size_um,
    }


def made_with(*packages: str) -> dict[str, Any]:
    """Say when and by which versions a run is made.

    Parameters
    ----------
    *packages : str
        Whose versions count.

    Returns
    -------
    dict
        Parts ``versions`` and ``created`` of the head.
    """
    return {
        "versions": {name: version(name) for name in packages},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _accuracy(quality: dict[str, float] | None) -> dict[str, float] | None:
    if quality is None:
        return None
    return {
        "value": quality["balanced_accuracy"],
        "low": quality["low"],
        "high": quality["high"],
        "images": quality["images"],
    }


def _search_warnings(table: pd.DataFrame, compared: Agreement | None, config: AttributeConfig) -> list[str]:
    """Say where a search may have changed the answer."""
    if compared is None:
        return []
    found = table[table["significant"]]["concept"].nunique()
    said = []
    if compared.overtaking:
        said.append(
            f"The search ({config.search}) dropped {compared.overtaking} concepts that beat the last of the "
            f"best {compared.top} on the {compared.images} images checked: use --search exact."
        )
    if found >= compared.kept:
        said.append(
            f"The search ({config.search}) followed the strongest concepts alone, and all of them are "
            "significant: further ones may be. Use --search exact."
        )
    return said


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
