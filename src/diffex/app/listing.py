"""The cells of a run in an order, a page at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from diffex.app.questions import CellsQuestion, Order
from diffex.report.numbers import number, percent, signed
from diffex.runs import Explanation

PER_PAGE = 24
ORDERS: dict[Order, str] = {
    "target": "most like the target",
    "other": "least like the target",
    "unsure": "nearest to the border",
    "wrong": "most surely against its label",
    "unusual": "least like the fitting cells",
    "disputed": "rule and network furthest apart",
}


@final
@dataclass(frozen=True)
class Entry:
    """One cell of the list; everything is ready to show.

    Parameters
    ----------
    cell : str
        Its name for the page, such as ``run-3``.
    name, label, group, said, share, margin, unusual : str
        Id, class, well, what the classifier says, the target's probability and margin, and how unusual.
    wrong : bool
        Whether the classifier does not say its label.
    """

    cell: str
    name: str
    label: str
    group: str
    said: str
    share: str
    margin: str
    unusual: str
    wrong: bool


@final
@dataclass(frozen=True)
class Listing:
    """One page of the list.

    Parameters
    ----------
    entries : tuple of Entry
        In order.
    page, pages, count : int
        Which page, how many, and how many cells.
    """

    entries: tuple[Entry, ...]
    page: int
    pages: int
    count: int


def orders_of(explanation: Explanation) -> dict[Order, str]:
    """Name the orders that a run's cells can be brought into.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    dict of Order to str
        Without the rule's where the run has none.
    """
    ruled = explanation.rules is not None
    return {order: words for order, words in ORDERS.items() if ruled or order != "disputed"}


def labels_of(explanation: Explanation) -> list[str]:
    """Name the classes that cells of the run have.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    list of str
        Sorted.
    """
    return sorted({str(label) for label in explanation.cells["label"].dropna()})


def list_cells(explanation: Explanation, question: CellsQuestion, unusual: Sequence[float] | None) -> Listing:
    """Order the cells and cut out a page.

    Parameters
    ----------
    explanation : Explanation
        The run.
    question : CellsQuestion
        Order, class, page; a page beyond the last is the last.
    unusual : sequence of float or None
        From the worker; None until it is ready, and then the order of the run stands.

    Returns
    -------
    Listing
        The page.
    """
    cells = explanation.cells
    logits = logits_of(explanation)
    target = list(explanation.summary["class_names"]).index(explanation.summary["target"])
    margins = _margins(logits)
    margin = margins[:, target]
    far = np.full(len(cells), np.nan) if unusual is None else np.array(unusual, dtype=np.float64)
    keys = _keys(cells, logits, margins, target, far, explanation.summary["class_names"])[question.order]
    rows = np.argsort(np.nan_to_num(-keys, nan=0.0), kind="stable")
    if question.label:
        rows = rows[(cells["label"].astype(str) == question.label).to_numpy()[rows]]
    pages = max(1, math.ceil(len(rows) / PER_PAGE))
    page = min(question.page, pages)
    shown = rows[(page - 1) * PER_PAGE : page * PER_PAGE]
    names = list(map(str, explanation.summary["class_names"]))
    entries = (_entry(int(i), cells.iloc[i], logits[i], margin[i], far[i], names, target) for i in shown)
    return Listing(tuple(entries), page, pages, len(rows))


def logits_of(explanation: Explanation) -> NDArray[np.float64]:
    """Take the classifier's logits from the table of cells.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    ndarray, shape (n, k)
        In the order of the classes.
    """
    columns = [f"logit_{name}" for name in explanation.summary["class_names"]]
    return np.asarray(explanation.cells.reindex(columns=columns).to_numpy(dtype=np.float64))


def _keys(
    cells: pd.DataFrame,
    logits: NDArray[np.float64],
    margins: NDArray[np.float64],
    target: int,
    far: NDArray[np.float64],
    class_names: Sequence[str],
) -> dict[Order, NDArray[np.float64]]:
    """For each order a number per cell, largest first."""
    place = {str(name): k for k, name in enumerate(class_names)}
    own = np.array([place.get(str(label), -1) for label in cells["label"]], dtype=np.int64)
    against = np.zeros(len(cells))
    if len(cells):
        against = logits.max(1) - np.take_along_axis(logits, own.clip(0)[:, None], 1)[:, 0]
        against[own < 0] = np.nan
    margin = margins[:, target]
    return {
        "target": margin,
        "other": -margin,
        "unsure": -np.abs(margin),
        "wrong": np.where(np.isnan(against), -1.0, against),
        "unusual": far,
        "disputed": _apart(cells, margins, class_names),
    }


def _apart(
    cells: pd.DataFrame, margins: NDArray[np.float64], class_names: Sequence[str]
) -> NDArray[np.float64]:
    """By how much the rule falls short of the network's margin for the class that the network says."""
    columns = [f"rule_{name}" for name in class_names]
    ruled = cells.reindex(columns=columns).to_numpy(dtype=np.float64)
    said = margins.argmax(1)[:, None]
    return np.asarray(np.take_along_axis(margins - ruled, said, 1)[:, 0])


def _margins(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each class's logit minus the log-sum-exp of the others, ``(n, k)``."""
    places = range(logits.shape[1])
    rests = [logsumexp(np.delete(logits, k, axis=1), axis=1) for k in places]
    return np.asarray(logits - np.stack(rests, axis=1))


def _entry(
    row: int, cell: Any, logits: NDArray[np.float64], margin: float, far: float, names: list[str], target: int
) -> Entry:
    said = names[int(logits.argmax())]
    label = "" if pd.isna(cell["label"]) else str(cell["label"])
    return Entry(
        cell=f"run-{row}",
        name=str(cell["id"]),
        label=label,
        group="" if pd.isna(cell["group"]) else str(cell["group"]),
        said=said,
        share=percent(float(softmax(logits)[target])),
        margin=signed(float(margin)),
        unusual=number(float(far), 1),
        wrong=bool(label) and label in names and label != said,
    )
