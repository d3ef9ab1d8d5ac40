"""Stages that rows share: a fitted model, an explanation, a black box; found again by content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from diffex.base.files import write_text
from diffex.classifiers import Classifier, fit_black_box, load_black_box
from diffex.evaluation.bench import FIT_ROOMS, RUN_ROOMS, Bench, code_hash
from diffex.evaluation.demo import run_demo
from diffex.explainers.attributes import explain_attributes
from diffex.explainers.config import AttributeConfig
from diffex.generators import Gate, GeneratorConfig
from diffex.generators.making import FitRequest, fit_model
from diffex.generators.model import FILE, Model
from diffex.generators.presets import resolve_config
from diffex.images import Images
from diffex.runs import Explanation, read_run, write_run

_HEAD = "explanation.json"
_QUICK: dict[str, Any] = {
    "images": 48,
    "concepts": 40,
    "top": 2,
    "strengths": (0.5, 1.0, 2.0),
    "verify_depth": 2,
    "verify_images": 16,
    "shown": 3,
}


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model and what it took.

    Parameters
    ----------
    model : Model
        With its gates.
    seconds : float
        Wall time of ``fit``; of its last part alone where it was interrupted.
    resumed : bool
        Whether it was interrupted.
    """

    model: Model
    seconds: float
    resumed: bool

    @property
    def note(self) -> str:
        """What a reader of the seconds must know."""
        return "the fit was interrupted; seconds of its last part alone" if self.resumed else ""


def fitted(bench: Bench, kind: str, request: FitRequest) -> Fitted:
    """Fit a model, or open the one fitted before.

    Parameters
    ----------
    bench : Bench
        Where stages are.
    kind : str
        Name of the stage.
    request : FitRequest
        What to fit.

    Returns
    -------
    Fitted
        The same whether it was cached or not.
    """
    content = [request.fingerprint(), request.black_box_steps, code_hash(FIT_ROOMS)]
    folder = bench.stage(kind, content)
    mark = folder.with_suffix(".resumed")
    if folder.exists() and not (folder / FILE).exists():
        write_text(mark, "The fit in this stage was interrupted at least once.\n")
    model = fit_model(request, folder, bench.device)
    return Fitted(model, float(model.record["seconds"]), mark.exists())


def explained(bench: Bench, kind: str, images: Images, model: Model, config: AttributeConfig) -> Explanation:
    """Explain, or read the run written before by the same code.

    Parameters
    ----------
    bench : Bench
        Where stages are.
    kind : str
        Name of the stage.
    images : Images
        To explain.
    model : Model
        Generator and classifier.
    config : AttributeConfig
        Target, sizes, seed.

    Returns
    -------
    Explanation
        With the cost of the run that made it.
    """
    folder = bench.stage(kind, explained_content(images, model, config))
    return kept_run(folder, lambda: explain_attributes(images, model, config))


def kept_run(folder: Path, explain: Callable[[], Explanation]) -> Explanation:
    """Explain and write the run, or read the one written before.

    Parameters
    ----------
    folder : Path
        Of the stage.
    explain : callable
        Makes the explanation.

    Returns
    -------
    Explanation
        With the cost of the run that made it.
    """
    if (folder / _HEAD).exists():
        return read_run(folder)
    explanation = explain()
    write_run(explanation, folder)
    return explanation


def explained_content(images: Images, model: Model, config: AttributeConfig) -> list[Any]:
    """List what decides an explanation.

    Parameters
    ----------
    images : Images
        To explain.
    model : Model
        Generator and classifier.
    config : AttributeConfig
        Target, sizes, seed.

    Returns
    -------
    list
        Hashes and settings; the code is among them.
    """
    hashes = [images.fingerprint(), model.state_hash(), model.classifier.state_hash()]
    return [*hashes, config.model_dump(mode="json"), code_hash(RUN_ROOMS)]


def black_box(
    bench: Bench, kind: str, images: Images, *, steps: int | None = None, seed: int | None = None
) -> Classifier:
    """Fit a black box, or open the one fitted before.

    Parameters
    ----------
    bench : Bench
        Where stages are.
    kind : str
        Name of the stage.
    images : Images
        Labelled.
    steps : int, optional
        Optimiser steps; default those of ``fit``.
    seed : int, optional
        Default the bench's.

    Returns
    -------
    Classifier
        On the bench's device.
    """
    chosen = bench.seed if seed is None else seed
    folder = bench.stage(kind, [images.fingerprint(), steps, chosen, code_hash(FIT_ROOMS)])
    if not (folder / "config.json").exists():
        fit_black_box(images, folder, seed=chosen, steps=steps, device=bench.device)
    return load_black_box(folder).to(bench.device)


def generator_config(
    bench: Bench, full: dict[str, Any], quick: dict[str, Any] | None = None
) -> GeneratorConfig:
    """Put the configuration of a fit together.

    Parameters
    ----------
    bench : Bench
        Its seed, and whether the run is quick.
    full : dict
        What a full run changes in the default preset.
    quick : dict, optional
        What a quick run changes besides; by default a small network and few steps.

    Returns
    -------
    GeneratorConfig
        Complete.
    """
    small = {"steps": 100, "latents": 16, "widths": (32, 48), "batch_size": 24} if quick is None else quick
    return resolve_config("default", overrides={**full, "seed": bench.seed, **(small if bench.quick else {})})


def attribute_config(bench: Bench, target: str, images: int = 256) -> AttributeConfig:
    """Put the configuration of an explanation together.

    Parameters
    ----------
    bench : Bench
        Its seed, and whether the run is quick.
    target : str
        The class.
    images : int, default 256
        Of a full run.

    Returns
    -------
    AttributeConfig
        Forced: gates are rows of their own, and a row that stands on a failed one says so.
    """
    settings: dict[str, Any] = {"target": target, "images": images, "seed": bench.seed, "force": True}
    return AttributeConfig(**(settings | (_QUICK if bench.quick else {})))


def gate_words(gate: Gate) -> tuple[str, str]:
    """Say what a gate measures and what it asks, as a row does.

    Parameters
    ----------
    gate : Gate
        Measured.

    Returns
    -------
    (str, str)
        What, and target.
    """
    return gate.words, f"{'>=' if gate.at_least else '<='} {gate.threshold:g}"


def demo_run(bench: Bench) -> Path:
    """Run the demo, or find its run.

    Parameters
    ----------
    bench : Bench
        Seed, stages, device.

    Returns
    -------
    Path
        The run folder.
    """
    folder = bench.stage("demo", [code_hash(RUN_ROOMS), bench.seed])
    if not (folder / _HEAD).exists():
        run_demo(bench.seed, folder, bench.device)
    return folder
