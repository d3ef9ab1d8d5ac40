"""From run folders to one HTML file."""

import base64
import hashlib
import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from diffex.base.errors import InputError
from diffex.base.files import write_text
from diffex.report.comparison import Comparison, compare
from diffex.report.numbers import glued
from diffex.report.page import lay_out
from diffex.runs import salvage_run

_log = logging.getLogger("diffex")
_SCRIPTS = ("report.js", "ranking.js", "viewer.js", "drawing.js", "saving.js")
_SHEETS = ("style.css", "tree.css", "looking.css")


def render_report(run_folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a run: one HTML file, nothing loaded from elsewhere.

    The report computes nothing; it shows what the run folder holds. It can be read without its script, and on
    paper. A part of the run that is missing or damaged is named in the report, and the rest is shown.

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
        If the folder is no run, or the file cannot be written.
    """
    run = Path(run_folder)
    return report_many([run], run / "report.html" if out is None else Path(out))


def report_many(runs: Sequence[Path], out: Path) -> Path:
    """Write several runs to one HTML file: compared first, then one after another.

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
        If a folder is no run, or the file cannot be written.
    """
    if not runs:
        raise InputError("No run to report, expected at least one run folder.")
    found = [salvage_run(folder) for folder in runs]
    for folder, one in zip(runs, found, strict=True):
        for problem in one.problems.values():
            _log.warning("%s: %s", folder, problem)
    pages = [lay_out(one, f"run{i}") for i, one in enumerate(found, start=1)]
    comparison = compare(found, [page["prefix"] for page in pages])
    style, script = page_style(_zeros(pages, comparison)), _script()
    text = (
        page_environment()
        .get_template("report.html")
        .render(
            pages=pages,
            comparison=comparison,
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )
    write_text(out, text)
    return out


def page_style(own: str = "") -> Markup:
    """Read the style sheet that all pages share.

    Parameters
    ----------
    own : str, optional
        Rules of one page: the security policy of a report allows no style attributes.

    Returns
    -------
    Markup
        For a ``style`` element.
    """
    return Markup("\n".join([*(_template(name) for name in _SHEETS), own]))  # noqa: S704 - from the package


def _zeros(pages: Sequence[dict[str, Any]], comparison: Comparison | None) -> str:
    """Where zero is on the axis of each run's interval bars, and of those with an axis of their own."""
    zeros = {page["prefix"]: page["ranking"].zero for page in pages if page["ranking"]}
    sections = [section for page in pages for section in page["sections"] if section.breakdown]
    zeros |= {f"{section.anchor}-breakdown": section.breakdown.zero for section in sections}
    zeros |= {f"{page['prefix']}-drivers": page["drivers"].zero for page in pages if page["drivers"]}
    if comparison:
        zeros["comparison"] = comparison.zero
    return "\n".join(f"#{name} {{ --zero: {zero}; }}" for name, zero in zeros.items())


def _script() -> Markup:
    return Markup("\n".join(_template(name) for name in _SCRIPTS))  # noqa: S704 - from the package


def _template(name: str) -> str:
    return files("diffex.report").joinpath(f"templates/{name}").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Name a script or style in the page's security policy: nothing else may run, or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def page_environment() -> Environment:
    """Open the templates of the package.

    Returns
    -------
    Environment
        All text is escaped.
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
