"""A7: are the effects of planted factors recovered from edits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from diffex.base.files import load_tensors, save_tensors, write_json
from diffex.classifiers import Classifier
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.attributes.interventions import Oracle, fit_reader, true_effects
from diffex.evaluation.attributes.recovery import mean_changes, recovered_effects, spearman
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash, shipped_folder
from diffex.evaluation.demo import TARGET
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import planted, relabelled
from diffex.evaluation.stages import attribute_config, black_box
from diffex.explainers.attributes import calibrated_concepts
from diffex.explainers.preparing import prepare
from diffex.generators import DiffusionAutoencoder
from diffex.generators.model import Model
from diffex.images import Images
from diffex.images.planted_factors import FACTORS
from diffex.images.planted_labels import LinearRule, graded_rule

_ACTIVE = 11
_DEPTH = 4
_RESAMPLES = 500


@final
@dataclass(frozen=True, eq=False)
class Edits:
    """What all edits of one classifier's concepts do, image by image.

    Parameters
    ----------
    factors : ndarray, shape (n, D, 12)
        Change of every factor as the oracle reads it, corrected; D counts both signs of all concepts.
    margins : ndarray, shape (n, D)
        Change of the target's margin.
    """

    factors: FloatArray
    margins: FloatArray

    def recovered(self, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> FloatArray:
        """Recover the effect of every factor, ``(12,)``, from some images."""
        return recovered_effects(*mean_changes(self.factors, self.margins, rows))


def measure_recovery(bench: Bench) -> Iterator[Measured]:
    """Measure A7: Spearman of recovered and true interventional effects.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        The oracle's R2, each classifier, and the mean over classifiers.
    """
    pool = planted(bench.size(4000, 300), 11_000 + bench.seed)
    rules = _rules(bench)
    voices = _classifiers(bench, pool, rules)
    reader = fit_reader(bench, pool, bench.size(1500, 40))
    target = next(iter(voices.values())).card.class_names.index(TARGET)
    truth, response, r2 = true_effects(voices, target, reader, bench.size(500, 40), 13_000 + bench.seed)
    oracle = Oracle(reader, response, r2)
    worst = FACTORS[int(r2.argmin())]
    yield Measured("A7", "R2 of the oracle that reads factors, mean of 12", float(r2.mean()), REPORTED,
                   note=f"smallest {r2.min():.2f} ({worst})")  # fmt: skip
    cells = planted(bench.size(400, 60), 15_000 + bench.seed)
    generator = DiffusionAutoencoder.load(shipped_folder(), bench.device)
    edits: dict[str, Edits] = {}
    for name, voice in voices.items():
        labelled = relabelled(cells, rules[name], bench.seed)
        edits[name] = _edits(bench, name, labelled, generator, voice, oracle, target)
        found = edits[name].recovered(np.arange(len(edits[name].margins)))
        note = "signs agree for " + f"{np.mean(np.sign(found) == np.sign(truth[name])):.0%} of the factors"
        yield Measured(
            "A7", f"{name}: Spearman over 12 factors", spearman(found, truth[name]), REPORTED, note=note
        )
    _write_table(bench, edits, truth)
    value = mean_spearman(edits, truth, bench.seed)
    note = f"{len(edits)} classifiers; interval over images and classifiers"
    yield Measured(
        "A7",
        "Spearman of recovered and true interventional effects",
        value[0],
        ">= 0.85",
        *value[1:],
        note=note,
    )


def _rules(bench: Bench) -> dict[str, LinearRule]:
    count = bench.size(5, 2)
    return {f"graded-{k}": graded_rule(1000 * bench.seed + k, _ACTIVE) for k in range(count)}


def _classifiers(bench: Bench, pool: Images, rules: Mapping[str, LinearRule]) -> dict[str, Classifier]:
    steps = bench.size(500, 20)
    return {
        name: black_box(bench, name, relabelled(pool, rule, bench.seed + k), steps=steps)
        for k, (name, rule) in enumerate(rules.items())
    }


def _edits(
    bench: Bench,
    name: str,
    cells: Images,
    generator: DiffusionAutoencoder,
    voice: Classifier,
    oracle: Oracle,
    target: int,
) -> Edits:
    """Render all concepts of one classifier, ask it and the oracle; cached."""
    hashes = [cells.fingerprint(), generator.state_hash(), voice.state_hash(), oracle.reader.state_hash()]
    content: list[Any] = [*hashes, bench.quick, bench.seed, code_hash(RUN_ROOMS)]
    path = bench.stage(f"edits-{name}", content) / "edits.safetensors"
    if not path.exists():
        model = Model("shipped", generator, voice, voice, (), torch.zeros(2, generator.latents), {})
        factors, margins = _rendered(bench, cells, model, oracle.reader, target)
        save_tensors(path, {"factors": _tensor(factors), "margins": _tensor(margins)})
    kept = load_tensors(path)
    return Edits(oracle.corrected(kept["factors"].double().numpy()), kept["margins"].double().numpy())


def _rendered(
    bench: Bench, cells: Images, model: Model, reader: Classifier, target: int
) -> tuple[FloatArray, FloatArray]:
    config = attribute_config(bench, TARGET, 96)
    prepared = prepare(cells, model, config)
    concepts, _, _ = calibrated_concepts(prepared, config)
    together, columns = chorus({"classifier": model.classifier, "oracle": reader}, cells.value_range)
    judge = Judge(together, cells.value_range, prepared.ledger)
    editor = LatentEditor(model.generator, "fresh", bench.size(_DEPTH, 1), bench.seed)
    inversion = editor.invert(prepared.x, prepared.images.ids)
    matrix = effect_matrix(editor, judge, inversion, concepts, model.generator.pixels.size)
    own, read = columns["classifier"], columns["oracle"]
    margins = (
        margin_of(matrix.edits[..., own], target) - margin_of(matrix.null[..., own], target)[:, None, None]
    )
    factors = matrix.edits[..., read] - matrix.null[:, None, None, read]
    count = len(margins)
    return factors.reshape(count, -1, len(FACTORS)), margins.reshape(count, -1)


def _tensor(values: FloatArray) -> Any:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def mean_spearman(
    edits: Mapping[str, Edits], truth: Mapping[str, FloatArray], seed: int, repeats: int = _RESAMPLES
) -> tuple[float, float, float]:
    """Mean over classifiers of the rank correlation, resampling classifiers and images.

    Parameters
    ----------
    edits : mapping of str to Edits
        By classifier.
    truth : mapping of str to ndarray
        True effects, ``(12,)``, by classifier.
    seed : int
        Of the resampling.
    repeats : int
        Resamples.

    Returns
    -------
    (float, float, float)
        Value and the ends of its 95 % interval.
    """
    random = np.random.default_rng(seed)
    names = list(edits)

    def agreement(name: str, *, resample: bool) -> float:
        count = len(edits[name].margins)
        rows = random.integers(count, size=count) if resample else np.arange(count)
        return spearman(edits[name].recovered(rows), truth[name])

    value = float(np.mean([agreement(name, resample=False) for name in names]))
    drawn = [
        np.mean([agreement(str(name), resample=True) for name in random.choice(names, len(names))])
        for _ in range(repeats)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return value, float(low), float(high)


def _write_table(bench: Bench, edits: Mapping[str, Edits], truth: Mapping[str, FloatArray]) -> None:
    """Keep recovered and true effects beside the figures."""
    table = {
        name: {
            "factors": list(FACTORS),
            "true": truth[name],
            "recovered": edits[name].recovered(np.arange(len(edits[name].margins))),
        }
        for name in edits
    }
    write_json(bench.figure("recovered_effects.json"), table)
