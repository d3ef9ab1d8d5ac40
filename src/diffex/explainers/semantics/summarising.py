"""The head of a semantic run, and its answer in plain sentences."""

from typing import Any

import numpy as np
import pandas as pd

from diffex.classifiers import Classifier
from diffex.effects.replication import replication_units
from diffex.explainers.semantics.checking import DONE, FAILED, LEAKS, UNCHECKED, VERDICTS
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.leakage import FEWEST
from diffex.explainers.summarising import classifier_part, images_part, made_with
from diffex.generators import Gate
from diffex.generators.text.model import TextModel
from diffex.images import Images


def summarise(
    images: Images,
    chosen: Images,
    classifier: Classifier,
    model: TextModel,
    gates: tuple[Gate, ...],
    table: pd.DataFrame,
    config: SemanticConfig,
    *,
    address: str,
    phrases: int,
    controls: int,
    raced: int,
    labels_given: bool,
) -> dict[str, Any]:
    """Write the head of the run, in plain values.

    Parameters
    ----------
    images, chosen : Images
        All that were given, and the sample.
    classifier : Classifier
        The thing explained.
    model : TextModel
        What edited.
    gates : tuple of Gate
        Of re-rendering.
    table : DataFrame
        Ranked effects.
    config : SemanticConfig
        Target and seed.
    address : str
        Where the text model comes from.
    phrases, controls : int
        Of the tree, and mixtures edited beside it.
    raced : int
        How many phrases were edited into all images.
    labels_given : bool
        Whether classes came with the images.

    Returns
    -------
    dict
        ``explanation.json``.
    """
    card = classifier.card
    groups = 0 if chosen.groups is None else len(np.unique(chosen.groups))
    unit = replication_units(len(chosen), chosen.groups).unit
    return {
        "schema": 1,
        "method": "semantics",
        "target": config.target,
        "class_names": list(card.class_names),
        "seed": config.seed,
        "answer": (order(table, config.target) if config.search == "rank"
                   else answer(table, config.target, config.q)),
        "classifier": classifier_part(classifier, None),
        "model": {
            "address": address, "state_hash": model.state_hash(),
            "forced": not all(gate.passed for gate in gates),
        },
        "gates": [gate.as_dict() for gate in gates],
        "images": images_part(images),
        "counts": {
            "images": len(chosen), "by_class": chosen.class_counts(), "groups": groups,
            "concepts": phrases, "controls": controls, "merged": phrases, "on_all_images": raced,
            "selection": 0, "estimation": len(chosen),
            **{f"edits_{word}": int((table["edit"] == word).sum()) for word in VERDICTS},
        },
        "splits": {"selection": [], "estimation": list(chosen.ids)},
        "unit": unit,
        "labels_are_predictions": not labels_given,
        "warnings": warnings(table, controls),
        **made_with("diffex", "torch", "diffusers", "transformers", "numpy"),
        "search": {"kind": config.search, "depth": config.steps, "guidance": config.guidance},
    }  # fmt: skip


def answer(table: pd.DataFrame, target: str, q: float) -> list[str]:
    """Say which phrases move the classifier, by how much, and how many edits could be believed.

    Parameters
    ----------
    table : DataFrame
        Ranked effects.
    target : str
        The class explained.
    q : float
        False discovery rate.

    Returns
    -------
    list of str
        Three sentences.
    """
    tested, found = table[table["edit"] == DONE], table[table["significant"]]
    counted = (
        f"{len(found)} of {len(tested)} checked edits are significant at a false discovery rate of "
        f"{100 * q:g} % over the tree; {len(table) - len(tested)} more were left out, because they failed, "
        "leaked, or nothing measures them."
    )
    if found.empty:
        return [f"No phrase that could be edited in and checked moves the score for {target}.", counted]
    best = found.iloc[0]
    ups, downs = (found[found["effect"] * side > 0]["name"].head(3).tolist() for side in (1, -1))
    said = [f"raised by {_listed(ups)}"] if ups else []
    said += [f"lowered by {_listed(downs)}"] if downs else []
    return [
        f"The classifier's score for {target} is {' and '.join(said)}.",
        f"Most moves “{best['name']}”: it changes the logit margin by {best['effect']:+.2f} "
        f"({best['ci_low']:+.2f} to {best['ci_high']:+.2f}).",
        counted,
    ]


def order(table: pd.DataFrame, target: str) -> list[str]:
    """Say which phrases come first where nothing was tested.

    Parameters
    ----------
    table : DataFrame
        Ranked effects.
    target : str
        The class explained.

    Returns
    -------
    list of str
        Two sentences.
    """
    leaders = table.loc[table["edit"] == DONE, "name"].head(3).tolist()
    said = f"in this order, {_listed(leaders)}" if leaders else "no phrase whose edit could be checked"
    return [
        f"Most move the classifier's score for {target}: {said}.",
        f"This is an order of phrases edited into at most {int(table['n'].max())} images; nothing was tested "
        "(search race or exact).",
    ]


def warnings(table: pd.DataFrame, controls: int) -> list[str]:
    """Name what a reader must not overlook.

    Parameters
    ----------
    table : DataFrame
        Ranked effects.
    controls : int
        Edits beside those of the table.

    Returns
    -------
    list of str
        Empty where there is nothing.
    """
    words = {
        FAILED: "did not change what the phrase names",
        LEAKS: "changed much else besides",
        UNCHECKED: "name nothing that is measured, so that nobody can say whether they happened",
    }
    counts = {word: int((table["edit"] == word).sum()) for word in words}
    told = [f"{counts[word]} of {len(table)} edits {says}." for word, says in words.items() if counts[word]]
    phrases = table["concept"].nunique()
    if phrases + controls < FEWEST:
        told.append(
            f"{phrases} phrases are too few to know what edits do besides: what leaks without being "
            f"measured may be called; give {FEWEST} or more."
        )
    return told


def _listed(names: list[str]) -> str:
    quoted = [f"“{name}”" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
