"""Cells in which a rule and the network disagree: pictures and what either says."""

from typing import Any

from diffex.report.numbers import signed_compact
from diffex.report.pictures import Figure, Strip, plain_strips, scale_words
from diffex.runs import Explanation


def disagreement_panel(explanation: Explanation) -> dict[str, Any] | None:
    """Prepare the cells of a rule's run that rule and network put in different classes.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    dict or None
        ``words``, ``rows`` and ``figure`` (None without pictures), for the template; None where the run keeps
        no such list.
    """
    told = (explanation.rules or {}).get("disagreements")
    if told is None:
        return None
    rows = [
        {
            "id": cell["id"],
            "label": cell["label"],
            "network": f"{cell['classifier']} ({signed_compact(cell['classifier_margin'])})",
            "rule": f"{cell['rule']} ({signed_compact(cell['rule_margin'])})",
        }
        for cell in told["cells"]
    ]
    words = f"{told['count']} of {told['images']} held-out images are given different classes"
    if len(rows) < told["count"]:
        words += f"; the {len(rows)} where they differ most"
    return {"words": f"{words}.", "rows": rows, "figure": _figure(explanation, rows)}


def _figure(explanation: Explanation, rows: list[dict[str, str]]) -> Figure | None:
    pictures = explanation.examples.get("disagreements")
    if pictures is None or not len(pictures) or len(pictures) != len(rows):
        return None
    (strip,) = plain_strips(explanation, pictures[None])
    columns = tuple((str(k), row["label"]) for k, row in enumerate(rows, 1))
    said = "; ".join(f"{k}: {row['id']}" for k, row in enumerate(rows, 1))
    caption = f"The cells of the table, with their labels. {scale_words(explanation)}"
    return Figure(caption, columns, (Strip("", strip, f"Cells in dispute: {said}"),))
