"""Write the benchmark page: ``python scripts/write_benchmark_page.py [RESULTS.json...] [--out PAGE]``.

The rows are kept beside the page, in a file of its name that ends in ``.json``, and new ones are merged into
them: of a row id measured twice with one seed the file named last counts, and quick rows give way to full
rows of the same id.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffex.base.errors import DiffexError, InputError
from diffex.base.files import read_json, write_json, write_text
from diffex.evaluation.rows import (
    REPORTED,
    Row,
    id_words,
    interval_words,
    markdown_line,
    meets,
    verdict_words,
)
from diffex.evaluation.suite import SUITES

_PAGE = Path(__file__).parent.parent / "docs" / "benchmark.md"
_ORDER: dict[str, tuple[str, int]] = {}
for _name, _tasks in SUITES.items():
    for _k, _task in enumerate(_tasks):
        for _id in (_task.id, *_task.also):
            _ORDER.setdefault(_id, (_name, _k))
_HEADS = ("row", "what", "value", "95 % interval", "target", "verdict", "note")
_READING = (
    "A verdict is that of the value; it is undecided where the interval holds the target. Rows marked "
    "(quick) come from `--quick`: smaller in every way, a check that all runs, not to be quoted."
)


def read_rows(path: Path) -> list[Row]:
    """Read the rows of one ``results.json``."""
    try:
        return [_row(found) for found in read_json(path)]
    except (TypeError, ValueError, OSError) as error:
        raise InputError(
            f"RESULTS got {path}, expected a results.json of `diffex benchmark`: {error}"
        ) from error


def _row(found: dict[str, Any]) -> Row:
    row = Row(**found)
    if row.id not in _ORDER:
        raise ValueError(f"no suite has a row {row.id}.")
    return replace(row, value=math.nan) if found["value"] is None else row


def merged(files: Iterable[Sequence[Row]]) -> list[Row]:
    """Keep of every id the rows of the last file that has it, in the order of the suites."""
    last: dict[tuple[str, int, bool], list[Row]] = {}
    for rows in files:
        last |= {key: [row for row in rows if _key(row) == key] for key in map(_key, rows)}
    full = {name for name, _, quick in last if not quick}
    kept = [row for (name, _, quick), rows in last.items() if not quick or name not in full for row in rows]
    return sorted(kept, key=lambda row: _ORDER[row.id])


def _key(row: Row) -> tuple[str, int, bool]:
    return row.id, row.seed, row.quick


def page(rows: Sequence[Row]) -> str:
    """Lay the whole page out: what is lost, what is not measured, and a table per suite."""
    lines = ["# Benchmark", "", "Written from the results by `scripts/write_benchmark_page.py`.", ""]
    lines += ["## Where diffex loses", "", *_losses(rows), "", _READING, ""]
    for name in SUITES:
        if some := [row for row in rows if _ORDER[row.id][0] == name]:
            lines += _suite(name, some)
    return "\n".join(lines)


def _losses(rows: Sequence[Row]) -> list[str]:
    aimed = [row for row in rows if row.target != REPORTED]
    missed = [row for row in aimed if not row.passed]
    lines = [f"{len(aimed)} numbers have a target; {len(missed)} miss it{':' if missed else '.'}", ""]
    lines += [f"- {_loss(row)}" for row in missed]
    lines += [f"- {id_words(row)} could not be measured: {row.note}" for row in rows if _failed(row)]
    measured = {row.id for row in rows}
    told = {
        "Met, but the interval holds the target": _ids(row for row in aimed if row.passed and row.undecided),
        "Measured by `--quick` alone": _ids(row for row in rows if row.quick),
        "Not measured yet": ", ".join(name for name in _ORDER if name not in measured),
    }
    return [*lines, *(line for words, ids in told.items() if ids for line in ("", f"{words}: {ids}."))]


def _ids(rows: Iterable[Row]) -> str:
    return ", ".join(dict.fromkeys(row.id for row in rows))


def _failed(row: Row) -> bool:
    return row.target == REPORTED and not math.isfinite(row.value)


def _loss(row: Row) -> str:
    interval = f" ({interval_words(row)})" if interval_words(row) else ""
    reason = "; a condition of the row is not met" if meets(row.value, row.target) else ""
    return f"{id_words(row)}, {row.what}: {row.value:.4g}{interval}, wanted {row.target}{reason}"


def _suite(name: str, rows: Sequence[Row]) -> list[str]:
    lines = [f"## {name}", ""]
    for seed, quick in sorted({(row.seed, row.quick) for row in rows}):
        ids = _ids(row for row in rows if (row.seed, row.quick) == (seed, quick)).replace(" ", "")
        how = " --quick" if quick else ""
        lines.append(f"    diffex benchmark {name} --data DATA --only {ids} --seed {seed}{how} --out results")
    lines += ["", markdown_line(_HEADS), markdown_line(["---"] * len(_HEADS))]
    first = sorted(rows, key=lambda row: row.passed and not _failed(row))
    return [*lines, *(markdown_line(_cells(row)) for row in first), ""]


def _cells(row: Row) -> tuple[str, ...]:
    verdict = "not measured" if _failed(row) else verdict_words(row)
    value = f"{row.value:.4g}" if math.isfinite(row.value) else ""
    return id_words(row), row.what, value, interval_words(row), row.target, verdict, row.note


def main(arguments: Sequence[str]) -> int:
    """Read, merge and write; an error is one sentence and exit code 2."""
    parser = argparse.ArgumentParser(description="Write the benchmark page, with further results.json files.")
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULTS")
    parser.add_argument("--out", type=Path, default=_PAGE, metavar="PAGE")
    given = parser.parse_args(arguments)
    try:
        kept = given.out.with_suffix(".json")
        files = [*([kept] if kept.exists() else []), *given.results]
        rows = merged(read_rows(path) for path in files)
        write_json(kept, [row.as_dict() for row in rows])
        write_text(given.out, page(rows))
    except DiffexError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
