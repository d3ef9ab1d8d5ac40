"""Which attributes get a slider, and how far each may go."""

import math
from dataclasses import dataclass
from typing import Any, final

import pandas as pd

from diffex.report.numbers import short, signed
from diffex.report.ranking import best_rows
from diffex.runs import Explanation

_MOST = 10
_UNCHECKED = 1.0


@final
@dataclass(frozen=True)
class Slider:
    """One attribute that can be moved.

    Parameters
    ----------
    concept : str
        Its id.
    sign : int
        Of the concept's best row; the slider's positive side is that way.
    title, name : str
        What the edit measurably changes, and the concept's own name; empty where it is the same.
    low, high : float
        How far it may go; 1 is the calibrated strength.
    effect : str
        Mean change of the target's margin at strength 1, with its interval.
    significant : bool
        Whether it is.
    note : str
        How far edits were seen to look real.
    """

    concept: str
    sign: int
    title: str
    name: str
    low: float
    high: float
    effect: str
    significant: bool
    note: str


def sliders_of(explanation: Explanation) -> tuple[Slider, ...]:
    """Choose the sliders of a run: its best attributes, significant ones first, at most ten.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    tuple of Slider
        None where its edits are not made along directions of a code, as those of phrases.
    """
    if not len(explanation.effects):
        return ()
    known = {str(entry["id"]) for entry in explanation.concepts} & set(explanation.directions)
    rows = [
        row
        for row in best_rows(explanation.effects).values()
        if row["concept"] in known and row["kind"] != "random"
    ]
    rows.sort(key=lambda row: (not row["significant"], not _checked(row["max_strength"]), row["rank"]))
    return tuple(_slider(row, explanation) for row in rows[:_MOST])


def _slider(row: dict[Any, Any], explanation: Explanation) -> Slider:
    sign = 1 if row["sign"] > 0 else -1
    other = _limit(explanation.effects, row["concept"], -sign)
    own = float(abs(row["max_strength"]))
    title = row["words"] if isinstance(row["words"], str) and row["words"] else row["name"]
    return Slider(
        concept=row["concept"],
        sign=sign,
        title=title,
        name="" if title == row["name"] else row["name"],
        low=-(other if _checked(other) else _UNCHECKED),
        high=own if _checked(own) else _UNCHECKED,
        effect=f"{signed(row['effect'])} ({signed(row['ci_low'])} to {signed(row['ci_high'])})",
        significant=bool(row["significant"]),
        note=_note(own, other, _tried(explanation.dose, row["concept"], sign)),
    )


def _limit(effects: pd.DataFrame, concept: str, sign: int) -> float:
    row = effects[(effects["concept"] == concept) & (effects["sign"] == sign)]
    return float(row["max_strength"].abs().iloc[0]) if len(row) else math.nan


def _tried(dose: pd.DataFrame, concept: str, sign: int) -> bool:
    return bool(((dose["concept"] == concept) & (dose["sign"] == sign)).any())


def _checked(limit: Any) -> bool:
    return math.isfinite(limit) and limit != 0


def _note(own: float, other: float, tried: bool) -> str:
    if not _checked(own):
        return "tested: its edits do not look real" if tried else "not tested whether its edits look real"
    far = f"looks real to {short(own)}"
    return f"{far} and {short(-other)}" if _checked(other) else f"{far}; the other way is not tested"
