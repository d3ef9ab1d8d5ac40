"""One pool of concepts for all classifiers and peers, rendered once and judged by all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.classifiers import Classifier
from diffex.classifiers.margins import probabilities
from diffex.concepts import SOURCES, Concept, Evidence
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.linear import image_metric, logit_gradients
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.effects.strengths import calibrate, typical_size
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.attributes.screens import Screen
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.proxy_gradient import proxy_gradient
from diffex.evaluation.sets import planted
from diffex.evaluation.truth.subjects import Subjects, subjects, trunk
from diffex.generators import logits_of
from diffex.images import Images
from diffex.measurements import measure, nucleus_channel, quantities

SHARED = {
    "morphology": 36,
    "contrastive_images": 8,
    "contrastive_codes": 10,
    "principal_axis": 12,
    "latent": 12,
    "random": 44,
}
"""Concepts that do not depend on the classifier."""

OWN = {"mean_difference": 2, "active_subspace": 5}
"""Concepts of each classifier, beside its proxy gradient."""

GRADED = 5
"""Classifiers of graded linear rules in a full run."""

_FEW = 12
_GRADIENTS = 48


@final
@dataclass(frozen=True, eq=False)
class Pool:
    """Concepts and what every picture of them did to every classifier.

    Parameters
    ----------
    concepts : tuple of Concept
        D calibrated ones; the id of one made for a classifier starts with the classifier's name and a colon.
    cells : Images
        The n cells edited.
    factors : ndarray, shape (n, D, 2, 12)
        Change of every factor as the oracle reads it, corrected.
    levels : ndarray, shape (n, 12)
        Every factor of the null edits, as the oracle reads it.
    logits : dict of str to ndarray of shape (n, D, 2, k)
        Of the edits, by classifier; ``misread:NAME`` where pixels were handed over in the wrong range.
    plain : dict of str to ndarray of shape (n, k)
        Of the null edits.
    original : dict of str to ndarray of shape (n, k)
        Of the cells themselves.
    gradients : dict of str to ndarray of shape (n, d)
        Of the target's margin with respect to the code.
    features : ndarray, shape (n, D, 2, f)
        Change of the oracle's features.
    metric, covariance : ndarray, shape (d, d)
        Of images and of codes.
    size : float
        Common size of the concepts.
    """

    concepts: tuple[Concept, ...]
    cells: Images
    factors: FloatArray
    levels: FloatArray
    logits: dict[str, FloatArray]
    plain: dict[str, FloatArray]
    original: dict[str, FloatArray]
    gradients: dict[str, FloatArray]
    features: FloatArray
    metric: FloatArray
    covariance: FloatArray
    size: float

    def columns(self, name: str, kinds: tuple[str, ...] = ()) -> NDArray[np.int64]:
        """Find the concepts that a classifier's explainer may use, of some kinds or of all."""
        return np.array(
            [
                k
                for k, one in enumerate(self.concepts)
                if one.id.split(":")[0] in {name, one.kind} and (not kinds or one.kind in kinds)
            ],
            dtype=np.int64,
        )

    def effects(self, name: str, target: int) -> FloatArray:
        """Change of the target's margin from null edit to edit, ``(n, D, 2)``."""
        return margin_of(self.logits[name], target) - margin_of(self.plain[name], target)[:, None, None]

    def screen(self, name: str, target: int) -> Screen:
        """Give the whole pool as one classifier's matrix, for the significance test."""
        directions = np.stack([one.direction.double().numpy() for one in self.concepts])
        random = np.array([one.kind == "random" for one in self.concepts])
        effects = self.effects(name, target)
        return Screen(
            effects, self.gradients[name], directions, random, self.metric, self.covariance, self.size
        )

    def shifts(self, name: str, misread: bool = False) -> FloatArray:
        """Change of all probabilities from the cell itself to its edit, ``(n, D, 2, k)``, as published."""
        edits = self.logits[f"misread:{name}" if misread else name]
        flat = torch.from_numpy(np.ascontiguousarray(edits)).reshape(-1, edits.shape[-1])
        before = probabilities(torch.from_numpy(self.original[name])).numpy()
        return np.asarray(probabilities(flat).numpy()).reshape(edits.shape) - before[:, None, None]


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
    return made, rendered_pool(bench, made)


