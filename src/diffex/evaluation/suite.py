"""Run a suite: choose its rows, measure, and keep results after every row."""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from diffex.base.devices import resolve_device
from diffex.base.errors import DiffexError, InputError
from diffex.evaluation.attributes import ATTRIBUTES
from diffex.evaluation.bench import Bench, Task
from diffex.evaluation.biology import BIOLOGY
from diffex.evaluation.cost import COST
from diffex.evaluation.looking import LOOKING
from diffex.evaluation.rows import REPORTED, Measured, Row, judged, write_results
from diffex.evaluation.rules import RULES
from diffex.evaluation.semantics import SEMANTICS
from diffex.evaluation.truth import TRUTH

_log = logging.getLogger("diffex")
SUITES: Mapping[str, tuple[Task, ...]] = {
    "attributes": ATTRIBUTES,
    "biology": BIOLOGY,
    "cost": COST,
    "looking": LOOKING,
    "rules": RULES,
    "semantics": SEMANTICS,
    "truth": TRUTH,
}


def run_suite(
    name: str,
    *,
    data: Path | None = None,
    only: Sequence[str] = (),
    quick: bool = False,
    out: Path,
    seed: int = 0,
    device: torch.device | None = None,
) -> list[Row]:
    """Measure the rows of a suite.

    Parameters
    ----------
    name : str
        Of the suite.
    data : Path, optional
        Folder of the real sets; default the environment variable ``DIFFEX_DATA``. Rows whose data are absent
        are left out, and the log says why.
    only : sequence of str
        Ids of rows; default all.
    quick : bool
        Minutes instead of hours; rows are marked.
    out : Path
        Gets ``results.json`` and ``results.md`` (rewritten after each row), ``figures`` and ``stages``; with
        the same folder, an interrupted run goes on from its last stage.
    seed : int
        Of everything random.
    device : torch.device, optional
        Where networks run; default the best there is.

    Returns
    -------
    list of Row
        In the order of the suite.

    Raises
    ------
    InputError
        If there is no such suite or row.
    FolderError
        If `out` cannot be written.
    """
    tasks = choose(name, only)
    place = data or (Path(os.environ["DIFFEX_DATA"]) if os.environ.get("DIFFEX_DATA") else None)
    bench = Bench(place, out, seed, quick, device or resolve_device())
    rows: list[Row] = []
    for task in tasks:
        reason = bench.missing(task.needs)
        if reason:
            _log.warning("%s (%s) is skipped: %s", task.id, task.what, reason)
            continue
        for row in measure_rows(task, bench):
            rows.append(row)
            write_results(rows, out)
    write_results(rows, out)
    return rows


def choose(name: str, only: Sequence[str] = ()) -> tuple[Task, ...]:
    """Find the tasks of a suite.

    Parameters
    ----------
    name : str
        Of the suite.
    only : sequence of str
        Ids of rows; all where empty. A task that measures several comes with all of them.

    Returns
    -------
    tuple of Task
        In the order of the suite.

    Raises
    ------
    InputError
        If there is no such suite or row.
    """
    if name not in SUITES:
        raise InputError(
            f"SUITE got {name!r}, expected one of {', '.join(sorted(SUITES))}: choose one of these."
        )
    tasks = SUITES[name]
    known = list(dict.fromkeys(row for task in tasks for row in (task.id, *task.also)))
    unknown = [one for one in only if one not in known]
    if unknown:
        raise InputError(
            f"--only got {unknown[0]!r}, expected some of {', '.join(known)}: suite {name} has no such row."
        )
    return tuple(task for task in tasks if not only or not {task.id, *task.also}.isdisjoint(only))


def measure_rows(task: Task, bench: Bench) -> Iterator[Row]:
    """Run one task; an error of ours becomes a failed row, so that the others still run.

    Parameters
    ----------
    task : Task
        What to run.
    bench : Bench
        Where and how.

    Yields
    ------
    Row
        As soon as it is known.
    """
    _log.info("%s: %s", task.id, task.what)
    started = time.monotonic()
    try:
        for found in task.run(bench):
            row = judged(found, time.monotonic() - started, bench.seed, quick=bench.quick)
            _log.info("%s %s: %.4g (%s) %s", row.id, row.what, row.value, row.target, _verdict(row))
            yield row
            started = time.monotonic()
    except DiffexError as error:
        _log.error("%s could not be measured: %s", task.id, error)
        failed = Measured(task.id, task.what, float("nan"), REPORTED, note=str(error))
        yield judged(failed, time.monotonic() - started, bench.seed, quick=bench.quick)


def _verdict(row: Row) -> str:
    if row.target == REPORTED:
        return ""
    return ("passed" if row.passed else "FAILED") + (", undecided" if row.undecided else "")
