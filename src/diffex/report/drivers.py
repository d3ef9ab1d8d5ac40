"""Which measured quantities the classifier follows, each with the others held: ready to show."""

from dataclasses import dataclass
from typing import Any, final

from markupsafe import Markup

from diffex.report.numbers import percent, q_value, signed
from diffex.report.scales import nice_range
from diffex.report.svg import interval_axis, interval_bar, zero_place
from diffex.runs import Explanation

_LITTLE = 0.5


@final
@dataclass(frozen=True)
class Driver:
    """One quantity, ready to show."""

    words: str
    effect: str
    interval: str
    q: str
    significant: bool
    bar: Markup


@final
@dataclass(frozen=True)
class DriverPanel:
    """The quantities of a run.

    Parameters
    ----------
    rows : tuple of Driver
        The largest effect first.
    axis : Markup
        The axis that all bars share.
    zero : str
        Where on it zero is, as a CSS length.
    told : tuple of str
        Sentences: how much of the answer they carry, and what to beware of.
    """

    rows: tuple[Driver, ...]
    axis: Markup
    zero: str
    told: tuple[str, ...]


def driver_panel(explanation: Explanation) -> DriverPanel | None:
    """Lay out the quantities that a classifier follows.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    DriverPanel or None
        None where the run has no such table, or no quantity could be moved apart.
    """
    table = explanation.drivers
    if table is None or not len(table):
        return None
    limits = nice_range(table[["effect", "low", "high"]].to_numpy(dtype=float).ravel().tolist())
    rows = tuple(
        Driver(
            words=row["words"],
            effect=signed(row["effect"]),
            interval=f"{signed(row['low'])} to {signed(row['high'])}",
            q=q_value(row["q"]),
            significant=bool(row["significant"]),
            bar=interval_bar(row["effect"], row["low"], row["high"], limits, sure=bool(row["significant"])),
        )
        for row in table.to_dict("records")
    )
    told = _told(explanation.summary.get("drivers"))
    return DriverPanel(rows, interval_axis(limits), zero_place(limits), told)


def _told(numbers: dict[str, Any] | None) -> tuple[str, ...]:
    if not numbers:
        return ()
    share, straight = numbers["share"], numbers["straight"]
    moves = numbers["moves"]
    said = [f"Together they carry {percent(share)} of its answer to {moves} random changes of cells."]
    if numbers["full"]:
        said.append("The model's code is too short to tell more quantities apart.")
    elif share < _LITTLE:
        said.append("Most of what it answers to is nothing that is listed here: look at the pictures.")
    if straight < _LITTLE:
        said.append(
            f"Only {percent(straight)} of its answers follow a straight line: it has a threshold, or "
            "quantities act together, and these are averages."
        )
    return tuple(said)
