"""``diffex benchmark``: is it true."""

import os
from pathlib import Path
from typing import Annotated

import typer

from diffex.cli.app import app
from diffex.cli.options import Common, OutFolder, spread
from diffex.cli.output import emit, show_table


@app.command()
@spread
def benchmark(
    *,
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="For example attributes, truth or cost.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the real sets.", show_default="DIFFEX_DATA")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Ids between commas.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Within minutes; rows are marked.")] = False,
    out: OutFolder,
    common: Common,
) -> None:
    """Measure whether it is true.

    Writes results.json, results.md and figures.

    Example: diffex benchmark truth --quick --out results
    """
    from diffex.evaluation import run_suite

    folder = os.environ.get("DIFFEX_DATA") if data is None else str(data)
    ids = [] if only is None else [name.strip() for name in only.split(",")]
    place = None if not folder else Path(folder)
    measured = run_suite(
        suite,
        data=place,
        only=ids,
        quick=quick,
        out=out,
        seed=common.chosen_seed,
        device=common.open_device(),
    )
    results = [row.as_dict() for row in measured]
    rows = [(row["id"], row["what"], row["value"], row["target"], row["passed"]) for row in results]
    emit(
        common,
        {"out": out, "results": results},
        lambda: show_table(f"Suite {suite}", ("id", "what", "value", "target", "passed"), rows),
    )
