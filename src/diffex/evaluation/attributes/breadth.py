"""A10: other kinds of images. A12: larger ones."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from diffex.classifiers import balanced_accuracy_interval
from diffex.classifiers.blackbox import predict
from diffex.editors import LatentEditor
from diffex.effects.intervals import wilson
from diffex.evaluation.attributes.top import render_pairs, top_attribute
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import SHIPPED_RULES, TARGET
from diffex.evaluation.pictures import save_grid, save_strip
from diffex.evaluation.real_fits import real_model, real_side
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import BCCD, JURKAT, planted
from diffex.evaluation.stages import Fitted, attribute_config, explained, fitted, gate_words
from diffex.generators.making import FitRequest
from diffex.generators.model import Model
from diffex.generators.presets import load_preset
from diffex.images import Images, sample

_SHOWN = 8
_NOISES: tuple[Literal["fresh", "inverted"], ...] = ("fresh", "inverted")
_TINY = {"steps": 12, "latents": 8, "widths": (16, 32), "batch_size": 12}


TARGETS = {JURKAT: "G2", BCCD: "wbc", "automobile-truck": "truck", "horse-deer": "deer"}
"""The class explained of each kind of images."""


def measure_breadth(name: str) -> Callable[[Bench], Iterator[Measured]]:
    """Make the task of one set of A10.

    Parameters
    ----------
    name : str
        One of `TARGETS`.

    Returns
    -------
    callable
        Fits, explains, yields what came out.
    """

    def run(bench: Bench) -> Iterator[Measured]:
        test = real_side(bench, name, "test")
        yield from _run_through(bench, "A10", name, real_model(bench, name), test, TARGETS[name])

    return run


def measure_large(bench: Bench) -> Iterator[Measured]:
    """Measure A12: ``fit --quick`` and ``attributes`` at 128 px.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    rule = SHIPPED_RULES["linear"]
    train = planted(bench.size(1500, 100), 50 + bench.seed, rule, 128)
    test = planted(bench.size(400, 60), 5000 + bench.seed, rule, 128)
    quick = load_preset("quick").model_copy(update={"seed": bench.seed, "symmetry": "none"})
    config = quick.model_copy(update=_TINY) if bench.quick else quick
    request = FitRequest(train, config, black_box_steps=bench.size(None, 20))
    yield from _run_through(bench, "A12", "planted128", fitted(bench, "planted128", request), test, TARGET)


def _run_through(
    bench: Bench, row: str, name: str, made: Fitted, test: Images, target: str
) -> Iterator[Measured]:
    steps = made.model.generator.config.steps
    yield Measured(
        row, f"{name}: minutes of fit, {steps} steps", made.seconds / 60, REPORTED,
        seconds=made.seconds, note=made.note,
    )  # fmt: skip
    yield from _quality(row, name, made.model, test, bench.seed)
    save_reconstructions(made.model, sample(test, _SHOWN, bench.seed), bench, f"{name}_reconstructions.png")
    explanation = explained(bench, f"{name}-{target}", test, made.model, attribute_config(bench, target))
    cost = float(explanation.cost["seconds_total"])
    yield Measured(row, f"{name}: minutes of attributes, target {target}", cost / 60, REPORTED, seconds=cost)
    found = int(explanation.effects["significant"].sum())
    yield Measured(row, f"{name}: significant rows, target {target}", found, REPORTED)
    top = top_attribute(explanation)
    if top is None:
        return
    save_strip(explanation, bench.figure(f"{name}_{target}.png"))
    index = made.model.classifier.card.class_names.index(target)
    cells = sample(test, bench.size(256, 24), bench.seed)
    pairs = render_pairs(cells, made.model, top, top.strength, index, bench.seed)
    flips = wilson(int(pairs.flipped[pairs.fresh].sum()), int(pairs.fresh.sum()))
    note = f"{top.words}; strength {top.strength:g}" + ("" if top.on_manifold else ", not on the manifold")
    yield Measured(
        row, f"{name}: share that the top attribute flips", flips[0], REPORTED, *flips[1:], note=note
    )


def save_reconstructions(model: Model, cells: Images, bench: Bench, name: str) -> None:
    """Save a picture: cells, rendered again on fresh noise and on their own inverted noise.

    Parameters
    ----------
    model : Model
        Encodes and renders, at full depth.
    cells : Images
        A few.
    bench : Bench
        Its seed, and where figures go.
    name : str
        Of the file.
    """
    x = cells.read()
    editors = [LatentEditor(model.generator, noise, None, bench.seed) for noise in _NOISES]
    again = [editor.null(editor.invert(x, cells.ids)) for editor in editors]
    save_grid(np.stack([v.numpy() for v in (x, *again)], axis=1), bench.figure(name))


def _quality(row: str, name: str, model: Model, test: Images, seed: int) -> Iterator[Measured]:
    assert test.labels is not None
    logits = predict(model.classifier, lambda: test.batches(256), test.value_range)
    value = balanced_accuracy_interval(test.labels, logits.argmax(1), test.groups, seed=seed)
    yield Measured(row, f"{name}: balanced accuracy of the black box on test", value[0], REPORTED, *value[1:])
    for gate in model.gates:
        words, asked = gate_words(gate)
        verdict = "passed" if gate.passed else "FAILED"
        yield Measured(row, f"{name}: gate: {words}", gate.value, REPORTED, note=f"{verdict}, asked {asked}")