def rendered_pool(bench: Bench, made: Subjects) -> Pool:
    """Propose, calibrate, render one step, and ask all classifiers and the oracle; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    made : Subjects
        Classifiers and generator.

    Returns
    -------
    Pool
        Of `bench.size(64, 24)` cells.
    """
    cells = planted(bench.size(64, 24), 15_000 + bench.seed)
    hashes = {name: voice.state_hash() for name, voice in made.voices.items()}
    content = [
        cells.fingerprint(), made.generator.state_hash(), hashes, made.oracle.reader.state_hash(),
        _counts(bench), bench.seed, code_hash(RUN_ROOMS),
    ]  # fmt: skip
    folder = bench.stage("pool", content)
    if not (folder / "concepts.json").exists():
        tensors, concepts = _render(bench, made, cells)
        save_tensors(folder / "pool.safetensors", tensors)
        write_json(folder / "concepts.json", [one.as_dict() for one in concepts])
    kept = load_tensors(folder / "pool.safetensors")
    heads = read_json(folder / "concepts.json")
    concepts = [Concept.from_dict(h, v) for h, v in zip(heads, kept["directions"], strict=True)]
    parts = {part: _part(kept, part) for part in ("edits", "plain", "original", "gradients")}
    metric, covariance = (kept[name].double().numpy() for name in ("metric", "covariance"))
    levels = parts["plain"].pop("oracle")
    features = parts["edits"].pop("features") - parts["plain"].pop("features")[:, None, None]
    factors = made.oracle.corrected(parts["edits"].pop("oracle") - levels[:, None, None])
    return Pool(
        tuple(concepts), cells, factors, levels, parts["edits"], parts["plain"], parts["original"],
        parts["gradients"], features, metric, covariance, float(kept["size"][0]),
    )  # fmt: skip


def _part(kept: Mapping[str, torch.Tensor], part: str) -> dict[str, FloatArray]:
    names = [name for name in kept if name.startswith(f"{part}|")]
    return {name.split("|")[1]: kept[name].double().numpy() for name in names}


def _counts(bench: Bench) -> dict[str, int]:
    return {kind: bench.size(count, max(2, count // 6)) for kind, count in (SHARED | OWN).items()}


def _render(bench: Bench, made: Subjects, cells: Images) -> tuple[dict[str, torch.Tensor], list[Concept]]:
    ledger, editor = CostLedger(), LatentEditor(made.generator, "fresh", 1, bench.seed)
    proposing = planted(bench.size(600, 60), 16_000 + bench.seed)
    concepts, evidence = _proposed(bench, made, proposing, editor, ledger)
    inversion = editor.invert(cells.read(), cells.ids)
    size = typical_size(editor, inversion.rows(0, 48), ledger)
    concepts = calibrate(concepts, editor, inversion.rows(0, 8), evidence.metric, size, ledger)
    heard = made.voices | {f"misread:{name}": misread(v) for name, v in made.voices.items()}
    heard |= {"oracle": made.oracle.reader, "features": trunk(made.oracle.reader)}
    together, columns = chorus(heard, cells.value_range)
    judge = Judge(together, cells.value_range, ledger)
    matrix = effect_matrix(editor, judge, inversion, concepts, made.generator.pixels.size)
    own = logits_of(together, cells.read(), cells.value_range)
    tensors = {"directions": torch.stack([one.direction for one in concepts])}
    tensors |= {
        "metric": torch.from_numpy(evidence.metric),
        "covariance": torch.from_numpy(evidence.covariance),
    }
    tensors["size"] = torch.tensor([size], dtype=torch.float64)
    for name, voice in made.voices.items():
        found = logit_gradients(made.generator, voice, inversion.codes, inversion.noise, made.target, ledger)
        tensors[f"gradients|{name}"] = torch.from_numpy(found)
    for part, values in (("edits", matrix.edits), ("plain", matrix.null), ("original", own)):
        tensors |= {
            f"{part}|{name}": torch.from_numpy(np.ascontiguousarray(values[..., place], dtype=np.float32))
            for name, place in columns.items()
        }
    return tensors, concepts


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
