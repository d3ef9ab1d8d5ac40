"""The ranked table, row by row, as text and interval bars."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from markupsafe import Markup

from diffex.report.numbers import NONE, is_number, number, percent, q_value, signed, span
from diffex.report.scales import nice_range
from diffex.report.svg import interval_axis, interval_bar, zero_place
from diffex.report.verdicts import Verdict, verdict
from diffex.report.vocabulary import Vocabulary
from diffex.runs import Explanation

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
    kept : dict of str to object
        What the page's script sorts and filters by, as attributes of the row.
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
    kept: dict[str, object]


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
    kinds : tuple of (str, str)
        Where concepts come from: as the table has it, and in words.
    verified : str
        What a verified row is; empty where the run does not say.
    total : int
        How many rows there are.
    """

    leading: tuple[Row, ...]
    folded: tuple[tuple[str, tuple[Row, ...]], ...]
    axis: Markup
    zero: str
    checked: bool
    kinds: tuple[tuple[str, str], ...]
    verified: str
    total: int


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


def rank_rows(explanation: Explanation, anchors: Anchors, words: Vocabulary) -> Ranking:
    """Lay out the table of effects.

    Parameters
    ----------
    explanation : Explanation
        The run.
    anchors : dict of (str, int) to str
        Where the section of a concept and sign is in the page.
    words : Vocabulary
        Of the method.

    Returns
    -------
    Ranking
        Rows in the order of their rank, with a common axis.
    """
    effects, target = explanation.effects, explanation.summary["target"]
    limits = effect_limits(effects)
    parts = _parts(_with_verified(effects, explanation.dose).sort_values("rank", kind="stable"), anchors)
    leading, *folded = [
        (heading, tuple(_row(row, target, anchors, limits, words) for row in part.to_dict("records")))
        for heading, part in parts
    ]
    return Ranking(
        leading=leading[1],
        folded=tuple((heading, rows) for heading, rows in folded if rows),
        axis=interval_axis(limits),
        zero=zero_place(limits),
        checked="edit" in effects,
        kinds=tuple((kind, kind.replace("_", " ")) for kind in sorted(effects["kind"].dropna().unique())),
        verified=_verified_words(effects, explanation.dose),
        total=len(effects),
    )


def _with_verified(effects: pd.DataFrame, dose: pd.DataFrame) -> pd.DataFrame:
    """Mark the rows whose edits were checked one by one, or else rendered again at several strengths."""
    if "edit" in effects:
        return effects.assign(verified=effects["edit"] == "done")
    rendered = set(zip(dose["concept"], dose["sign"], strict=True))
    keys = zip(effects["concept"], effects["sign"], strict=True)
    return effects.assign(verified=np.array([key in rendered for key in keys], dtype=np.bool_))


def _verified_words(effects: pd.DataFrame, dose: pd.DataFrame) -> str:
    if "edit" in effects:
        return "the edit did what it says"
    return "rendered at several strengths" if len(dose) else ""


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
        kept=_kept(row, said or row["name"]),
    )


def _kept(row: dict[Any, Any], title: str) -> dict[str, object]:
    numbers = {name: row[name] for name in ("rank", "effect", "flip_rate", "q", "max_strength")}
    return {
        **{
            f"data-{name.replace('_', '-')}": f"{v:.6g}" if is_number(v) else ""
            for name, v in numbers.items()
        },
        "data-title": title,
        "data-edit": row.get("edit") or "",
        "data-kind": row["kind"],
        "data-significant": int(row["significant"]),
        "data-verified": int(row["verified"]),
    }


def _range(low: Any, high: Any) -> str:
    return span(number(low, 0), number(high, 0)) if is_number(low) and is_number(high) else ""


def _percent_range(low: Any, high: Any) -> str:
    return span(number(100 * low, 0), percent(high)) if is_number(low) and is_number(high) else ""


def _plain(value: Any) -> str:
    return f"{value:.6g}" if is_number(value) else ""
