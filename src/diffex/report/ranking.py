"""The ranked table, row by row, as text and interval bars."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from markupsafe import Markup

from diffex.report.numbers import NONE, is_number, number, percent, q_value, signed, span
from diffex.report.scales import nice_range
from diffex.report.svg import interval_axis, interval_bar, zero_share
from diffex.report.verdicts import Verdict, verdict
from diffex.report.vocabulary import Vocabulary

Anchors = dict[tuple[str, int], str]
_LEADING = 14


@final
@dataclass(frozen=True)
class Row:
    """One row of the table. `title` says what the edit measurably changes, `name` is the concept's own.

    Parameters
    ----------
    concept : str
        Id of the concept.
    anchor : str
        Id of its section in the page; empty where it has none.
    rank, rank_range, title, name, direction, effect, interval, toward, flips, flip_range, q : str
        Ready to show.
    max_strength : str
        Ready to show.
    edit : Verdict
        What became of the edit.
    forward : bool
        Sign of the edit.
    significant : bool
        Whether it is.
    bar : Markup
        Effect and interval as a drawing.
    """

    concept: str
    anchor: str
    rank: str
    rank_range: str
    title: str
    name: str
    direction: str
    forward: bool
    effect: str
    interval: str
    toward: str
    flips: str
    flip_range: str
    q: str
    significant: bool
    max_strength: str
    edit: Verdict
    bar: Markup


@final
@dataclass(frozen=True)
class Ranking:
    """The whole table.

    Parameters
    ----------
    leading : tuple of Row
        Significant: the largest, and those that have a section.
    folded : tuple of (str, tuple of Row)
        What is shown on request, with a heading: other significant rows, the rest, arbitrary directions.
    axis : Markup
        The axis that all bars share.
    zero : str
        Where on it zero is, as a CSS length.
    checked : bool
        Whether edits were checked one by one.
    """

    leading: tuple[Row, ...]
    folded: tuple[tuple[str, tuple[Row, ...]], ...]
    axis: Markup
    zero: str
    checked: bool


def effect_limits(effects: pd.DataFrame) -> tuple[float, float]:
    """Choose the limits of the axis that all interval bars of a page share.

    Parameters
    ----------
    effects : DataFrame
        A row per concept and sign.

    Returns
    -------
    (float, float)
        Round values that hold all intervals and zero.
    """
    return nice_range(effects[["effect", "ci_low", "ci_high"]].to_numpy(dtype=float).ravel().tolist())


def rank_rows(effects: pd.DataFrame, target: str, anchors: Anchors, words: Vocabulary) -> Ranking:
    """Lay out the table of effects.

    Parameters
    ----------
    effects : DataFrame
        A row per concept and sign.
    target : str
        Name of the target class.
    anchors : dict of (str, int) to str
        Where the section of a concept and sign is in the page.
    words : Vocabulary
        Of the method.

    Returns
    -------
    Ranking
        Rows in the order of their rank, with a common axis.
    """
    limits = effect_limits(effects)
    parts = _parts(effects.sort_values("rank", kind="stable"), anchors)
    leading, *folded = [
        (heading, tuple(_row(row, target, anchors, limits, words) for row in part.to_dict("records")))
        for heading, part in parts
    ]
    return Ranking(
        leading=leading[1],
        folded=tuple((heading, rows) for heading, rows in folded if rows),
        axis=interval_axis(limits),
        zero=f"{100 * zero_share(limits):.3f}%",
        checked="edit" in effects,
    )


def _parts(ordered: pd.DataFrame, anchors: Anchors) -> list[tuple[str, pd.DataFrame]]:
    """Divide the rows: the largest significant ones, other significant ones, the rest, controls."""
    control = ordered["kind"] == "random"
    sure = ordered["significant"] & ~control
    size = ordered["effect"].abs().where(sure, -1.0)
    large = sure & (size.rank(method="first", ascending=False) <= _LEADING)
    keys = zip(ordered["concept"], ordered["sign"], strict=True)
    has_section = np.array([key in anchors for key in keys], dtype=np.bool_)
    lead = sure & (large | has_section)
    return [
        ("", ordered[lead]),
        ("more that are significant", ordered[sure & ~lead]),
        ("not significant", ordered[~sure & ~control]),
        ("arbitrary directions, rendered for comparison", ordered[control]),
    ]


def best_rows(effects: pd.DataFrame) -> dict[str, dict[Any, Any]]:
    """Find the best-ranked row of each concept, a significant one where there is one.

    Parameters
    ----------
    effects : DataFrame
        A row per concept and sign.

    Returns
    -------
    dict of str to dict
        The row, by concept.
    """
    ordered = effects.sort_values(["significant", "rank"], ascending=[False, True], kind="stable")
    return {row["concept"]: row for row in reversed(ordered.to_dict("records"))}


def toward(effect: float, target: str) -> str:
    """Say which way an effect moves the classifier.

    Parameters
    ----------
    effect : float
        Change of the logit margin.
    target : str
        Name of the target class.

    Returns
    -------
    str
        Toward or away from the target.
    """
    return f"toward {target}" if effect > 0 else f"away from {target}"


def _row(
    row: dict[Any, Any], target: str, anchors: Anchors, limits: tuple[float, float], words: Vocabulary
) -> Row:
    said = row["words"] if isinstance(row["words"], str) else ""
    return Row(
        concept=row["concept"],
        anchor=anchors.get((row["concept"], int(row["sign"])), ""),
        rank=number(row["rank"], 0),
        rank_range=_range(row["rank_low"], row["rank_high"]),
        title=said or row["name"],
        name="" if said in {"", row["name"]} else row["name"],
        direction=words.way(row["sign"]),
        forward=row["sign"] > 0,
        effect=signed(row["effect"]),
        interval=f"{signed(row['ci_low'])} to {signed(row['ci_high'])}",
        toward=toward(row["effect"], target),
        flips=percent(row["flip_rate"]),
        flip_range=_percent_range(row["flip_low"], row["flip_high"]),
        q=q_value(row["q"]),
        significant=bool(row["significant"]),
        max_strength=number(abs(row["max_strength"]), 1) if is_number(row["max_strength"]) else NONE,
        edit=verdict(row.get("edit")),
        bar=interval_bar(row["effect"], row["ci_low"], row["ci_high"], limits, sure=bool(row["significant"])),
    )


def _range(low: Any, high: Any) -> str:
    return span(number(low, 0), number(high, 0)) if is_number(low) and is_number(high) else ""


def _percent_range(low: Any, high: Any) -> str:
    return span(number(100 * low, 0), percent(high)) if is_number(low) and is_number(high) else ""
