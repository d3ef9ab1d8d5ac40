"""For whom an attribute matters: its effect by class and by group, ready to show."""

from dataclasses import dataclass
from typing import Any, final

import pandas as pd
from markupsafe import Markup

from diffex.report.numbers import is_number, signed
from diffex.report.scales import nice_range
from diffex.report.svg import interval_axis, interval_bar, zero_place
from diffex.runs import Explanation

_MOST_GROUPS = 12


@final
@dataclass(frozen=True)
class Part:
    """One class or group, ready to show."""

    name: str
    effect: str
    interval: str
    behind: str
    bar: Markup


@final
@dataclass(frozen=True)
class Breakdown:
    """The effect of one attribute on parts of the images.

    Parameters
    ----------
    tables : tuple of (str, tuple of Part)
        Parts by what divides them: class, then group, where there are any.
    left_out : int
        Groups that are not shown.
    axis : Markup
        The axis that all bars share.
    zero : str
        Where on it zero is, as a CSS length.
    """

    tables: tuple[tuple[str, tuple[Part, ...]], ...]
    left_out: int
    axis: Markup
    zero: str


def own_breakdown(explanation: Explanation, row: dict[Any, Any]) -> pd.DataFrame:
    """Keep what the run says of the parts of one row.

    Parameters
    ----------
    explanation : Explanation
        The run.
    row : dict
        A row of the effects.

    Returns
    -------
    DataFrame
        Classes in the order of the classifier, then groups from the largest effect to the smallest; empty
        where the run has none.
    """
    table = explanation.breakdown
    if table is None:
        return pd.DataFrame()
    own: pd.DataFrame = table[(table["concept"] == row["concept"]) & (table["sign"] == row["sign"])]
    order = {name: k for k, name in enumerate(explanation.summary["class_names"])}
    classes = own[own["by"] == "class"].sort_values("name", key=lambda names: names.map(order), kind="stable")
    groups = own[own["by"] == "group"].sort_values("effect", ascending=False, kind="stable")
    found: pd.DataFrame = pd.concat([classes, groups])
    return found


def breakdown_panel(explanation: Explanation, row: dict[Any, Any]) -> Breakdown | None:
    """Lay out the effect of one row by class and group.

    Parameters
    ----------
    explanation : Explanation
        The run.
    row : dict
        A row of the effects.

    Returns
    -------
    Breakdown or None
        Of many groups, those with the largest and the smallest effects; None where the run has no breakdown.
    """
    own = own_breakdown(explanation, row)
    if not len(own):
        return None
    groups = own[own["by"] == "group"]
    ends = _ends(groups)
    found = [("class", own[own["by"] == "class"]), ("group", ends)]
    shown = pd.concat([table for _, table in found])
    limits = nice_range(shown[["effect", "low", "high"]].to_numpy(dtype=float).ravel().tolist())
    return Breakdown(
        tables=tuple((by, _rows(table, limits)) for by, table in found if len(table)),
        left_out=len(groups) - len(ends),
        axis=interval_axis(limits),
        zero=zero_place(limits),
    )


def _ends(groups: pd.DataFrame) -> pd.DataFrame:
    half = _MOST_GROUPS // 2
    return groups if len(groups) <= _MOST_GROUPS else pd.concat([groups.head(half), groups.tail(half)])


def _rows(table: pd.DataFrame, limits: tuple[float, float]) -> tuple[Part, ...]:
    return tuple(
        Part(
            name=row["name"],
            effect=signed(row["effect"]),
            interval=f"{signed(row['low'])} to {signed(row['high'])}" if is_number(row["low"]) else "",
            behind=_behind(row),
            bar=interval_bar(
                row["effect"], row["low"], row["high"], limits, sure=row["low"] > 0 or row["high"] < 0
            ),
        )
        for row in table.to_dict("records")
    )


def _behind(row: dict[Any, Any]) -> str:
    images = f"{row['n']:.0f} image{'' if row['n'] == 1 else 's'}"
    return f"{images} in {row['groups']:.0f} groups" if row["unit"] == "groups" else images
