"""The page of a dose series: what answers first, every curve, responders, confounds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from markupsafe import Markup

from diffex.base.files import write_text
from diffex.report.numbers import compact, percent, q_value
from diffex.report.rendering import page_environment, page_style
from diffex.report.responding_cells import responding_cells
from diffex.report.svg import ResponsePoint, response_curve
from diffex.responses.hill import hill

_SHOWN_CELLS = 40
_VERDICTS = {"none": "nobody shown", "mixture": "two populations", "shift": "all alike, moved"}


@final
@dataclass(frozen=True)
class Panel:
    """One value against the dose.

    Parameters
    ----------
    head, words, facts : str
        What it is, what it changes or measures, what was found.
    first : bool
        Whether it answers first.
    drawing : Markup
        The curve.
    """

    head: str
    words: str
    facts: str
    first: bool
    drawing: Markup


def render_responders(
    file: Path,
    head: Mapping[str, Any],
    sentences: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, Any] | None = None,
) -> Path:
    """Write the page: one HTML file, no script, nothing loaded from elsewhere.

    Parameters
    ----------
    file : Path
        Where to.
    head : mapping
        ``target, dose, controls, first, warnings, confounds, cells``.
    sentences : sequence of str
        The answer.
    tables : mapping of str to DataFrame
        ``answers, doses, responders``, as they are written to files.
    pictures : mapping, optional
        Of responders and controls, for `diffex.report.responding_cells`.

    Returns
    -------
    Path
        The file.
    """
    doses, cells = tables["doses"], tables["responders"]
    page = {
        "head": head,
        "sentences": sentences,
        "panels": response_panels(head, tables),
        "populations": [_population(row) for row in doses[doses["verdict"].notna()].to_dict("records")],
        "cells": [_cell(row) for row in cells.head(_SHOWN_CELLS).to_dict("records")],
        "figure": responding_cells(pictures),
        "more": max(0, len(cells) - _SHOWN_CELLS),
        "confounds": [_confound(one, row) for one in head["confounds"] for row in one["table"]],
        "style": page_style(),
    }
    write_text(file, page_environment().get_template("responders.html").render(page))
    return file


def response_panels(head: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> list[Panel]:
    """Draw every value against the dose.

    Parameters
    ----------
    head, tables
        As for `render_responders`.

    Returns
    -------
    list of Panel
        In the order of the answers.
    """
    doses = tables["doses"]
    return [
        _panel(row, doses[doses["name"] == row["name"]], head) for row in tables["answers"].to_dict("records")
    ]


def _panel(row: dict[Any, Any], doses: pd.DataFrame, head: Mapping[str, Any]) -> Panel:
    points = _points(doses.sort_values("dose"), row["lowest"])
    words = f"{row['words']} ({row['unit']})" if row["unit"] else str(row["words"])
    label = f"{row['name']} by {head['dose'] or 'condition'}: " + "; ".join(
        f"{p.words}: {compact(p.value)}" for p in points
    )
    axis = head["dose"] or ""
    return Panel(
        str(row["name"]), words, _facts(row, head), row["name"] == head["first"],
        response_curve(points, _curve(row), axis, label),
    )  # fmt: skip


def _points(doses: pd.DataFrame, lowest: float) -> list[ResponsePoint]:
    """Doses by their logarithm; controls one step left of the lowest."""
    treated = np.log2(doses["dose"].to_numpy(dtype=np.float64)[1:])
    step = float(np.median(np.diff(treated))) if len(treated) > 1 else 1.0
    places = [treated[0] - max(step, 0.12 * float(np.ptp(treated))), *treated]
    return [
        ResponsePoint(
            str(row["condition"]), float(place), row["value"], row["low"], row["high"], row["dose"] >= lowest
        )
        for place, row in zip(places, doses.to_dict("records"), strict=True)
    ]


def _curve(row: dict[Any, Any]) -> Callable[[float], float] | None:
    if not math.isfinite(row.get("ec50", math.nan)):
        return None
    numbers = (row["bottom"], row["top"], row["ec50"], row["slope"])
    return lambda place: float(hill(np.array([2.0**place]), *numbers)[0])


def _facts(row: dict[Any, Any], head: Mapping[str, Any]) -> str:
    if math.isnan(row["lowest"]):
        departs = "does not depart from controls"
    elif head["dose"]:
        departs = f"departs from {head['dose']} {row['lowest']:g} on"
    else:
        departs = f"departs from controls (p = {row['lowest_p']:.2g})"
    return f"{departs}. {row['ec50_words']}" if head["dose"] else f"{departs}."


def _population(row: dict[Any, Any]) -> dict[str, str]:
    return {
        "name": str(row["name"]),
        "condition": str(row["condition"]),
        "verdict": _VERDICTS[row["verdict"]],
        "fraction": _share(row),
        "p_none": q_value(row["p_none"]),
        "p_shift": q_value(row["p_shift"]),
        "cells": str(row["cells"]),
        "listed": f"{row['listed']:.0f}",
    }


def _share(row: dict[Any, Any]) -> str:
    """The share of a mixture; where there is none, what the verdict leaves of it."""
    if row["verdict"] == "none":
        return f"at most {percent(row['fraction_high'])}"
    if row["verdict"] == "shift":
        return "all"
    return f"{percent(row['fraction'])} [{percent(row['fraction_low'])}, {percent(row['fraction_high'])}]"


def _cell(row: dict[Any, Any]) -> dict[str, str]:
    keys = ("name", "condition", "id", "well")
    return {key: "" if row[key] is None else str(row[key]) for key in keys} | {
        "value": compact(row["value"]),
        "probability": percent(row["probability"]),
    }


def _confound(found: Mapping[str, Any], row: dict[Any, Any]) -> dict[str, str]:
    verdict = "cannot be told from the condition" if found["confounded"] else str(row["separates"])
    return {
        "batch": str(found["batch"]),
        "name": str(row["name"]),
        "verdict": verdict,
        "batch_share": percent(row["batch_share"]),
        "batch_q": q_value(row["batch_q"]),
        "condition_share": percent(row["condition_share"]),
        "condition_q": q_value(row["condition_q"]),
    }
