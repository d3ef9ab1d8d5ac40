"""The two pages as HTML: live edits, and the list of cells; templates escape all text."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from diffex.app.listing import labels_of, list_cells, orders_of
from diffex.app.questions import CellsQuestion
from diffex.app.sliders import sliders_of
from diffex.report.colours import RGB_NAMES, hue_names
from diffex.report.facts import banners
from diffex.runs import Salvaged

ASSETS = {
    "report.css": ("diffex.report", "templates/style.css", "text/css"),
    "app.css": ("diffex.app", "templates/app.css", "text/css"),
    "app.js": ("diffex.app", "templates/app.js", "text/javascript"),
}
"""Name in the address -> package, file, type: nothing else of the package can be asked for."""


def asset(name: str) -> tuple[str, str]:
    """Read a style sheet or script of the package.

    Parameters
    ----------
    name : str
        One of `ASSETS`.

    Returns
    -------
    (str, str)
        Text and type.
    """
    package, file, kind = ASSETS[name]
    return files(package).joinpath(file).read_text(encoding="utf-8"), kind


def live_page(run: Salvaged, cell: str | None) -> str:
    """Write the page of live edits.

    Parameters
    ----------
    run : Salvaged
        The run as far as it can be read.
    cell : str or None
        The cell to begin with; default the first example.

    Returns
    -------
    str
        HTML.
    """
    explanation = run.explanation
    examples = _example_cells(run)
    return _template("live.html").render(
        **_common(run),
        page="live",
        sliders=sliders_of(explanation),
        examples=examples,
        chosen=cell or (examples[0][0] if examples else "run-0" if len(explanation.cells) else ""),
        channels=_channels(explanation.summary["images"]["channel_names"]),
        size=explanation.summary["images"]["size"],
    )


def cells_page(run: Salvaged, question: CellsQuestion, unusual: list[float] | None) -> str:
    """Write the list of cells.

    Parameters
    ----------
    run : Salvaged
        The run as far as it can be read.
    question : CellsQuestion
        Order, class, page.
    unusual : list of float or None
        From the worker.

    Returns
    -------
    str
        HTML.
    """
    return _template("cells.html").render(
        **_common(run),
        page="cells",
        listing=list_cells(run.explanation, question, unusual),
        orders=orders_of(run.explanation),
        labels=labels_of(run.explanation),
        question=question,
        waiting=unusual is None,
    )


def _common(run: Salvaged) -> dict[str, Any]:
    summary = run.explanation.summary
    return {
        "summary": summary,
        "banners": banners(summary),
        "problems": run.problems,
        "count": len(run.explanation.cells),
    }


def _example_cells(run: Salvaged) -> list[tuple[str, str]]:
    """The run's example cells, by name for the page and id."""
    place = {str(name): i for i, name in enumerate(run.explanation.cells["id"])}
    ids = [str(name) for name in run.explanation.examples["ids"]]
    return [(f"run-{place[name]}", name) for name in ids if name in place]


def _channels(names: list[str]) -> list[str]:
    """Names of the channels with their hues; photographs are shown in colour only."""
    if tuple(map(str.lower, names)) == RGB_NAMES or len(names) == 1:
        return []
    return [f"{name} ({hue})" for name, hue in zip(names, hue_names(len(names)), strict=True)]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("diffex.app"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str) -> Template:
    return _environment().get_template(name)
