"""One run of the report, laid out for the templates."""

from typing import Any

from diffex.report.attacks import attack_panel
from diffex.report.attribute import attribute_section
from diffex.report.disagreements import disagreement_panel
from diffex.report.drivers import driver_panel
from diffex.report.facts import (
    METHODS,
    banners,
    cost_facts,
    coverage_words,
    gate_rows,
    interval_words,
    paper,
    provenance,
    splits,
)
from diffex.report.pictures import MOST_CONCEPTS, Gallery, Plate, open_gallery, open_plate, scale_words
from diffex.report.ranking import Anchors, best_rows, rank_rows
from diffex.report.rules import rule_panel
from diffex.report.sanity import sanity_panel
from diffex.report.sheets import sheets
from diffex.report.slider import cell_data, edit_data, open_reel
from diffex.report.transcript import turns
from diffex.report.traversals import traversal_figure
from diffex.report.tree import tree_panel
from diffex.report.vocabulary import vocabulary
from diffex.report.why import why_panels
from diffex.runs import Explanation, Salvaged
from diffex.runs.folder import HEAD
from diffex.runs.tables import EFFECTS

Best = dict[str, dict[Any, Any]]


def lay_out(found: Salvaged, prefix: str) -> dict[str, Any]:
    """Lay out a run.

    Parameters
    ----------
    found : Salvaged
        What could be read of it.
    prefix : str
        Of all ids in the page.

    Returns
    -------
    dict
        What the templates want. Panels whose part is missing are None or empty.
    """
    explanation, known = found.explanation, found.has(HEAD)
    summary = explanation.summary
    return {
        "prefix": prefix,
        "known": known,
        "problems": tuple(found.problems.values()),
        "method": METHODS.get(summary["method"], summary["method"]),
        "summary": summary,
        "banners": banners(summary),
        "intervals": interval_words(summary),
        "covered": coverage_words(summary),
        "rules": rule_panel(explanation.rules, summary["target"]),
        "traversals": traversal_figure(explanation),
        "disputed": disagreement_panel(explanation),
        "attacks": attack_panel(explanation),
        "asked": turns(explanation.tree),
        "gates": gate_rows(summary),
        "drivers": driver_panel(explanation),
        "sanity": sanity_panel(found),
        "whys": why_panels(found, prefix),
        "provenance": provenance(summary) if known else (),
        "splits": splits(summary),
        "cost": cost_facts(explanation.cost),
        "paper": paper(summary["method"]),
        **_panels(explanation, prefix, ranked=found.has(EFFECTS.file)),
    }


def _panels(explanation: Explanation, prefix: str, *, ranked: bool) -> dict[str, Any]:
    """Everything that stands on the table of effects."""
    words = vocabulary(explanation.summary["method"])
    best = best_rows(explanation.effects)
    gallery = open_gallery(explanation) if len(explanation.examples["concepts"]) else None
    anchors = _anchors(explanation, gallery, best, f"{prefix}-{words.thing}")
    plates = {concept: open_plate(gallery, best[concept]) for concept, _ in anchors} if gallery else {}
    return {
        "words": words,
        "ranking": rank_rows(explanation, anchors, words) if ranked else None,
        "tree": tree_panel(explanation, anchors, words) if ranked else None,
        "sections": [
            attribute_section(explanation, plates.get(concept), best[concept], anchor, words)
            for (concept, _), anchor in anchors.items()
        ],
        "sheets": sheets(explanation, {anchor: best[concept] for (concept, _), anchor in anchors.items()}),
        **_pictures(gallery, plates, {concept: anchor for (concept, _), anchor in anchors.items()}),
    }


def _anchors(explanation: Explanation, gallery: Gallery | None, best: Best, stem: str) -> Anchors:
    """Name the sections: one per concept with pictures; without any, per concept with a dose curve."""
    rendered = set(explanation.dose["concept"])
    without = [concept for concept in best if concept in rendered][:MOST_CONCEPTS]
    shown = [concept for concept in (gallery.concepts if gallery else without) if concept in best]
    return {(concept, int(best[concept]["sign"])): f"{stem}{i}" for i, concept in enumerate(shown, 1)}


def _pictures(gallery: Gallery | None, plates: dict[str, Plate], anchors: dict[str, str]) -> dict[str, Any]:
    if gallery is None:
        return {"reel": None, "cells": {}, "edits": {}, "scale": "", "cells_shown": (0, 0)}
    reel = open_reel(gallery)
    return {
        "reel": reel,
        "cells": cell_data(reel),
        "edits": {anchors[concept]: edit_data(reel, plate) for concept, plate in plates.items()},
        "scale": scale_words(gallery.explanation),
        "cells_shown": gallery.cells_shown(),
    }
