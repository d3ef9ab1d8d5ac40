"""``diffex fit``: a model around a classifier."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer

from diffex.cli.app import app
from diffex.cli.options import (
    ClassifierAddress,
    Common,
    ImageOptions,
    OutFolder,
    ViewName,
    open_with_classifier,
    spread,
    view_named,
)
from diffex.cli.output import emit, say, show_table

if TYPE_CHECKING:
    from diffex.generators.making import FitRequest
    from diffex.generators.model import Model
    from diffex.measurements import View

Quick = Annotated[bool, typer.Option("--quick", help="A small model within minutes; gates may fail.")]
Text = Annotated[bool, typer.Option("--text", help="A text-to-image model, for diffex semantics.")]
Captions = Annotated[
    str | None,
    typer.Option(help="With --text: column of captions, phrases between commas; measured without."),
]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps of the generator.")]


@final
@dataclass(frozen=True)
class FitPlan:
    """What the options say of a fit.

    Parameters
    ----------
    classifier : str or None
        Address.
    start : Path or None
        Model to adapt.
    quick : bool
        Small and short.
    steps : int or None
        Of the generator.
    config : Path or None
        YAML file.
    settings : tuple of str
        ``field=value``.
    """

    classifier: str | None = None
    start: Path | None = None
    quick: bool = False
    steps: int | None = None
    config: Path | None = None
    settings: tuple[str, ...] = ()


@app.command()
@spread
def fit(
    *,
    images: ImageOptions,
    out: OutFolder,
    classifier: ClassifierAddress = None,
    start: Annotated[Path | None, typer.Option("--from", help="A model to adapt to this classifier.")] = None,
    quick: Quick = False,
    text: Text = False,
    captions: Captions = None,
    view: ViewName = "cell",
    steps: Steps = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with fields of GeneratorConfig.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE; repeatable.")] = None,
    common: Common,
) -> None:
    """Fit a generator around a classifier.

    Without --classifier, a small one is trained on the labels first. An interrupted fit goes on with the
    same command. With --text, a text-to-image model is trained on captions, or --from one is trained
    further: a folder in Stable Diffusion's layout, or a hub name.

    Example: diffex fit cells/train --out model
    """
    from diffex.generators.making import fit_model

    if text or captions is not None:
        others = (classifier, quick, config, settings)
        fit_words(images, WordPlan(text, captions, view_named(view), start, steps, others), out, common)
        return

    plan = FitPlan(classifier, start, quick, steps, config, tuple(settings or ()))
    request = prepare_fit(images, plan, out, common)
    announce(request, out, common)
    model = fit_model(request, out, common.open_device())
    emit(common, describe_model(model), lambda: show_model(model))


@final
@dataclass(frozen=True)
class WordPlan:
    """What the options say of a fit of a text-to-image model.

    Parameters
    ----------
    text : bool
        Whether one is wanted.
    captions : str or None
        Column.
    view : {"cell", "field"}
        What is measured, without a column.
    start : Path or None
        Model to train further.
    steps : int or None
        Of the U-Net.
    others : tuple
        Options of other fits; refused.
    """

    text: bool
    captions: str | None
    view: "View"
    start: Path | None
    steps: int | None
    others: tuple[Any, ...]


def fit_words(images: ImageOptions, plan: WordPlan, out: Path, common: Common) -> None:
    """Train a text-to-image model on captions of a column, or measured ones; say first how long it takes.

    Parameters
    ----------
    images : ImageOptions
        Which images.
    plan : WordPlan
        What to fit.
    out : Path
        Where to.
    common : Common
        Seed and device.
    """
    from diffex.base.errors import InputError
    from diffex.concepts.captions import measured_captions, read_captions
    from diffex.concepts.describers.offline import OfflineDescriber
    from diffex.generators.text.making import MODEL, estimate_text_seconds, fit_text, text_config
    from diffex.generators.text.model import open_text_model

    if not plan.text:
        raise InputError("--captions got a column without --text: add --text.")
    if any(plan.others):
        raise InputError("--text takes no --classifier, --quick, --config or --set: leave them out.")
    opened, device = images.open(), common.open_device()
    start = None if plan.start is None else open_text_model(str(plan.start), device)
    config = text_config(opened, start, plan.steps).model_copy(update={"seed": common.chosen_seed})
    said = (
        read_captions(opened, plan.captions)
        if plan.captions is not None
        else measured_captions(opened, OfflineDescriber(view=plan.view).describe(opened), plan.view)
    )
    if not (out / MODEL).is_dir():
        seconds = estimate_text_seconds(opened, config, device, start)
        _log_duration(seconds, device)
    model = fit_text(opened, said, out, config, device=device, start=start)
    found = {"model": str(out / MODEL), "state_hash": model.state_hash(), "size": model.size}
    emit(
        common,
        found,
        lambda: say(f"Next: diffex semantics IMAGES --editor {out / MODEL} --target CLASS --out RUN"),
    )


def prepare_fit(images: ImageOptions, plan: FitPlan, out: Path, common: Common) -> "FitRequest":
    """Check everything that a fit needs; nothing is written.

    Parameters
    ----------
    images : ImageOptions
        Which images.
    plan : FitPlan
        What to fit.
    out : Path
        Where to; refused where something foreign is.
    common : Common
        Seed and device.

    Returns
    -------
    FitRequest
        Of images that can all be read, and a classifier that takes them.
    """
    from diffex.explainers.claims import require_free_model
    from diffex.explainers.reading import read_through, try_classifier
    from diffex.generators.making import FitRequest
    from diffex.generators.presets import resolve_config
    from diffex.images import require_classes

    require_free_model(out)
    common.open_device()
    base = None if plan.start is None else _config_of(plan.start)
    preset = "adapt" if base is not None else "quick" if plan.quick else "default"
    overrides = {"steps": plan.steps, "seed": common.seed}
    config = resolve_config(preset, plan.config, plan.settings, overrides, base)
    opened, classifier = open_with_classifier(images, plan.classifier)
    if classifier is None:
        require_classes(opened)
    else:
        try_classifier(classifier, opened)
    read_through(opened)
    return FitRequest(opened, config, classifier, plan.start, 200 if plan.quick else None)


def announce(request: "FitRequest", out: Path, common: Common) -> None:
    """Say on stderr how long a fit will take, where it is not finished already.

    Parameters
    ----------
    request : FitRequest
        What is to be fitted.
    out : Path
        Where to.
    common : Common
        Device.
    """
    from diffex.generators.duration import estimate_fit_seconds
    from diffex.generators.model import FILE

    if (out / FILE).exists() or len(request.images) < 2:
        return
    device = common.open_device()
    seconds = estimate_fit_seconds(
        request.images, request.config, request.classifier, device, request.black_box_steps
    )
    _log_duration(seconds, device)


def _log_duration(seconds: float, device: Any) -> None:
    logging.getLogger("diffex").info("The fit takes about %s on this machine (%s).", _said(seconds), device)


def _said(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _config_of(start: Path) -> Any:
    from diffex.base.errors import FolderError
    from diffex.base.files import read_json
    from diffex.generators.config import GeneratorConfig
    from diffex.generators.model import FILE

    if not (start / FILE).exists():
        raise FolderError(f"--from {start} holds no finished model: give a folder made by diffex fit.")
    return GeneratorConfig(**read_json(start / "generator.json")["config"])


def describe_model(model: "Model") -> dict[str, Any]:
    """Give what a fit has made.

    Parameters
    ----------
    model : Model
        Fitted.

    Returns
    -------
    dict
        Address, hashes, gates, accuracy of the black box, seconds.
    """
    return {
        "model": model.address,
        "state_hash": model.state_hash(),
        "classifier": model.classifier.address,
        "classes": model.classifier.card.class_names,
        "passed": model.passed,
        "gates": [gate.as_dict() for gate in model.gates],
        "black_box": model.record.get("black_box"),
        "seconds": model.record.get("seconds"),
    }


def show_model(model: "Model") -> None:
    """Print a model's gates and what comes next.

    Parameters
    ----------
    model : Model
        Fitted.
    """
    rows = [
        (gate.words, f"{gate.value:.3f}", f"{'>=' if gate.at_least else '<='} {gate.threshold:g}",
         "passed" if gate.passed else "FAILED")
        for gate in model.gates
    ]  # fmt: skip
    show_table(f"Model {model.address}", ("gate", "value", "asked", "verdict"), rows)
    target = model.classifier.card.class_names[-1]
    if model.passed:
        say(f"Next: diffex attributes IMAGES --model {model.address} --target {target} --out RUN")
    else:
        say(
            "A gate failed: fit longer (--steps) or on more images; attributes would refuse it without "
            "--force."
        )
