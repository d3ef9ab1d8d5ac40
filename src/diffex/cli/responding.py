"""``diffex responders``: which cells respond, at which dose, what answers first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffex.cli.app import app
from diffex.cli.options import ClassifierAddress, Common, ImageOptions, OutFolder, spread
from diffex.cli.output import emit, say

if TYPE_CHECKING:
    from diffex.explainers.responders.result import Responses


@app.command()
@spread
def responders(
    *,
    images: ImageOptions,
    run: Annotated[Path, typer.Option("--run", help="Run folder made by diffex attributes or explain.")],
    out: OutFolder,
    dose: Annotated[
        str | None,
        typer.Option(
            help="Column of doses or times, numbers in one unit, 0 for controls; without, one treated class "
            "is compared with controls."
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            help="Control cells: a class, or COLUMN=VALUE[,VALUE].", show_default="dose 0, or the other class"
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Cells that surely respond, in the same form: responders are learnt from them."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Column of wells, each of one dose.", show_default="group of --columns"),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many significant attributes are followed.")] = 3,
    repeats: Annotated[int, typer.Option(min=20, help="Resamples in the search for responders.")] = 300,
    classifier: ClassifierAddress = None,
    common: Common,
) -> None:
    """Follow the attributes of a run over doses: which cells respond, and what answers first.

    Attributes, the classifier's score and plain measurements side by side: curve by well, EC50, trend, lowest
    dose that departs from controls; at each dose nobody, some cells, or all. OUT gets responders.html,
    summary.txt and .json, answers.csv, doses.csv, responders.csv, scores.parquet; with anndata, cells.h5ad.

    Example: diffex responders cells.csv --columns path=file,group=well --dose dose --run run --out answer
    """
    from diffex.classifiers import open_classifier
    from diffex.explainers.claims import request_about, require_claimable
    from diffex.explainers.responders.config import ResponderConfig
    from diffex.explainers.responders.respond import responders as respond
    from diffex.report.responders import render_responders
    from diffex.runs import read_run

    config = ResponderConfig(
        dose=dose, control=control, positive=positive, group=group, top=top, repeats=repeats,
        seed=common.chosen_seed,
    )  # fmt: skip
    opened = images.open()
    require_claimable(out, request_about("responders", read_run(run), opened, config))
    given = None if classifier is None else open_classifier(classifier)
    found = respond(opened, run, config, common.open_device(), given)
    found.save(out)
    tables = {"answers": found.answers, "doses": found.doses, "responders": found.responders}
    report = render_responders(out / "responders.html", found.head, found.summary, tables, found.pictures)
    description = {
        "out": out, "report": report, "summary": found.summary, "warnings": found.warnings,
        "first": found.head["first"], "answers": found.answers.to_dict("records"),
        "doses": found.doses.to_dict("records"), "responders": len(found.responders),
    }  # fmt: skip
    emit(common, description, lambda: _show(found, report))


def _show(found: "Responses", report: Path) -> None:
    say(*found.summary, *(f"Mind: {warning}" for warning in found.warnings), f"Report: {report}")
