"""``diffex demo``, ``explain``, ``attributes`` and ``counterfactual``: what the classifier looks at."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffex.cli.app import app
from diffex.cli.fitting import FitPlan, Quick, Steps, announce, prepare_fit
from diffex.cli.looking import show_checkup
from diffex.cli.options import ClassifierAddress, Common, ImageOptions, ModelFolder, OutFolder, spread
from diffex.cli.output import emit, say, show_table

if TYPE_CHECKING:
    from diffex.classifiers import Classifier
    from diffex.evaluation.demo import Finding
    from diffex.generators.model import Model
    from diffex.images import Images
    from diffex.runs import Explanation

Target = Annotated[str, typer.Option(help="The class whose logit is explained.")]
Force = Annotated[bool, typer.Option("--force", help="Explain although a gate of the model failed.")]
Count = Annotated[int, typer.Option("--images", min=24, help="How many images are edited.")]
Concepts = Annotated[int, typer.Option(min=10, help="How many concepts are proposed.")]
_RULES = "rules"


class Search(StrEnum):
    """Which edits are rendered."""

    exact = "exact"
    race = "race"
    gradient = "gradient"


@app.command()
@spread
def demo(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("diffex-demo"),
    common: Common,
) -> None:
    """Show all of it on data that comes along.

    Runs on embedded images with shipped weights and ends with a report.

    Example: diffex demo --out demo
    """
    from diffex.evaluation.demo import TARGET, run_demo
    from diffex.explainers.claims import require_free_run
    from diffex.report import render_report

    require_free_run(out, TARGET)
    rule, explanation, findings = run_demo(common.chosen_seed, out, common.open_device())
    report = render_report(out)
    result = {
        **_parts(explanation, out),
        "report": report,
        "rule": rule,
        "findings": [{**vars(finding), "found": finding.found} for finding in findings],
    }
    emit(common, result, lambda: _show_demo(rule, explanation, findings, report))


@app.command()
@spread
def explain(
    *,
    images: ImageOptions,
    out: OutFolder,
    classifier: ClassifierAddress = None,
    target: Annotated[str | None, typer.Option(help="Class to explain.", show_default="the last")] = None,
    quick: Quick = False,
    steps: Steps = None,
    force: Force = False,
    common: Common,
) -> None:
    """Go from a folder of images to a report.

    Check-up, fit (kept in OUT/model and resumed), attributes, rules (kept in OUT/rules), one report of both.
    Where the images allow no rules, it says why and goes on.

    Example: diffex explain cells/train --out run --target drug
    """
    from diffex.explainers.claims import require_free_run
    from diffex.explainers.doctor import examine
    from diffex.generators.making import fit_model

    plan = FitPlan(classifier, quick=quick, steps=steps)
    request = prepare_fit(images, plan, out / "model", common)
    wanted = target_of(request.images, request.classifier, target)
    require_free_run(out, wanted)
    require_free_run(out / _RULES, wanted, None, "rules")
    checkup = examine(request.images, request.classifier, common.chosen_seed)
    checkup.require_healthy()
    if not common.json:
        show_checkup(checkup)
        say(f"The class explained is {wanted}" + ("." if target else " (the last; choose with --target)."))
    announce(request, out / "model", common)
    model = fit_model(request, out / "model", common.open_device())
    options = {"seed": common.chosen_seed, "force": force}
    explanation = _explained(request.images, model, wanted, out, options)
    ruled = _ruled(request.images, model, wanted, out, options)
    _emit_both(explanation, ruled, out, common)


@app.command()
@spread
def attributes(
    *,
    images: ImageOptions,
    model: ModelFolder,
    target: Target,
    out: OutFolder,
    classifier: ClassifierAddress = None,
    count: Count = 256,
    concepts: Concepts = 100,
    search: Annotated[
        Search,
        typer.Option(
            help="Render all edits (exact), those that win a race over images (race), or those with the "
            "largest first-order effects (gradient). What is left out counts as tested and not significant."
        ),
    ] = Search.race,
    force: Force = False,
    common: Common,
) -> None:
    """Find what moves the classifier to a class.

    Proposes concepts, edits images along each, tests and ranks the effects, writes a run and its report.

    Example: diffex attributes cells/test --model model --target drug --out run
    """
    opened, fitted = open_for(images, model, classifier, common)
    options = {
        "images": count,
        "concepts": concepts,
        "search": search.value,
        "seed": common.chosen_seed,
        "force": force,
    }
    explanation = _explained(opened, fitted, target, out, options)
    emit_run(explanation, out, common)


@app.command()
@spread
def counterfactual(
    *,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    model: ModelFolder,
    target: Target,
    out: OutFolder,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", help="Run whose named attributes the change is split into; it keeps what is found."
        ),
    ] = None,
    classifier: ClassifierAddress = None,
    force: Force = False,
    common: Common,
) -> None:
    """Say why these images are not of a class.

    Finds the smallest change on the manifold that flips each, split into attributes. A run that is given
    keeps the newest twelve, and its next report shows them.

    Example: diffex counterfactual cells/test/DMSO/7.png --model model --target drug --out why
    """
    from diffex.explainers.preparing import target_index
    from diffex.explainers.single_images import open_files
    from diffex.runs import read_run

    fitted = _open_model(model, classifier, common)
    target_index(fitted.classifier.card.class_names, target)
    fitted.require_gates(force=force)
    opened = open_files(images, fitted)
    fitted.check_images(opened)
    explanation = None if run is None else read_run(run)
    from diffex.explainers.counterfactual import counterfactuals

    result = counterfactuals(opened, fitted, target, explanation, out, keep_in=run)
    told = {
        "out": out, "target": target, "images": opened.ids, "results": result.results,
        "warnings": result.warnings,
    }  # fmt: skip
    emit(common, told, lambda: say(*str(result).splitlines()))


def _show_demo(rule: str, explanation: "Explanation", findings: "tuple[Finding, ...]", report: Path) -> None:
    say(*explanation.summary["answer"], "")
    if explanation.summary["model"]["forced"]:
        failed = [gate["words"] for gate in explanation.summary["gates"] if not gate["passed"]]
        say(f"Mind: the shipped generator fails gates for this classifier: {'; '.join(failed)}.", "")
    say(*_ranked(explanation), "")
    rows = [(one.factor, *_best_of(one), "yes" if one.found else "NO") for one in findings]
    heads = ("planted factor", "what follows it best", "as", "correlation", "found")
    show_table(f"The classifier's planted rule ({rule}), and what was found without knowing it", heads, rows)
    found = sum(one.found for one in findings)
    say("", f"{found} of {len(findings)} planted factors were found.", "", f"Report: {report}")


def _best_of(one: "Finding") -> tuple[str, str, str]:
    """What follows a planted factor best: an attribute, or a measured quantity with the others held."""
    if one.along > one.correlation:
        return one.quantity, "quantity", f"{one.along:.2f}"
    return one.attribute or "-", f"attribute {one.rank}" if one.rank else "-", f"{one.correlation:.2f}"


def _open_model(model: Path, classifier: str | None, common: Common) -> "Model":
    from diffex.classifiers import open_classifier
    from diffex.generators.model import open_model

    given = None if classifier is None else open_classifier(classifier)
    return open_model(model, common.open_device(), given)


def open_for(
    images: ImageOptions, model: Path, classifier: str | None, common: Common
) -> "tuple[Images, Model]":
    """Open a model, and images as its classifier wants them.

    Parameters
    ----------
    images : ImageOptions
        Where they are.
    model : Path
        Folder of the model.
    classifier : str, optional
        Address of a classifier of one's own.
    common : Common
        Device and seed.

    Returns
    -------
    (Images, Model)
        Labels in the order of the classifier's classes.
    """
    from diffex.classifiers import align_labels

    fitted = _open_model(model, classifier, common)
    opened = images.open()
    fitted.check_images(opened)
    return align_labels(opened, fitted.classifier.card), fitted


def target_of(images: "Images", classifier: "Classifier | None", target: str | None) -> str:
    """Give the class to explain.

    Parameters
    ----------
    images : Images
        Name the classes where there is no classifier.
    classifier : Classifier, optional
        Names them otherwise.
    target : str, optional
        The class asked for.

    Returns
    -------
    str
        It, else the last class.
    """
    from diffex.explainers.preparing import target_index

    names = images.class_names if classifier is None else classifier.card.class_names
    return names[-1] if target is None else names[target_index(names, target)]


def _explained(
    images: "Images", model: "Model", target: str, out: Path, options: dict[str, Any]
) -> "Explanation":
    from diffex.explainers.attributes import explain_attributes
    from diffex.explainers.claims import require_free_run
    from diffex.explainers.config import AttributeConfig
    from diffex.report import render_report

    require_free_run(out, target, model.state_hash())
    explanation = explain_attributes(images, model, AttributeConfig(target=target, **options))
    explanation.save(out)
    render_report(out)
    return explanation


def _ruled(
    images: "Images", model: "Model", target: str, out: Path, options: dict[str, Any]
) -> "Explanation | str":
    """Run the rules beside the attributes, and report both; or say why there are none."""
    from diffex.base.errors import InputError
    from diffex.explainers.claims import require_free_run
    from diffex.explainers.rules.config import RuleConfig
    from diffex.explainers.rules.explain import explain_rules
    from diffex.report import report_many

    folder = out / _RULES
    require_free_run(folder, target, model.state_hash(), "rules")
    try:
        explanation = explain_rules(images, model, RuleConfig(target=target, **options))
    except InputError as error:
        return f"No rules: {error}"
    explanation.save(folder)
    report_many([out, folder], out / "report.html")
    return explanation


def _emit_both(explanation: "Explanation", ruled: "Explanation | str", out: Path, common: Common) -> None:
    if isinstance(ruled, str):
        rules, lines = {"refused": ruled}, [ruled]
    else:
        rules, lines = _parts(ruled, out / _RULES), ["Rules:", *_found(ruled)]
    result = {**_parts(explanation, out), "report": out / "report.html", "rules": rules}
    shown = [
        *_found(explanation),
        "",
        *_ranked(explanation),
        "",
        *lines,
        "",
        f"Report: {out / 'report.html'}",
    ]
    emit(common, result, lambda: say(*shown))


def emit_run(explanation: "Explanation", out: Path, common: Common) -> None:
    """Print the answer, warnings, the ranked table and where the report is.

    Parameters
    ----------
    explanation : Explanation
        Of the run.
    out : Path
        Its folder.
    common : Common
        Whether JSON is wanted.
    """
    report = out / "report.html"
    shown = [*_found(explanation), "", *_ranked(explanation), "", f"Report: {report}"]
    emit(common, {**_parts(explanation, out), "report": report}, lambda: say(*shown))


def _parts(explanation: "Explanation", out: Path) -> dict[str, Any]:
    """What is said of a run for machines."""
    summary = explanation.summary
    return {
        "run": out,
        "target": summary["target"],
        "answer": summary["answer"],
        "warnings": summary["warnings"],
        "effects": explanation.effects.to_dict("records"),
        "drivers": None if explanation.drivers is None else explanation.drivers.to_dict("records"),
    }


def _found(explanation: "Explanation") -> list[str]:
    return [*explanation.summary["answer"], *explanation.summary["warnings"]]


def _ranked(explanation: "Explanation") -> list[str]:
    return repr(explanation).splitlines()
