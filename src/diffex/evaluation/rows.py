"""Rows of a benchmark: a number, its interval, its target, and whether it meets it."""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from diffex.base.errors import InputError
from diffex.base.files import write_json, write_text

REPORTED = "reported"
"""The target of a number that is reported without a threshold."""

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
_BOUND = re.compile(rf"(>=|<=|>|<) ({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER}) to ({_NUMBER})")


@final
@dataclass(frozen=True)
class Measured:
    """What a task found, before it is judged.

    Parameters
    ----------
    id : str
        Row of the issue's table, for example ``"A3"``.
    what : str
        What was measured; tells rows of one id apart.
    value : float
        The number; NaN where there is none, and the note says why.
    target : str
        ``">= 0.95"``, ``"0.5 to 2"`` or ``"reported"``.
    low, high : float, optional
        Ends of its 95 % interval.
    seconds : float, optional
        What it took; by default the time since the task's previous number.
    note : str
        What a reader must know.
    holds : bool
        False where a condition of the row is broken, whatever the number.
    """

    id: str
    what: str
    value: float
    target: str
    low: float | None = None
    high: float | None = None
    seconds: float | None = None
    note: str = ""
    holds: bool = True


@final
@dataclass(frozen=True)
class Row:
    """One line of ``results.json``.

    Parameters
    ----------
    id, what : str
        Row of the issue's table, and what was measured.
    value : float
        Point estimate.
    low, high : float or None
        Ends of the interval, where one makes sense.
    target : str
        For example ``">= 0.95"``.
    passed : bool
        Whether the point estimate meets the target.
    seconds : float
        Wall time.
    seed : int
        Of the run.
    quick : bool
        Whether it was a quick run, never to be quoted.
    undecided : bool
        Whether the interval straddles the target.
    note : str
        What a reader must know.
    """

    id: str
    what: str
    value: float
    low: float | None
    high: float | None
    target: str
    passed: bool
    seconds: float
    seed: int
    quick: bool
    undecided: bool = False
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the fields, for JSON."""
        return asdict(self)


def judge(value: float, low: float | None, high: float | None, target: str) -> tuple[bool, bool]:
    """Compare a number with its target.

    Parameters
    ----------
    value : float
        Point estimate.
    low, high : float or None
        Ends of its interval.
    target : str
        ``">= x"``, ``"<= x"``, ``"> x"``, ``"< x"``, ``"x to y"`` or ``"reported"``.

    Returns
    -------
    (bool, bool)
        Whether the point estimate meets the target, and whether the interval straddles it.

    Raises
    ------
    InputError
        If the target is none of these.

    Examples
    --------
    >>> judge(0.96, 0.93, 0.98, ">= 0.95")
    (True, True)
    """
    passed = meets(value, target)
    ends = [end for end in (low, high) if end is not None and math.isfinite(end)]
    return passed, math.isfinite(value) and any(meets(end, target) != passed for end in ends)


def meets(value: float, target: str) -> bool:
    """Whether a number meets a target.

    Parameters
    ----------
    value : float
        NaN and infinity meet none.
    target : str
        As for `judge`.

    Returns
    -------
    bool
        True where it does.

    Raises
    ------
    InputError
        If the target cannot be read.
    """
    bound, span = _BOUND.fullmatch(target), _RANGE.fullmatch(target)
    if bound is None and span is None and target != REPORTED:
        raise InputError(f"target got {target!r}, expected such as '>= 0.95', '0.5 to 2' or '{REPORTED}'.")
    if not math.isfinite(value):
        return False
    if span is not None:
        return float(span[1]) <= value <= float(span[2])
    if bound is None:
        return True
    limit = float(bound[2])
    return {">=": value >= limit, "<=": value <= limit, ">": value > limit, "<": value < limit}[bound[1]]


def judged(found: Measured, seconds: float, seed: int, *, quick: bool) -> Row:
    """Turn what a task found into a row.

    Parameters
    ----------
    found : Measured
        Number and target.
    seconds : float
        Wall time, where the task did not say.
    seed : int
        Of the run.
    quick : bool
        Whether it was a quick run.

    Returns
    -------
    Row
        Judged.
    """
    passed, undecided = judge(found.value, found.low, found.high, found.target)
    return Row(
        found.id, found.what, found.value, found.low, found.high, found.target, passed and found.holds,
        round(seconds if found.seconds is None else found.seconds, 2), seed, quick, undecided, found.note,
    )  # fmt: skip


def write_results(rows: Sequence[Row], out: Path) -> None:
    """Write ``results.json`` and ``results.md``, each whole or not at all.

    Parameters
    ----------
    rows : sequence of Row
        So far.
    out : Path
        Folder; its ``figures`` are written by the tasks.

    Raises
    ------
    FolderError
        If the folder cannot be written.
    """
    write_text(out / "results.md", results_table(rows))
    write_json(out / "results.json", [row.as_dict() for row in rows])


def results_table(rows: Sequence[Row]) -> str:
    """Lay rows out as a Markdown table.

    Parameters
    ----------
    rows : sequence of Row
        Judged.

    Returns
    -------
    str
        Title, a warning where rows are quick, the table.
    """
    head = ["# Results", ""]
    if any(row.quick for row in rows):
        head += ["Quick rows: smaller in every way, a check that all runs. Not to be quoted.", ""]
    names = ("id", "what", "value", "95 % interval", "target", "verdict", "seconds", "seed", "note")
    lines = [markdown_line(names), markdown_line(["---"] * len(names))]
    return "\n".join([*head, *lines, *[markdown_line(_cells(row)) for row in rows]]) + "\n"


def id_words(row: Row) -> str:
    """Write a row's id.

    Parameters
    ----------
    row : Row
        Judged.

    Returns
    -------
    str
        Marked where it is of a quick run.
    """
    return row.id + (" (quick)" if row.quick else "")


def interval_words(row: Row) -> str:
    """Write a row's interval.

    Parameters
    ----------
    row : Row
        Judged.

    Returns
    -------
    str
        Empty where it has none.
    """
    return "" if row.low is None or row.high is None else f"{row.low:.4g} to {row.high:.4g}"


def verdict_words(row: Row) -> str:
    """Write a row's verdict.

    Parameters
    ----------
    row : Row
        Judged.

    Returns
    -------
    str
        ``passed``, ``FAILED`` or ``reported``, and ``undecided`` where the interval holds the target.
    """
    verdict = ("passed" if row.passed else "FAILED") if row.target != REPORTED else REPORTED
    return verdict + (", undecided" if row.undecided else "")


def markdown_line(cells: Sequence[str]) -> str:
    r"""Write one line of a Markdown table.

    Parameters
    ----------
    cells : sequence of str
        Bars and line breaks are escaped.

    Returns
    -------
    str
        Without a line break.

    Examples
    --------
    >>> markdown_line(["a", "b|c"])
    '| a | b\\|c |'
    """
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        id_words(row), row.what, f"{row.value:.4g}", interval_words(row),
        row.target, verdict_words(row), f"{row.seconds:.1f}", str(row.seed), row.note,
    )  # fmt: skip
