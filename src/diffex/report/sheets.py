"""Tables that the page gives out as CSV: what the run folder says, in full precision."""

from collections.abc import Mapping

import pandas as pd

from diffex.runs import Explanation
from diffex.runs.tables import csv_text

_MOST_CELLS = 500


def sheets(explanation: Explanation, anchors: Mapping[str, str]) -> dict[str, str]:
    """Collect the tables of a page.

    Parameters
    ----------
    explanation : Explanation
        The run.
    anchors : mapping of str to str
        Ids of the sections in the page, by concept.

    Returns
    -------
    dict of str to str
        CSV by name: ``effects``, and for each section ``ANCHOR-dose``, ``ANCHOR-measured`` and
        ``ANCHOR-cells`` (the cells of largest and smallest score, 500 at most of each).
    """
    found = {"effects": csv_text(explanation.effects)}
    for concept, anchor in anchors.items():
        for name, table in (("dose", explanation.dose), ("measured", explanation.measured)):
            found[f"{anchor}-{name}"] = csv_text(table[table["concept"] == concept])
        found[f"{anchor}-cells"] = csv_text(_cells(explanation.cells, concept))
    return found


def _cells(cells: pd.DataFrame, concept: str) -> pd.DataFrame:
    score = f"score_{concept}"
    if score not in cells:
        return cells.head(0)[["id"]]
    plain = {"id", "label", "group", score}
    kept = [name for name in map(str, cells) if name in plain or name.startswith("logit_")]
    ordered = cells.sort_values(score, ascending=False, kind="stable")[kept]
    return (
        ordered
        if len(ordered) <= 2 * _MOST_CELLS
        else pd.concat([ordered.head(_MOST_CELLS), ordered.tail(_MOST_CELLS)])
    )
