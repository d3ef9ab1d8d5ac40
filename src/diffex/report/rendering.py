"""From run folders to one HTML file."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from diffex.base.errors import InputError
from diffex.base.files import write_text
from diffex.report.attribute import attribute_section
from diffex.report.facts import (
    METHODS,
    banners,
    cost_facts,
    gate_rows,
    interval_words,
    paper,
    provenance,
    splits,
)
from diffex.report.numbers import glued
from diffex.report.pictures import open_gallery, scale_words
from diffex.report.ranking import best_rows, rank_rows
from diffex.report.rules import rule_panel
from diffex.report.transcript import turns
from diffex.report.tree import tree_panel
from diffex.report.vocabulary import vocabulary
from diffex.runs import Explanation, read_run


def render_report(run_folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a run: one HTML file, no script, nothing loaded from elsewhere.

    The report computes nothing; it shows what the run folder holds.

    Parameters
    ----------
    run_folder : str or Path
        Written by `write_run`.
    out : str or Path, optional
        The file to write, default ``report.html`` in the run folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FolderError
        If the run is missing or damaged, or the file cannot be written.
    """
    run = Path(run_folder)
    return report_many([run], run / "report.html" if out is None else Path(out))


def report_many(runs: Sequence[Path], out: Path) -> Path:
    """Write several runs to one HTML file, one after another.

    Parameters
    ----------
    runs : sequence of Path
        Run folders, at least one.
    out : Path
        The file to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If there is no run.
    FolderError
        If a run is missing or damaged, or the file cannot be written.
    """
    if not runs:
        raise InputError("No run to report, expected at least one run folder.")
    pages = [_page(read_run(folder), f"run{i}") for i, folder in enumerate(runs, start=1)]
    write_text(out, page_environment().get_template("report.html").render(pages=pages, style=page_style()))
    return out


def page_style() -> Markup:
    """Give the style sheet of all pages.

    Returns
    -------
    Markup
        CSS.
    """
    sheet = files("diffex.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    return Markup(sheet)  # noqa: S704 - it comes with the package


@cache
def page_environment() -> Environment:
    """Give the templates of all pages.

    Returns
    -------
    Environment
        Escapes by itself; an unknown name is an error.
    """
    environment = Environment(
        loader=PackageLoader("diffex.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["glued"] = glued
    return environment


def _page(explanation: Explanation, prefix: str) -> dict[str, Any]:
    summary = explanation.summary
    words = vocabulary(summary["method"])
    gallery, best = open_gallery(explanation), best_rows(explanation.effects)
    shown = [concept for concept in gallery.concepts if concept in best]
    anchors = {
        (concept, int(best[concept]["sign"])): f"{prefix}-{words.thing}{i}"
        for i, concept in enumerate(shown, 1)
    }
    return {
        "prefix": prefix,
        "method": METHODS.get(summary["method"], summary["method"]),
        "summary": summary,
        "words": words,
        "banners": banners(summary),
        "intervals": interval_words(summary),
        "rules": rule_panel(explanation.rules, summary["target"]),
        "ranking": rank_rows(explanation.effects, summary["target"], anchors, words),
        "tree": tree_panel(explanation, anchors, words),
        "asked": turns(explanation.tree),
        "sections": [
            attribute_section(gallery, best[key[0]], anchor, words) for key, anchor in anchors.items()
        ],
        "scale": scale_words(explanation),
        "cells_shown": gallery.cells_shown(),
        "gates": gate_rows(summary),
        "provenance": provenance(summary),
        "splits": splits(summary),
        "cost": cost_facts(explanation.cost),
        "paper": paper(summary["method"]),
    }
