"""``diffex doctor`` and ``diffex report``: looking before and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffex.cli.app import app
from diffex.cli.options import ClassifierAddress, Common, ImageOptions, open_with_classifier, spread
from diffex.cli.output import emit, say, show_table

if TYPE_CHECKING:
    from diffex.classifiers import Classifier
    from diffex.evaluation.sanity import Sanity
    from diffex.explainers.doctor import Checkup
    from diffex.images import Images

_SHOWN = 10
_CELLS = ("words", "target", "difference", "low", "high", "auroc")


@app.command()
@spread
def doctor(
    *,
    images: ImageOptions,
    classifier: ClassifierAddress = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for sample cells and findings; else they are only shown."),
    ] = None,
    sanity: Annotated[
        Path | None,
        typer.Option("--sanity", help="A run: does its explanation depend on the classifier at all?"),
    ] = None,
    common: Common,
) -> None:
    """Check images and classifier before a fit.

    Which measurements differ between classes, what will fail, and how to mend it.

    With --sanity, also whether a run's explanation depends on its classifier: the classifier's weights are
    shuffled, it is taught wrong labels, and each is asked again. The run keeps the answer
    (sanity.json), and its next report shows it.

    Example: diffex doctor cells/train --classifier net.pt2
    """
    from diffex.base.files import write_json
    from diffex.explainers.claims import require_claimable
    from diffex.explainers.doctor import examine, write_checkup
    from diffex.runs.sanity import keep_sanity

    device = common.open_device()
    opened, given = open_with_classifier(images, classifier)
    note = {"command": "doctor", "images": opened.fingerprint(), "classifier": classifier}
    note |= {} if sanity is None else {"sanity": str(sanity)}
    if out is not None:
        require_claimable(out, note)
    checkup = examine(opened, None if given is None else given.to(device), common.chosen_seed)
    found = None if sanity is None else _sanity(opened, sanity, given, common)
    if out is not None:
        write_checkup(checkup, out, note)
        if found is not None:
            write_json(out / "sanity.json", found.as_dict())
    if sanity is not None and found is not None:
        keep_sanity(sanity, found.as_dict())
    description = checkup.as_dict() | ({} if found is None else {"sanity": found.as_dict()})

    def show() -> None:
        show_checkup(checkup)
        if found is not None:
            show_sanity(found)

    emit(common, description, show)


@app.command()
@spread
def report(
    *,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="HTML file.", show_default="report.html in the first run")
    ] = None,
    common: Common,
) -> None:
    """Write runs to one HTML file.

    It loads nothing from elsewhere, and can be mailed and printed. Several runs are compared first. A part of
    a run that is missing or damaged is named, and the rest is shown.

    Example: diffex report run --out report.html
    """
    from diffex.explainers.claims import require_html
    from diffex.report import report_many

    file = require_html(runs[0] / "report.html" if out is None else out)
    written = report_many(runs, file)
    emit(common, {"report": written, "runs": runs}, lambda: say(f"Report: {written}"))


def show_checkup(checkup: "Checkup") -> None:
    """Print a check-up for people.

    Parameters
    ----------
    checkup : Checkup
        As from `examine`.
    """
    groups = "no groups" if checkup.groups is None else f"{checkup.groups} groups"
    say(f"{checkup.images}; {groups}; {checkup.looked_at} images looked at.")
    if checkup.agreement is not None:
        _show_agreement(checkup)
    if len(checkup.differences):
        _show_differences(checkup)
    for problem in checkup.problems:
        say(f"{'STOP' if problem.severity == 'stop' else 'WARNING'}: {problem.sentence}")
    if not checkup.problems:
        say("Nothing found that will fail.")


def show_sanity(sanity: "Sanity") -> None:
    """Print whether an explanation depends on its classifier.

    Parameters
    ----------
    sanity : Sanity
        As from `check_sanity`.
    """
    rows = [(row.classifier, f"{row.agreement:.2f}") for row in sanity.table.itertuples()]
    show_table("Agreement of effects with those of other classifiers", ("classifier", "agreement"), rows)
    say(sanity.sentence)


def _sanity(images: "Images", run: Path, given: "Classifier | None", common: Common) -> "Sanity":
    from diffex.evaluation.sanity import check_sanity

    return check_sanity(images, run, common.open_device(), given, common.chosen_seed)


def _show_agreement(checkup: "Checkup") -> None:
    agreement = checkup.agreement
    assert agreement is not None
    predicted = ", ".join(f"{name} {count}" for name, count in agreement.predicted.items())
    accuracy = ""
    if agreement.balanced_accuracy is not None:
        value, low, high = agreement.balanced_accuracy
        accuracy = f"; balanced accuracy {value:.3f} [{low:.3f}, {high:.3f}]"
    say(f"The classifier says: {predicted}{accuracy}.")


def _show_differences(checkup: "Checkup") -> None:
    rows = checkup.differences.reindex(
        checkup.differences["difference"].abs().sort_values(ascending=False, kind="stable").index
    )
    cells = [
        (
            row.words,
            row.target,
            f"{row.difference:+.2f}",
            f"[{row.low:+.2f}, {row.high:+.2f}]",
            f"{row.auroc:.2f}",
        )
        for row in rows.head(_SHOWN).itertuples()
    ]
    by = "predicted class" if checkup.labels_are_predictions else "class"
    title = f"What differs most by {by} (in standard deviations, over {checkup.differences['over'].iloc[0]})"
    show_table(title, ("measurement", "class", "difference", "95 % interval", "AUROC"), cells)
