"""C6: numbers of single cells along many concepts, by the exact path: there is no distilled head."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats

from diffex.editors import LatentEditor
from diffex.effects.arrays import SIGNS, BoolArray, FloatArray
from diffex.effects.matrix import Judge, effect_matrix
from diffex.evaluation.bench import Bench
from diffex.evaluation.cost.against import our_answer
from diffex.evaluation.cost.command import cores
from diffex.evaluation.cost.ground import RULE, Ground, make_ground
from diffex.evaluation.demo import TARGET, demo_cells
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import in_memory
from diffex.explainers.config import AttributeConfig
from diffex.explainers.responders.scoring import Followed
from diffex.explainers.scores.effects import LEAST_CORRELATION, calibrate, linear_effects
from diffex.generators import logits_of
from diffex.images import Images
from diffex.responses.scores import stream_scores, strength_axes

_NO_HEAD = "no distilled head: the exact path"


@final
@dataclass(frozen=True, eq=False)
class Read:
    """What the exact path gives of some cells, and what it took.

    Parameters
    ----------
    effects : ndarray, shape (n, k)
        First-order effects, uncalibrated.
    scoring, gradients : (float, float)
        Wall and CPU seconds of codes, logits and scores; and of the gradients.
    """

    effects: FloatArray
    scoring: tuple[float, float]
    gradients: tuple[float, float]


def measure_scoring(bench: Bench) -> Iterator[Measured]:
    """Score cells that nothing was chosen on along all concepts; compare the best with full renders.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Cells per second, Spearman with exact gradients, correlation with full renders.
    """
    images, concepts, count, rendered, top = bench.size((256, 100, 512, 256, 10), (24, 20, 48, 24, 3))
    ground = make_ground(bench, images, concepts)
    cells = in_memory(demo_cells(RULE, bench.seed + 1, count))
    followed = [Followed(concept, 1, concept.id, ()) for concept in ground.concepts]
    read = read_cells(ground, cells, followed, bench.seed)
    yield _speed("scores", count / read.scoring[0], ">= 200", read.scoring[1] / count, concepts)
    yield _speed("effects", count / read.gradients[0], REPORTED, read.gradients[1] / count, concepts)
    best = our_answer(ground, ground.model, TARGET, "race", top).top
    yield from best_rows(ground, cells, best, read.effects, rendered, bench.seed)


def _speed(what: str, per_second: float, target: str, cpu: float, concepts: int) -> Measured:
    how = "codes, logits and coordinates" if what == "scores" else "a gradient per cell"
    return Measured(
        "C6", f"cells/s: {what} of {concepts} concepts", per_second, target,
        note=f"{how}; {1000 * cpu:.1f} CPU ms per cell, {cores()}; {_NO_HEAD}; memory is B7's",
    )  # fmt: skip


def read_cells(ground: Ground, cells: Images, followed: list[Followed], seed: int) -> Read:
    """Read cells as ``diffex score --effects`` does.

    Parameters
    ----------
    ground : Ground
        Model, reference codes, target.
    cells : Images
        In memory.
    followed : list of Followed
        Concepts and signs.
    seed : int
        Of the noise.

    Returns
    -------
    Read
        Effects and times.
    """
    model, codes = ground.model, ground.prepared.inversion.codes.double().numpy()
    axes = strength_axes(
        codes, ground.prepared.evidence.covariance, [one.concept for one in followed],
        [one.sign for one in followed],
    )  # fmt: skip
    effects, spent = [], np.zeros((2, 2))
    start = _clocks()
    for batch in stream_scores(cells, model.generator.encode, axes):
        logits_of(model.classifier, batch.pixels, cells.value_range)
        spent[0] += (scored := _clocks()) - start
        ids = [cells.ids[position] for position in batch.positions]
        effects.append(linear_effects(model, followed, batch.codes, ids, ground.prepared.target, seed))
        spent[1] += (start := _clocks()) - scored
    scoring, gradients = ((float(wall), float(cpu)) for wall, cpu in spent)
    return Read(np.concatenate(effects), scoring, gradients)


def _clocks() -> FloatArray:
    return np.array([time.monotonic(), time.process_time()])


def best_rows(
    ground: Ground, cells: Images, best: list[tuple[int, int]], linear: FloatArray, count: int, seed: int
) -> Iterator[Measured]:
    """Compare the effects of the best rows with exact gradients, and with full renders, from cell to cell.

    Parameters
    ----------
    ground : Ground
        Model, concepts, target.
    cells : Images
        In memory.
    best : list of (int, int)
        Concept and side, best first.
    linear : ndarray, shape (n, K)
        First-order effects of the cells.
    count : int
        Cells that are rendered in full.
    seed : int
        Of the noise.

    Yields
    ------
    Measured
        The least Spearman, and the least correlation.
    """
    depth = AttributeConfig(target=TARGET).verify_depth
    followed = [Followed(ground.concepts[k], SIGNS[side], ground.concepts[k].id, ()) for k, side in best]
    exact = np.stack([SIGNS[side] * linear[:, k] for k, side in best], axis=1)
    lines = calibrate(cells, ground.model, followed, ground.prepared.target, depth, seed)
    given = np.stack([line(exact[:, j].astype(np.float32)) for j, line in enumerate(lines)], axis=1)
    same = [float(stats.spearmanr(given[:, j], exact[:, j]).statistic) for j in range(len(best))]
    yield Measured(
        "C6", f"Spearman of per-cell effects with exact gradients, least of {len(best)} concepts", min(same),
        ">= 0.95",
        note=f"{len(cells)} held-out cells; the path is the gradient itself on a rising line, so it is 1",
    )  # fmt: skip
    full = full_effects(ground, cells.subset(np.arange(count)), best, depth, seed)
    found = [stats.pearsonr(given[:count, j], full[:, j]) for j in range(len(best))]
    least = min(found, key=lambda one: float(one.statistic))
    each = ", ".join(f"{one.statistic:.2f}" for one in found)
    low, high = least.confidence_interval()
    yield Measured(
        "C6", f"per-cell correlation with full renders, least of the top {len(best)}", float(least.statistic),
        f">= {LEAST_CORRELATION}", float(low), float(high),
        note=f"{depth} evaluations per render, {count} held-out cells, best first: {each}",
    )  # fmt: skip


def full_effects(
    ground: Ground, cells: Images, best: list[tuple[int, int]], depth: int, seed: int
) -> FloatArray:
    """Render rows in full.

    Parameters
    ----------
    ground : Ground
        Model, concepts, target.
    cells : Images
        Some.
    best : list of (int, int)
        Concept and side.
    depth : int
        Network evaluations per render.
    seed : int
        Of the noise.

    Returns
    -------
    ndarray, shape (n, rows)
        Change of the margin from null edit to edit.
    """
    generator = ground.model.generator
    editor = LatentEditor(generator, "fresh", depth, seed)
    judge = Judge(ground.model.classifier, cells.value_range, ground.ledger)
    wanted: BoolArray = np.zeros((len(ground.concepts), 2), dtype=bool)
    wanted[tuple(np.transpose(best))] = True
    inversion = editor.invert(cells.read(), cells.ids)
    matrix = effect_matrix(editor, judge, inversion, ground.concepts, generator.pixels.size, wanted=wanted)
    effects = matrix.effects(ground.prepared.target)
    return np.stack([effects[:, concept, side] for concept, side in best], axis=1)
