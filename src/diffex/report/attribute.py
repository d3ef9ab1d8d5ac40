"""The section of one attribute: pictures, dose curve, what it measures, in which cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import pandas as pd
from markupsafe import Markup

from diffex.report.breakdown import Breakdown, breakdown_panel
from diffex.report.numbers import (
    compact,
    is_number,
    number,
    percent,
    short,
    signed,
    signed_compact,
    span,
    unit,
)
from diffex.report.pictures import Figure, Plate, channel_figures, lead_figure
from diffex.report.ranking import toward
from diffex.report.svg import DosePoint, dose_curve
from diffex.report.tree import lineage
from diffex.report.vocabulary import Vocabulary
from diffex.runs import Explanation

_MEASURED_ROWS, _CELLS_PER_END, _ALL_LOGITS = 8, 4, 3


@final
@dataclass(frozen=True)
class Measured:
    """One quantity before and after the edit, ready to show."""

    words: str
    unit: str
    before: str
    after: str
    change: str
    interval: str
    deviations: str


@final
@dataclass(frozen=True)
class Cell:
    """One cell of the list, ready to show."""

    id: str
    label: str
    value: str
    logits: tuple[str, ...]


@final
@dataclass(frozen=True)
class Section:
    """Everything about one attribute, ready to show."""

    anchor: str
    title: str
    name: str
    direction: str
    significant: bool
    facts: tuple[tuple[str, str], ...]
    lead: Figure | None
    channels: tuple[Figure, ...]
    curve: Markup | None
    trend: str
    rings: bool
    measured: tuple[Measured, ...]
    measured_at: str
    rendered: str
    breakdown: Breakdown | None
    logit_names: tuple[str, ...]
    by_effect: bool
    captions: tuple[str, str]
    highest: tuple[Cell, ...]
    lowest: tuple[Cell, ...]


def attribute_section(
    explanation: Explanation, plate: Plate | None, row: dict[Any, Any], anchor: str, words: Vocabulary
) -> Section:
    """Lay out the section of one attribute.

    Parameters
    ----------
    explanation : Explanation
        The run.
    plate : Plate or None
        Pictures of the attribute; None where there are none.
    row : dict
        The best row of the concept.
    anchor : str
        Its id in the page.
    words : Vocabulary
        Of the method.

    Returns
    -------
    Section
        Ready to show.
    """
    target = explanation.summary["target"]
    names = _logit_names(explanation)
    points = _dose_points(explanation.dose, row["concept"])
    measured = _nearest_strength(explanation.measured, row)
    by_effect = cells_by(explanation, row["concept"]).startswith("effect_")
    return Section(
        anchor=anchor,
        title=row["words"] if isinstance(row["words"], str) and row["words"] else row["name"],
        name=lineage(explanation.tree, row["concept"]) or row["name"],
        direction=words.way(row["sign"]),
        significant=bool(row["significant"]),
        facts=_facts(row, target),
        lead=lead_figure(plate) if plate else None,
        channels=channel_figures(plate) if plate else (),
        curve=dose_curve(points, target) if points else None,
        trend=_trend(row, target),
        rings=not all(point.on_manifold for point in points),
        measured=_measured(measured),
        measured_at=short(abs(measured["strength"].iloc[0])) if len(measured) else "",
        rendered=_rendered(measured),
        breakdown=breakdown_panel(explanation, row),
        logit_names=names,
        by_effect=by_effect,
        captions=_moved(row, target) if by_effect else (words.most, words.least),
        highest=_extreme_cells(explanation, row, names, most=True),
        lowest=_extreme_cells(explanation, row, names, most=False),
    )


def _facts(row: dict[Any, Any], target: str) -> tuple[tuple[str, str], ...]:
    flips = span(number(100 * row["flip_low"], 0), percent(row["flip_high"]))
    at = f"at strength {short(abs(row['strength']))}"
    return (
        (
            f"effect {at}, {toward(row['effect'], target)}",
            f"{signed(row['effect'])} ({signed(row['ci_low'])} to {signed(row['ci_high'])})",
        ),
        (
            f"images that flip {at}",
            f"{percent(row['flip_rate'])} ({flips})" if is_number(row["flip_rate"]) else "none could",
        ),
        *(_checked(row) if "edit" in row else _reach(row)),
        ("off-target change", f"{number(row['off_target'])} SD"),
        ("size of the edit", f"{number(row['size'])} pixel SD"),
    )


def _reach(row: dict[Any, Any]) -> tuple[tuple[str, str], ...]:
    reach = row["max_strength"]
    said = f"strength {short(abs(reach))}" if is_number(reach) else "none tried"
    if is_number(reach) and not row.get("control_found", True):
        said += " (the check has no power: it does not find edits three times as strong)"
    return (("strongest that still looks real", said),)


def _checked(row: dict[Any, Any]) -> tuple[tuple[str, str], ...]:
    return (
        ("effect with what else the edit changes", signed(row["total"])),
        ("change of what the phrase names", f"{signed(row['on_target'])} SD"),
    )


def _dose_points(dose: pd.DataFrame, concept: str) -> list[DosePoint]:
    here = dose[dose["concept"] == concept]
    both = here["sign"].nunique() > 1
    rows = here.to_dict("records")
    return [
        DosePoint(
            strength=abs(r["strength"]) * (-1 if both and r["sign"] < 0 else 1),
            **{key: float(r[key]) for key in ("effect", "low", "high", "flip_rate", "flip_low", "flip_high")},
            on_manifold=bool(r["on_manifold"]),
        )
        for r in rows
    ]


def _trend(row: dict[Any, Any], target: str) -> str:
    """Say whether the effect grows with strength, and where half of the images flip; empty if untested."""
    p: Any = row.get("trend_p")
    half: Any = row.get("half_flip")
    if not is_number(p):
        return ""
    said = f"Trend with strength: p {'< 0.001' if p < 0.001 else f'= {number(p, 3)}'}."
    if not is_number(half):
        return f"{said} At no strength tried do half of the images flip to {target}."
    return f"{said} Half of the images flip to {target} at strength {number(half, 2)}."


def _nearest_strength(measured: pd.DataFrame, row: dict[Any, Any]) -> pd.DataFrame:
    """Keep what was measured at the strength of the row."""
    mine = (measured["concept"] == row["concept"]) & (measured["sign"] == row["sign"])
    here: pd.DataFrame = measured.loc[mine]
    gap = (here["strength"].abs() - abs(row["strength"])).abs()
    return here.loc[np.isclose(gap, gap.min())] if len(here) else here


def _measured(table: pd.DataFrame) -> tuple[Measured, ...]:
    order = table["change_sd"].abs().sort_values(ascending=False, kind="stable").index
    return tuple(_quantity(row) for row in table.loc[order].head(_MEASURED_ROWS).to_dict("records"))


def _rendered(table: pd.DataFrame) -> str:
    """Say what the changes were divided by; nothing of runs that did not."""
    if "rendered" not in table or table["rendered"].isna().all():
        return ""
    shares = table["rendered"].dropna()
    ends = span(number(100 * shares.min(), 0), percent(shares.max()))
    return f"Changes are divided by what renders show of differences between images ({ends})."


def _quantity(row: dict[Any, Any]) -> Measured:
    own = "" if row["unit"] == "%" else unit(row["unit"])
    return Measured(
        words=row["words"],
        unit=own,
        before=compact(row["before"]),
        after=compact(row["after"]),
        change=f"{signed(row['change'], 1)} %" if row["log"] else signed_compact(row["change"]),
        interval=_interval(row["low"], row["high"], is_percent=row["log"]),
        deviations=signed(row["change_sd"]),
    )


def _interval(low: Any, high: Any, *, is_percent: bool) -> str:
    write = partial(signed, digits=1) if is_percent else signed_compact
    return f"{write(low)} to {write(high)}"


def _logit_names(explanation: Explanation) -> tuple[str, ...]:
    names = [name for name in explanation.summary["class_names"] if f"logit_{name}" in explanation.cells]
    if len(names) <= _ALL_LOGITS:
        return tuple(names)
    return tuple(name for name in names if name == explanation.summary["target"])


def _moved(row: dict[Any, Any], target: str) -> tuple[str, str]:
    way = toward(row["effect"], target)
    return f"Matters most: moved furthest {way}", f"Matters least: moved least {way}, or the other way"


def cells_by(explanation: Explanation, concept: str) -> str:
    """Name the column that says how much an attribute matters for each cell.

    Parameters
    ----------
    explanation : Explanation
        The run.
    concept : str
        Id of the attribute.

    Returns
    -------
    str
        Its effect where the run holds it, else its score.
    """
    effect = f"effect_{concept}"
    return effect if effect in explanation.cells else f"score_{concept}"


def ordered_cells(explanation: Explanation, row: dict[Any, Any]) -> pd.DataFrame:
    """Order the cells by how much an attribute matters for them.

    Parameters
    ----------
    explanation : Explanation
        The run.
    row : dict
        The concept's row of the effects.

    Returns
    -------
    DataFrame
        Those it moves furthest the way of its mean effect first; by its score where the run does not hold the
        effect on every cell. Cells without the number are left out, all of them where it has neither.
    """
    cells, column = explanation.cells, cells_by(explanation, row["concept"])
    if column not in cells:
        return cells.head(0)
    ascending = column.startswith("effect_") and row["effect"] < 0
    return cells.dropna(subset=[column]).sort_values(column, ascending=ascending, kind="stable")


def _extreme_cells(
    explanation: Explanation, row: dict[Any, Any], names: Sequence[str], *, most: bool
) -> tuple[Cell, ...]:
    ordered, column = ordered_cells(explanation, row), cells_by(explanation, row["concept"])
    end = ordered.head(_CELLS_PER_END) if most else ordered.iloc[::-1].head(_CELLS_PER_END)
    return tuple(
        Cell(
            id=cell["id"],
            label=_label(cell["label"], explanation.summary["class_names"]),
            value=signed(cell[column]),
            logits=tuple(signed(cell[f"logit_{name}"]) for name in names),
        )
        for cell in end.to_dict("records")
    )


def _label(value: Any, class_names: Sequence[str]) -> str:
    if isinstance(value, str):
        return value
    whole = is_number(value) and float(value).is_integer() and 0 <= value < len(class_names)
    return class_names[int(value)] if whole else ""
