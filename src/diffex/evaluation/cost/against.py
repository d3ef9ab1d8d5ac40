"""C2: our searches against the published AttFind, on one network, in one process."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import final, get_args

import numpy as np
import torch
from scipy import stats

from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.classifiers import Classifier
from diffex.concepts import Concept
from diffex.effects.arrays import BoolArray, FloatArray
from diffex.effects.intervals import mean_interval
from diffex.effects.matrix import margin_of
from diffex.effects.race import leading
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.cost.ground import (
    BLIND_KINDS,
    RULE,
    Ground,
    asked,
    make_ground,
    probability_of,
    published_steps,
)
from diffex.evaluation.demo import TARGET, shipped_model
from diffex.evaluation.peers.attfind_rendered import (
    Published,
    Rendering,
    Steps,
    looked_up,
    published_attfind,
)
from diffex.evaluation.rows import Measured
from diffex.explainers.config import AttributeConfig, Search
from diffex.explainers.preparing import target_index
from diffex.explainers.searching import search_effects
from diffex.generators import logits_of
from diffex.generators.model import Model

QUESTIONS = (
    (RULE, TARGET),
    ("threshold", TARGET),
    ("interaction", TARGET),
    ("shortcut", TARGET),
    (RULE, "control"),
)
"""Classifier and class; the peer is run in full on the first."""


@final
@dataclass(frozen=True, eq=False)
class Reference:
    """Every edit rendered as published: the exact answer of the slow way.

    Parameters
    ----------
    effects : ndarray, shape (n, K, 2)
        Logit margin of the edit minus that of the null edit.
    shifts : ndarray, shape (n, K, 2)
        Probability of the edit minus that of the original, as AttFind takes it.
    """

    effects: FloatArray
    shifts: FloatArray

    def top(self, count: int) -> list[tuple[int, int]]:
        """Concept and side of the best rows, one row of each concept."""
        means = self.effects.mean(axis=0)
        rows = leading(means.ravel(), np.arange(means.size) // 2, count)
        return [divmod(int(row), 2) for row in rows]


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """What one of our searches found, and its bill.

    Parameters
    ----------
    top : list of (int, int)
        Concept and side of the best rows.
    means : ndarray, shape (K, 2)
        Mean effects over what was rendered.
    nfe : int
        All evaluations but those of the null's calibration and of verification.
    seconds : float
        Wall time of the same.
    """

    top: list[tuple[int, int]]
    means: FloatArray
    nfe: int
    seconds: float


def measure_against(bench: Bench) -> Iterator[Measured]:
    """Compare evaluations, time and answers.

    The peer runs in full on the first question, with its inversions and renders at the published steps; for
    the others its passes are replayed on the cached matrix, which gives the same bill.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Each search against the targets of the issue, which are those of the default.
    """
    images, concepts, most = bench.size((64, 30, 5), (24, 6, 2))
    questions = bench.size(QUESTIONS, QUESTIONS[:2])
    ground = make_ground(bench, images, concepts, BLIND_KINDS)
    steps = published_steps(bench)
    models = {rule: shipped_model(rule, bench.device) for rule, _ in questions}
    references = render_references(bench, ground, models, questions, steps)
    full, seconds = run_peer(bench, ground, most, steps)
    bills = [published_attfind(looked_up(r.shifts), images, concepts, most, steps) for r in references]
    largest = [
        published_attfind(looked_up(r.shifts), images, concepts, most, steps, removing=False).nfe
        for r in references
    ]
    yield Measured(
        "C2", "peer in full over its replay, network evaluations", full.nfe / bills[0].nfe, "1 to 1",
        note=f"{full.nfe:,} evaluations in {seconds:.0f} s; {full.passes} passes",
    )  # fmt: skip
    for search in get_args(Search):
        answers = [our_answer(ground, models[rule], target, search, most) for rule, target in questions]
        name = f"{search} (default)" if search == default_search() else search
        yield from compared(name, answers, references, [bill.nfe for bill in bills], largest, seconds, most)


def default_search() -> Search:
    """Give the search that `AttributeConfig` takes when none is named.

    Returns
    -------
    {"exact", "race", "gradient"}
        The default.
    """
    return AttributeConfig(target=TARGET).search


def compared(
    search: str,
    answers: list[Answer],
    references: list[Reference],
    bills: list[int],
    largest: list[int],
    seconds: float,
    most: int,
) -> Iterator[Measured]:
    """Put one search beside the peer.

    Parameters
    ----------
    search : str
        Its name.
    answers : list of Answer
        One per question.
    references : list of Reference
        One per question.
    bills, largest : list of int
        Evaluations of the peer as run, and where no image is removed.
    seconds : float
        Wall time of the peer on the first question.
    most : int
        Concepts wanted.

    Yields
    ------
    Measured
        Ratios of evaluations and time, overlap and correlation, averaged over the questions.
    """

    def row(what: str, value: float, target: str, note: str) -> Measured:
        return Measured("C2", f"{search}: {what}", value, target, note=note)

    nfe = [answer.nfe for answer in answers]
    for what, theirs, target in (("as run", bills, ">= 40"), ("no image removed", largest, ">= 100")):
        ratios = np.divide(theirs, nfe)
        yield row(
            f"times fewer evaluations, peer {what}", float(ratios.mean()), target,
            f"{ratios.min():.3g} to {ratios.max():.3g}; {nfe[0]:,} against {theirs[0]:,} on the first; "
            "verification and calibration of the significance null are left out",
        )  # fmt: skip
    yield row(
        "times less wall time", seconds / answers[0].seconds, ">= 20",
        f"{answers[0].seconds:.1f} s against {seconds:.0f} s, on the first question",
    )  # fmt: skip
    overlaps = [overlap(a.top, r, most) for a, r in zip(answers, references, strict=True)]
    yield row(
        f"members of the top {most} shared with the reference", float(np.mean(overlaps)),
        f">= {0.8 * most:g}", f"{min(overlaps)} to {max(overlaps)}",
    )  # fmt: skip
    correlations = [correlation(a.means, r) for a, r in zip(answers, references, strict=True)]
    yield row(
        "Spearman of effects above 2 s.e.", float(np.nanmean(correlations)), ">= 0.9",
        f"{np.nanmin(correlations):.3f} to {np.nanmax(correlations):.3f}",
    )  # fmt: skip


def overlap(top: list[tuple[int, int]], reference: Reference, most: int) -> int:
    """Count the members of our top that belong to the reference's.

    A member belongs too where the 95 % interval of its paired difference to the last of the reference's top
    contains 0: the two are interchangeable.

    Parameters
    ----------
    top : list of (int, int)
        Concept and side.
    reference : Reference
        Of the same images.
    most : int
        Size of the top.

    Returns
    -------
    int
        At most `most`.
    """
    best = reference.top(most)
    concepts = {concept for concept, _ in best}
    last = reference.effects[:, best[-1][0], best[-1][1]]

    def belongs(concept: int, side: int) -> bool:
        difference = mean_interval(last - reference.effects[:, concept, side])
        return concept in concepts or difference.low <= 0

    return sum(belongs(concept, side) for concept, side in top)


def correlation(means: FloatArray, reference: Reference) -> float:
    """Correlate mean effects by rank, over rows whose reference lies more than 2 standard errors from 0.

    Parameters
    ----------
    means : ndarray, shape (K, 2)
        Ours.
    reference : Reference
        Of the same concepts.

    Returns
    -------
    float
        Spearman's; NaN where fewer than 3 rows are left.
    """
    true = reference.effects.mean(axis=0)
    error = reference.effects.std(axis=0, ddof=1) / np.sqrt(len(reference.effects))
    clear = np.abs(true) > 2 * error
    return float(stats.spearmanr(means[clear], true[clear]).statistic) if clear.sum() > 2 else float("nan")


def our_answer(ground: Ground, model: Model, target: str, search: Search, most: int) -> Answer:
    """Search for one classifier and class, on an account of its own and its share of the ground's.

    Parameters
    ----------
    ground : Ground
        Images and concepts; its preparation is counted once for each question.
    model : Model
        Whose classifier is asked.
    target : str
        The class.
    search : {"exact", "race", "gradient"}
        How.
    most : int
        Concepts wanted.

    Returns
    -------
    Answer
        Found on the selecting half, as an explanation does.
    """
    prepared = asked(ground, model, target)
    with prepared.ledger.timed("search"):
        matrix, searched = search_effects(prepared, ground.concepts, search, most)
    effects = matrix.effects(prepared.target)
    on_half = effects[prepared.half].mean(axis=0)  # NaN for rows that were dropped
    scores = np.where(np.isnan(on_half) if searched is None else ~searched.kept, -np.inf, on_half)
    rows = leading(scores.ravel(), np.arange(scores.size) // 2, most)
    shared = ground.ledger.nfe["calibration"]
    seconds = sum(prepared.ledger.seconds.values()) + sum(ground.ledger.seconds.values())
    return Answer(
        [divmod(int(row), 2) for row in rows], np.nanmean(effects, axis=0),
        shared + sum(prepared.ledger.nfe.values()), seconds,
    )  # fmt: skip


def run_peer(bench: Bench, ground: Ground, most: int, steps: Steps) -> tuple[Published, float]:
    """Run the peer with all that it renders, on the first question; its bill is kept.

    Parameters
    ----------
    bench : Bench
        Where stages are.
    ground : Ground
        Images and concepts.
    most : int
        Directions wanted.
    steps : Steps
        Of inversion and rendering.

    Returns
    -------
    (Published, float)
        Its bill (directions are left out where it was kept), and its wall time in seconds.
    """
    path = bench.stage("attfind", [*_content(bench, ground, steps), most]) / "bill.json"
    if not path.exists():
        rendering = _rendering(ground, ground.concepts, ground.model.classifier, steps)
        shifts = rendering.shifts(partial(probability_of, target=ground.prepared.target))
        started = time.monotonic()
        run = published_attfind(shifts, len(ground.prepared.x), len(ground.concepts), most, steps)
        write_json(path, {"nfe": run.nfe, "passes": run.passes, "seconds": time.monotonic() - started})
    kept = read_json(path)
    return Published((), kept["nfe"], kept["passes"]), float(kept["seconds"])


def render_references(
    bench: Bench,
    ground: Ground,
    models: dict[str, Model],
    questions: tuple[tuple[str, str], ...],
    steps: Steps,
) -> list[Reference]:
    """Render every edit at the published steps once, and let all classifiers see it; cached.

    Parameters
    ----------
    bench : Bench
        Where stages are.
    ground : Ground
        Images and concepts.
    models : dict of str to Model
        By rule.
    questions : tuple of (str, str)
        Rule and class.
    steps : Steps
        Of inversion and rendering.

    Returns
    -------
    list of Reference
        One per question.
    """
    classifiers = {rule: model.classifier for rule, model in models.items()}
    together, columns = chorus(classifiers, ground.cells.value_range)
    content = _content(bench, ground, steps) + sorted(one.state_hash() for one in classifiers.values())
    path = bench.stage("reference", content) / "reference.safetensors"
    if not path.exists():
        blind = [Concept("none", "latent", "none", torch.zeros_like(ground.concepts[0].direction))]
        one_side: BoolArray = np.array([[True, False]])
        rows = np.arange(len(ground.prepared.x))
        every = np.ones((len(ground.concepts), 2), dtype=bool)
        null = _rendering(ground, blind, together, steps).logits(rows, one_side)[:, 0, 0]
        edits = _rendering(ground, ground.concepts, together, steps).logits(rows, every)
        plain = logits_of(together, ground.prepared.x, ground.cells.value_range)
        save_tensors(
            path, {k: torch.from_numpy(v) for k, v in (("null", null), ("edits", edits), ("plain", plain))}
        )
    kept = {name: values.numpy() for name, values in load_tensors(path).items()}
    return [
        _reference({k: v[..., columns[rule]] for k, v in kept.items()}, models[rule], target)
        for rule, target in questions
    ]


def _reference(logits: dict[str, FloatArray], model: Model, target: str) -> Reference:
    index = target_index(model.classifier.card.class_names, target)
    null, edits, plain = logits["null"], logits["edits"], logits["plain"]
    return Reference(
        margin_of(edits, index) - margin_of(null, index)[:, None, None],
        probability_of(edits, index) - probability_of(plain, index)[:, None, None],
    )


def _rendering(ground: Ground, concepts: list[Concept], classifier: Classifier, steps: Steps) -> Rendering:
    return Rendering(
        ground.model.generator, classifier, ground.cells.value_range, ground.prepared.x, concepts, steps
    )


def _content(bench: Bench, ground: Ground, steps: Steps) -> list[object]:
    return [
        ground.cells.fingerprint(), ground.prepared.images.ids, ground.model.generator.state_hash(),
        [concept.id for concept in ground.concepts], ground.size, steps.invert, steps.render, bench.seed,
        code_hash(RUN_ROOMS),
    ]  # fmt: skip
