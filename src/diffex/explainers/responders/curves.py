"""Every value against the dose, side by side: curve, EC50, trend, and the dose from which it departs."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from diffex.base.progress import progress
from diffex.effects.arrays import FloatArray
from diffex.explainers.responders.design import Design
from diffex.explainers.responders.scoring import Scored
from diffex.responses.departure import Departures, departures
from diffex.responses.dose_curve import DoseCurve, dose_curve
from diffex.responses.trend import dose_trend

_FEWEST_WELLS = 4


@final
@dataclass(frozen=True, eq=False)
class Curves:
    """How all values answer.

    Parameters
    ----------
    answers : DataFrame
        A row per value: ``name, kind, words, unit, lowest, lowest_p, trend, trend_p, ec50, ec50_low,
        ec50_high, bottom, top, slope, ec50_words``. ``lowest`` is the lowest dose from which it departs
        from controls; without a column of doses it is 1 where the treated differ. NaN where there is none.
    doses : DataFrame
        A row per value and condition, controls first: ``name, condition, dose, value, low, high, over,
        wells, cells, change, sd, p, q``, the last four against controls.
    first : str or None
        Name of the value that departs at the lowest dose.
    warnings : tuple of str
        Where wells do not suffice.
    """

    answers: pd.DataFrame
    doses: pd.DataFrame
    first: str | None
    warnings: tuple[str, ...]


def answer_curves(scored: Scored, design: Design, seed: int) -> Curves:
    """Describe how each value answers to the dose, and which does so first.

    Parameters
    ----------
    scored : Scored
        Values of all cells.
    design : Design
        Doses and wells; positive references are left out.
    seed : int
        Of bootstrap and permutations.

    Returns
    -------
    Curves
        Values side by side.

    Raises
    ------
    InputError
        If a well has two doses.
    """
    series = ~design.positive
    doses = design.doses[series]
    wells = None if design.wells is None else design.wells[series]
    names = [value.name for value in scored.values]
    values = scored.table.loc[series].to_numpy(dtype=np.float64)
    tested = wells if wells is not None and _control_wells(design) >= 2 else None
    found = departures(values, names, doses, tested)
    rows, tables = [], []
    for k, value in enumerate(progress(scored.values, "Fitting curves")):
        curve = dose_curve(values[:, k], doses, wells, seed=seed)
        head = {"name": value.name, "kind": value.kind, "words": value.words, "unit": value.unit}
        rows.append(head | _departed(found, value.name) | _dose_facts(values[:, k], curve, design, seed))
        tables.append(curve.table.rename(columns={"unit": "over"}).assign(name=value.name))
    points = pd.concat(tables, ignore_index=True)
    points["condition"] = points["dose"].map(dict(zip(doses, design.conditions[series], strict=True)))
    joined = points.merge(found.table, on=["name", "dose"], how="left")
    order = [
        "name",
        "condition",
        "dose",
        "value",
        "low",
        "high",
        "over",
        "wells",
        "cells",
        "change",
        "sd",
        "p",
        "q",
    ]
    return Curves(pd.DataFrame(rows), joined[order], found.first, _warnings(design, tested is None))


def _control_wells(design: Design) -> int:
    assert design.wells is not None
    return len(np.unique(design.wells[design.control]))


def _departed(found: Departures, name: str) -> dict[str, float]:
    dose = found.lowest[name]
    if dose is None:
        return {"lowest": np.nan, "lowest_p": np.nan}
    here = found.table[(found.table["name"] == name) & (found.table["dose"] == dose)]
    return {"lowest": dose, "lowest_p": float(here["p"].iloc[0])}


def _dose_facts(values: FloatArray, curve: DoseCurve, design: Design, seed: int) -> dict[str, Any]:
    """Trend and EC50; neither has a meaning without doses."""
    if design.dose is None:
        return {}
    fit, facts = curve.hill, {"trend": np.nan, "trend_p": np.nan}
    wells = None if design.wells is None else design.wells[~design.positive]
    count = len(values) if wells is None else len(np.unique(wells))
    if count >= _FEWEST_WELLS:
        trend = dose_trend(values, design.doses[~design.positive], wells, seed=seed)
        facts = {"trend": trend.correlation, "trend_p": trend.p}
    return facts | {
        "ec50": fit.ec50, "ec50_low": fit.low, "ec50_high": fit.high, "bottom": fit.bottom, "top": fit.top,
        "slope": fit.slope, "ec50_words": fit.words,
    }  # fmt: skip


def _warnings(design: Design, over_cells: bool) -> tuple[str, ...]:
    if design.wells is None or not over_cells:
        return ()
    return (
        "Controls are of one well: departure from them is tested over cells, within these wells, and a "
        "difference between wells cannot be told from the dose.",
    )
