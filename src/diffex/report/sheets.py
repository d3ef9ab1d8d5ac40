"""Tables that the page gives out as CSV: what the run folder says, in full precision."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from diffex.report.attribute import ordered_cells
from diffex.report.breakdown import own_breakdown
from diffex.runs import Explanation
from diffex.runs.tables import csv_text

_MOST_CELLS = 500


def sheets(explanation: Explanation, sections: Mapping[str, dict[Any, Any]]) -> dict[str, str]:
    """Collect the tables of a page.

    Parameters
    ----------
    explanation : Explanation
        The run.
    sections : mapping of str to dict
        The row of each section, by its id in the page.

    Returns
    -------
    dict of str to str
        CSV by name: ``effects``, ``drivers``, and for each section ``ANCHOR-dose``, ``ANCHOR-measured``,
        ``ANCHOR-breakdown`` and ``ANCHOR-cells`` (the cells that it matters most and least for, 500 at most
        of each).
    """
    found = {"effects": csv_text(explanation.effects)}
    if explanation.drivers is not None:
        found["drivers"] = csv_text(explanation.drivers)
    for anchor, row in sections.items():
        for name, table in (("dose", explanation.dose), ("measured", explanation.measured)):
            found[f"{anchor}-{name}"] = csv_text(table[table["concept"] == row["concept"]])
        parts = own_breakdown(explanation, row)
        if len(parts):
            found[f"{anchor}-breakdown"] = csv_text(parts)
        found[f"{anchor}-cells"] = csv_text(_cells(explanation, row))
    return found


def _cells(explanation: Explanation, row: dict[Any, Any]) -> pd.DataFrame:
    ordered, concept = ordered_cells(explanation, row), row["concept"]
    plain = {"id", "label", "group", f"score_{concept}", f"effect_{concept}"}
    kept = ordered[[name for name in map(str, ordered) if name in plain or name.startswith("logit_")]]
    return (
        kept if len(kept) <= 2 * _MOST_CELLS else pd.concat([kept.head(_MOST_CELLS), kept.tail(_MOST_CELLS)])
    )
