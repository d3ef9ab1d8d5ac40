"""At each dose, none, some or all cells: the mixture asked of the leading attribute and its rivals."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.progress import progress
from diffex.explainers.responders.config import ResponderConfig
from diffex.explainers.responders.design import Design
from diffex.explainers.responders.scoring import Scored, Value
from diffex.responses.references import FEWEST_CELLS
from diffex.responses.responders import Responders, find_responders

LIKELY = 0.5
"""A cell is listed as responder from this probability on."""


@final
@dataclass(frozen=True, eq=False)
class Populations:
    """Responders by value and condition.

    Parameters
    ----------
    table : DataFrame
        ``name, condition, verdict, fraction, fraction_low, fraction_high, p_none, p_shift, shift, listed,
        words``; a row per value and condition that was asked.
    cells : DataFrame
        The responders: ``name, condition, id, well, value, probability``, likeliest first; of conditions
        that are a mixture.
    probability : DataFrame
        A row per cell, a column per value that was asked; NaN where none was.
    warnings : tuple of str
        Conditions of too few cells.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    probability: pd.DataFrame
    warnings: tuple[str, ...]


def find_populations(
    scored: Scored, design: Design, ids: tuple[str, ...], config: ResponderConfig
) -> Populations:
    """Ask at each condition whether the cells are shifted or a mixture.

    Asked of the leading attribute, of the classifier's score, and of the first measurement after which the
    leading attribute is named: each question takes seconds, since it resamples controls.

    Parameters
    ----------
    scored : Scored
        Values of all cells.
    design : Design
        Conditions and wells.
    ids : tuple of str, length n
        Of the cells.
    config : ResponderConfig
        Resamples and seed.

    Returns
    -------
    Populations
        Empty tables where all conditions have too few cells.
    """
    sizes = pd.Series(design.conditions).value_counts()
    enough = [name for name in design.treated if sizes[name] >= FEWEST_CELLS]
    asked = [(value, name) for value in compared(scored) for name in enough]
    probability = pd.DataFrame(
        np.nan, index=range(len(ids)), columns=[value.name for value in compared(scored)], dtype=np.float64
    )
    rows: list[dict[str, Any]] = []
    listed: list[dict[str, Any]] = []
    for value, condition in progress(asked, "Looking for responders"):
        here = design.conditions == condition
        found = _ask(scored.table[value.name].to_numpy(dtype=np.float64), here, design, config)
        probability.loc[here, value.name] = found.posterior
        cells = list(_listed(value, condition, found, scored, design, ids))
        rows.append(_row(value, condition, found, len(cells)))
        listed += cells
    few = [name for name in design.treated if name not in enough]
    return Populations(
        pd.DataFrame(rows, columns=_COLUMNS),
        pd.DataFrame(listed, columns=_CELL_COLUMNS),
        probability,
        tuple(_too_few(few)),
    )


_COLUMNS = [
    *("name", "condition", "verdict", "fraction", "fraction_low", "fraction_high", "p_none", "p_shift"),
    *("shift", "listed", "words"),
]
_CELL_COLUMNS = ["name", "condition", "id", "well", "value", "probability"]


def compared(scored: Scored) -> tuple[Value, ...]:
    """Choose the values in which responders are sought.

    Parameters
    ----------
    scored : Scored
        All values.

    Returns
    -------
    tuple of Value
        The leading attribute, the classifier's score, and the first measurement if there is one.
    """
    return (scored.of("attribute")[0], *scored.of("classifier"), *scored.of("measurement")[:1])


def _ask(
    values: NDArray[Any], here: NDArray[np.bool_], design: Design, config: ResponderConfig
) -> Responders:
    def wells(rows: NDArray[np.bool_]) -> NDArray[np.str_] | None:
        return None if design.wells is None else design.wells[rows]

    enough = design.positive.sum() >= FEWEST_CELLS
    return find_responders(
        values[here], values[design.control], values[design.positive] if enough else None,
        wells=wells(here), control_wells=wells(design.control),
        treated_wells=wells(design.positive) if enough else None, seed=config.seed, repeats=config.repeats,
    )  # fmt: skip


def _row(value: Value, condition: str, found: Responders, listed: int) -> dict[str, Any]:
    return {
        "name": value.name, "condition": condition, "verdict": found.verdict, "fraction": found.fraction,
        "fraction_low": found.low, "fraction_high": found.high, "p_none": found.p, "p_shift": found.p_shift,
        "shift": found.shift, "listed": listed, "words": found.words,
    }  # fmt: skip


def _listed(
    value: Value, condition: str, found: Responders, scored: Scored, design: Design, ids: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Give likely responders of a mixture, likeliest first; nobody where none or all moved."""
    if found.verdict != "mixture":
        return
    rows = np.flatnonzero(design.conditions == condition)
    for k in np.argsort(-found.posterior, kind="stable"):
        if found.posterior[k] < LIKELY:
            return
        yield {
            "name": value.name, "condition": condition, "id": ids[rows[k]],
            "well": None if design.wells is None else str(design.wells[rows[k]]),
            "value": float(scored.table[value.name].iloc[rows[k]]), "probability": float(found.posterior[k]),
        }  # fmt: skip


def _too_few(conditions: list[str]) -> Iterator[str]:
    if conditions:
        yield (f"Fewer than {FEWEST_CELLS} cells of {', '.join(conditions)}: no responders are sought there.")
