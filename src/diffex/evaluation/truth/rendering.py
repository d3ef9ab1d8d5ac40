"""Concepts of all classifiers proposed, rendered once and judged by all; cached part by part."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.classifiers import Classifier
from diffex.concepts import SOURCES, Concept, Evidence
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.linear import image_metric, logit_gradients, main_axes, margin_curvature
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.effects.strengths import calibrate, typical_size
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.proxy_gradient import proxy_gradient
from diffex.evaluation.sets import planted
from diffex.evaluation.truth.pool import OWN, SHARED, Pool
from diffex.evaluation.truth.subjects import Subjects, subjects, trunk
from diffex.generators import DiffusionAutoencoder, logits_of
from diffex.images import Images
from diffex.measurements import measure, nucleus_channel, quantities

GRADED = 5
"""Classifiers of graded linear rules in a full run."""

_FEW = 12
_GRADIENTS = 48
_TOGETHER = 4


def opened(bench: Bench) -> tuple[Subjects, Pool]:
    """Open classifiers, truth and pool, all cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.

    Returns
    -------
    (Subjects, Pool)
        The same for all rows.
    """
    made = subjects(bench, bench.size(GRADED, 1))
    return made, rendered_pool(bench, made, {name: misread(voice) for name, voice in made.voices.items()})


def rendered_pool(bench: Bench, made: Subjects, misreading: Mapping[str, Classifier]) -> Pool:
    """Propose, calibrate, render one step, and ask all classifiers and the oracle; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    made : Subjects
        Classifiers and generator.
    misreading : mapping of str to Classifier
        Of `misread`, by name, where the published ranking as released is to be replayed; else empty.

    Returns
    -------
    Pool
        Of `bench.size(64, 24)` cells.
    """
    cells = planted(bench.size(64, 24), 15_000 + bench.seed)
    content = [
        cells.fingerprint(), made.generator.state_hash(), made.hashes(), made.oracle.reader.state_hash(),
        _counts(bench), bench.seed, sorted(misreading), code_hash(RUN_ROOMS),
    ]  # fmt: skip
    folder = bench.stage("pool", content)
    if not (folder / "concepts.json").exists():
        tensors, concepts = _calibrated(bench, made, cells)
        save_tensors(folder / "concepts.safetensors", tensors)
        write_json(folder / "concepts.json", [one.as_dict() for one in concepts])
    kept = load_tensors(folder / "concepts.safetensors")
    heads = read_json(folder / "concepts.json")
    concepts = [Concept.from_dict(h, v) for h, v in zip(heads, kept["directions"], strict=True)]
    heard = made.voices | {f"misread:{name}": voice for name, voice in misreading.items()}
    heard |= {"oracle": made.oracle.reader, "features": trunk(made.oracle.reader)}
    logits = _judged(bench, made.generator, heard, cells, concepts, folder)
    edits, plain, original = (_named(logits, part) for part in ("edits", "plain", "original"))
    metric, covariance = (kept[name].double().numpy() for name in ("metric", "covariance"))
    levels = plain.pop("oracle")
    features = edits.pop("features") - plain.pop("features")[:, None, None]
    factors = made.oracle.corrected(edits.pop("oracle") - levels[:, None, None])
    return Pool(
        tuple(concepts), cells, factors, levels, edits, plain, original, _named(kept, "gradients"),
        _named(kept, "curvature"), features, metric, covariance, float(kept["size"][0]),
    )  # fmt: skip


def _named(kept: Mapping[str, Tensor], part: str) -> dict[str, FloatArray]:
    names = [name for name in kept if name.startswith(f"{part}|")]
    return {name.split("|")[1]: kept[name].double().numpy() for name in names}


def _counts(bench: Bench) -> dict[str, int]:
    return {kind: bench.size(count, max(2, count // 6)) for kind, count in (SHARED | OWN).items()}


def _calibrated(bench: Bench, made: Subjects, cells: Images) -> tuple[dict[str, Tensor], list[Concept]]:
    """Directions of one size, and what the significance test needs beside effects."""
    ledger, editor = CostLedger(), LatentEditor(made.generator, "fresh", 1, bench.seed)
    proposing = planted(bench.size(600, 60), 16_000 + bench.seed)
    concepts, evidence = _proposed(bench, made, proposing, editor, ledger)
    inversion = editor.invert(cells.read(), cells.ids)
    size = typical_size(editor, inversion.rows(0, 48), ledger)
    concepts = calibrate(concepts, editor, inversion.rows(0, 8), evidence.metric, size, ledger)
    tensors = {"directions": torch.stack([one.direction for one in concepts])}
    tensors["metric"] = torch.from_numpy(evidence.metric)
    tensors["covariance"] = torch.from_numpy(evidence.covariance)
    tensors["size"] = torch.tensor([size], dtype=torch.float64)
    axes = main_axes(evidence.metric, evidence.covariance, size)
    for name, voice in made.voices.items():
        found = logit_gradients(made.generator, voice, inversion.codes, inversion.noise, made.target, ledger)
        tensors[f"gradients|{name}"] = torch.from_numpy(found)
        bent = margin_curvature(
            made.generator,
            voice,
            inversion.codes,
            inversion.noise,
            made.target,
            axes,
            evidence.metric,
            ledger,
        )
        tensors[f"curvature|{name}"] = torch.from_numpy(bent)
    return tensors, concepts


def _judged(
    bench: Bench,
    generator: DiffusionAutoencoder,
    heard: Mapping[str, Classifier],
    cells: Images,
    concepts: list[Concept],
    folder: Path,
) -> dict[str, Tensor]:
    """Logits of edits, null edits and cells; kept every few cells, so that a run that was cut goes on."""
    together, columns = chorus(heard, cells.value_range)
    judge = Judge(together, cells.value_range, CostLedger())
    editor, parts = LatentEditor(generator, "fresh", 1, bench.seed), []
    for start in range(0, len(cells), _TOGETHER):
        path = folder / f"logits-{start}.safetensors"
        if not path.exists():
            some = cells.subset(np.arange(start, min(start + _TOGETHER, len(cells))))
            save_tensors(path, _logits(editor, judge, some, concepts, columns))
        parts.append(load_tensors(path))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _logits(
    editor: LatentEditor, judge: Judge, cells: Images, concepts: list[Concept], columns: Mapping[str, slice]
) -> dict[str, Tensor]:
    inversion = editor.invert(cells.read(), cells.ids)
    matrix = effect_matrix(editor, judge, inversion, concepts, editor.generator.pixels.size)
    own = judge.logits(cells.read())
    return {
        f"{part}|{name}": torch.from_numpy(np.ascontiguousarray(values[..., place], dtype=np.float32))
        for part, values in (("edits", matrix.edits), ("plain", matrix.null), ("original", own))
        for name, place in columns.items()
    }


def misread(voice: Classifier) -> Classifier:
    """Make the classifier that the published ranking asked: pixels of 0..1 where -1..1 was expected.

    Parameters
    ----------
    voice : Classifier
        A wrapped module.

    Returns
    -------
    Classifier
        Its network, fed ``(v + high) / 2`` where its card says `v`, which fills the upper half of the range.
    """
    assert voice.module is not None
    high = voice.card.value_range[1]
    mean, std = tuple(2 * m - high for m in voice.card.mean), tuple(2 * s for s in voice.card.std)
    card = voice.card.model_copy(update={"mean": mean, "std": std})
    return Classifier(voice.module, card, differentiable=False, address="misread")


def _proposed(
    bench: Bench, made: Subjects, cells: Images, editor: LatentEditor, ledger: CostLedger
) -> tuple[list[Concept], Evidence]:
    counts = _counts(bench)
    shared = _evidence(bench, made, cells, editor, ledger)
    concepts = [one for kind in SHARED for one in SOURCES[kind](shared, counts[kind])]
    for name, voice in made.voices.items():
        own = _heard(shared, made, voice, cells, editor, ledger)
        found = [one for kind in OWN for one in SOURCES[kind](own, counts[kind])]
        asked = Counted(voice, cells.value_range)
        found.append(proxy_gradient(editor, asked, cells.subset([0]), made.target, shared.covariance))
        concepts += [replace(one, id=f"{name}:{one.id}") for one in found]
    return concepts, shared


def _evidence(
    bench: Bench, made: Subjects, cells: Images, editor: LatentEditor, ledger: CostLedger
) -> Evidence:
    """What sources may look at; margins and gradients are filled in for each classifier."""
    x, generator = cells.read(), made.generator
    codes, some = generator.encode(x), evenly(len(cells), _FEW)
    noise = editor.invert(x[some], tuple(cells.ids[i] for i in some)).noise
    found = image_metric(generator, codes[some], noise, generator.code_cov.diagonal().sqrt().cpu(), ledger)
    channel = nucleus_channel(cells.channel_names)
    assert channel is not None
    nothing: Any = np.zeros(len(cells))
    return Evidence(
        codes=codes.double().numpy(),
        covariance=generator.code_cov.double().cpu().numpy(),
        margin=nothing,
        is_target=nothing > 0,
        gradients=np.zeros((1, codes.shape[1])),
        metric=found.metric,
        feature_steps=found.feature_steps,
        measured=measure(
            x, cells.channel_names, cells.read_masks(), cells.pixel_size_um, shape_channel=channel
        ),
        quantities=quantities(cells.channel_names, cells.pixel_size_um),
        seed=bench.seed,
    )


def _heard(
    shared: Evidence,
    made: Subjects,
    voice: Classifier,
    cells: Images,
    editor: LatentEditor,
    ledger: CostLedger,
) -> Evidence:
    logits = logits_of(voice, cells.read(), cells.value_range)
    few = editor.invert(cells.read(list(range(_GRADIENTS))), cells.ids[:_GRADIENTS])
    gradients = logit_gradients(made.generator, voice, few.codes, few.noise, made.target, ledger)
    return replace(
        shared,
        margin=margin_of(logits, made.target),
        is_target=np.asarray(logits.argmax(1) == made.target),
        gradients=gradients,
    )
