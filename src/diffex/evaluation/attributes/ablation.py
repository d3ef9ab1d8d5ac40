"""A11: what each loss, classifier-awareness and the noise path are worth at equal cost."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from diffex.base.files import read_json, write_json, write_text
from diffex.classifiers import Classifier
from diffex.editors import LatentEditor
from diffex.evaluation.bench import FIT_ROOMS, Bench, code_hash
from diffex.evaluation.real_fits import real_side
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import FKHR
from diffex.evaluation.stages import black_box, gate_words, generator_config
from diffex.generators import DiffusionAutoencoder, GeneratorConfig, fit_generator, measure_gates
from diffex.generators.presets import load_preset
from diffex.images import Images, sample, split_by_group

UNAWARE, ADAPTED = "unaware of the classifier", "unaware, then adapted"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "no logit loss": {"logit": 0.0},
    "no feature loss": {"features": 0.0},
    "no probe of the code": {"probe": 0.0},
    "no loss on the one-step mean": {"mean": 0.0},
    "no training at pure noise": {"at_noise": 0.0},
    "no KL": {"kl": 0.0},
    "classifier's gradient cut before the encoder": {"classifier_gradient": False},
    "logit condition": {"logit_condition": True},
    "ddpm path": {"path": "ddpm"},
    UNAWARE: {},
    ADAPTED: {},
}
_STEPS = 600


def measure_ablation(bench: Bench) -> Iterator[Measured]:
    """Measure A11: gates and sharpness of every variant, same images, classifier, steps and seed.

    The network is that of ``fit --quick``, so that a dozen trainings take about half an hour.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        Some numbers per variant.
    """
    images = real_side(bench, FKHR, "train")
    images = sample(images, 240, bench.seed) if bench.quick else images
    classifier = black_box(bench, "fkhr-classifier", images, steps=bench.size(None, 30))
    fitting, held_out = split_by_group(images, 0.15, bench.seed)
    held_out = sample(held_out, bench.size(256, 32), bench.seed)
    small = {"steps": 6, "latents": 8, "widths": (16, 32), "batch_size": 12}
    base = generator_config(bench, {**load_preset("quick").model_dump(), "steps": _STEPS}, small)
    start: DiffusionAutoencoder | None = None
    told: dict[str, list[Measured]] = {}
    for name, changes in VARIANTS.items():
        config = base.model_copy(update=dict(changes))
        if name == ADAPTED:
            config = config.model_copy(
                update={"lr": load_preset("adapt").lr, "steps": max(1, _adapt_steps(bench))}
            )
        guide = None if name == UNAWARE else classifier
        model, seconds = _fitted(bench, fitting, guide, config, start if name == ADAPTED else None)
        start = model if name == UNAWARE else start
        told[name] = list(_numbers(name, model, classifier, held_out, bench, config.steps, seconds))
        yield from told[name]
        write_text(bench.figure("ablation.md"), comparison(told))


def comparison(told: Mapping[str, list[Measured]]) -> str:
    """Lay variants out as a Markdown table, a line each.

    Parameters
    ----------
    told : mapping of str to list of Measured
        The same numbers for every variant, each named ``variant: what``.

    Returns
    -------
    str
        The table.
    """
    heads = [found.what.split(": ", 1)[1] for found in next(iter(told.values()))]
    lines = [["variant", *heads], ["---"] * (len(heads) + 1)]
    lines += [[name, *[f"{one.value:.3g}" for one in found]] for name, found in told.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _adapt_steps(bench: Bench) -> int:
    return bench.size(load_preset("adapt").steps, 3)


def _fitted(
    bench: Bench,
    images: Images,
    guide: Classifier | None,
    config: GeneratorConfig,
    start: DiffusionAutoencoder | None,
) -> tuple[DiffusionAutoencoder, float]:
    """Fit one variant, or open it; with the seconds of the fit."""
    content = [
        images.fingerprint(),
        code_hash(FIT_ROOMS),
        config.model_dump(mode="json"),
        None if guide is None else guide.state_hash(),
        None if start is None else start.state_hash(),
    ]
    folder = bench.stage("variant", content)
    if not (folder / "seconds.json").exists():
        started = time.monotonic()
        model = fit_generator(images, guide, config, folder / "training", device=bench.device, start=start)
        model.save(folder)
        write_json(folder / "seconds.json", time.monotonic() - started)
    return DiffusionAutoencoder.load(folder, bench.device), float(read_json(folder / "seconds.json"))


def _numbers(
    name: str,
    model: DiffusionAutoencoder,
    classifier: Classifier,
    held_out: Images,
    bench: Bench,
    steps: int,
    seconds: float,
) -> Iterator[Measured]:
    said = f"{steps} steps, one seed"
    yield Measured("A11", f"{name}: seconds of training", seconds, REPORTED, seconds=seconds, note=said)
    for gate in measure_gates(model, classifier, held_out, bench.seed):
        words, asked = gate_words(gate)
        verdict = "passed" if gate.passed else "failed"
        yield Measured(
            "A11", f"{name}: {words}", gate.value, REPORTED, note=f"{said}; {verdict}, asked {asked}"
        )
    x = held_out.read()
    editor = LatentEditor(model, "fresh", None, bench.seed)
    noise_free = editor.null(editor.invert(x, held_out.ids))
    yield Measured(
        "A11",
        f"{name}: PSNR of reconstructions, dB",
        psnr(x, noise_free, held_out.value_range),
        REPORTED,
        note=said,
    )


def psnr(x: torch.Tensor, again: torch.Tensor, value_range: tuple[float, float]) -> float:
    """Peak signal to noise ratio.

    Parameters
    ----------
    x, again : Tensor
        ``(n, c, h, w)`` grey values.
    value_range : (float, float)
        Its width is the peak.

    Returns
    -------
    float
        In decibels, over all pixels of all images.
    """
    error = float((x - again).double().square().mean())
    peak = value_range[1] - value_range[0]
    return float(10 * np.log10(peak**2 / max(error, 1e-20)))
