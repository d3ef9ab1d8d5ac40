"""Results as a piece of a page, for notebooks: no script, nothing loaded from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from diffex.report.facts import METHODS, banners, interval_words
from diffex.report.pictures import Figure, lead_figure, open_gallery, open_plate, scale_words
from diffex.report.ranking import Ranking, best_rows, rank_rows
from diffex.report.rendering import page_environment
from diffex.report.responders import response_panels
from diffex.report.rules import rule_panel
from diffex.report.vocabulary import vocabulary
from diffex.runs import Explanation

_ROWS, _CELLS = 6, 3
_SIDE = 128  # pixels of a picture: three rows of them keep a notebook small


def explanation_html(explanation: Explanation) -> str:
    """Show an explanation in a notebook: the answer, the leading rows, the pictures of the first.

    Parameters
    ----------
    explanation : Explanation
        What a method found.

    Returns
    -------
    str
        A ``div`` element with its own style; all text is escaped. `render_report` shows everything.
    """
    summary = explanation.summary
    words = vocabulary(summary["method"])
    ranking = rank_rows(explanation, {}, words)
    return _render(
        "explanation",
        {
            "method": METHODS.get(summary["method"], summary["method"]),
            "summary": summary,
            "banners": banners(summary),
            "rule": _rule(explanation),
            "words": words,
            "ranking": replace(ranking, leading=ranking.leading[:_ROWS]),
            "intervals": interval_words(summary),
            "figure": _figure(explanation, ranking),
            "scale": scale_words(explanation),
        },
    )


def responses_html(
    head: Mapping[str, Any], sentences: Sequence[str], tables: Mapping[str, pd.DataFrame]
) -> str:
    """Show a dose series in a notebook: the answer and every curve.

    Parameters
    ----------
    head, sentences, tables
        As for `render_responders`.

    Returns
    -------
    str
        A ``div`` element with its own style; all text is escaped.
    """
    panels = response_panels(head, tables)
    return _render("responses", {"head": head, "sentences": sentences, "panels": panels})


def _render(macro: str, page: dict[str, Any]) -> str:
    module: Any = page_environment().get_template("notebook.html").module
    return str(getattr(module, macro)(page))


def _rule(explanation: Explanation) -> dict[str, Any] | None:
    """The formula of the target; its panel comes first."""
    panel = rule_panel(explanation.rules, explanation.summary["target"])
    return panel["rules"][0] if panel and panel["rules"] else None


def _figure(explanation: Explanation, ranking: Ranking) -> Figure | None:
    """A few cells along the first concept of the table that has pictures."""
    pictured = [str(name) for name in explanation.examples["concepts"]]
    if not pictured or not len(explanation.examples["ids"]):
        return None
    led = [row.concept for row in ranking.leading if row.concept in pictured]
    concept = [*led, *pictured][0]
    gallery = replace(open_gallery(explanation), factor=_SIDE / max(explanation.summary["images"]["size"]))
    plate = open_plate(gallery, best_rows(explanation.effects)[concept])
    return lead_figure(replace(plate, cells=plate.cells[:_CELLS]))
