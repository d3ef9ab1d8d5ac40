"""K5: do maps point where factors truly act, on planted cells."""

from collections.abc import Iterator

import numpy as np

from diffex.editors import LatentEditor
from diffex.effects.arrays import BoolArray, FloatArray, IntArray
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import SHIPPED_RULES
from diffex.evaluation.localisation import localise
from diffex.evaluation.peers import SALIENCY
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.resampling import bootstrap, bootstrap_mean
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.truth.explainers import OURS
from diffex.evaluation.truth.mapping import DEPTH, mapped_cells, maps_of
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.rendering import opened
from diffex.evaluation.truth.scene import Scene, scorable, summed
from diffex.evaluation.truth.subjects import Subjects
from diffex.generators import DiffusionAutoencoder
from diffex.images.planted_factors import FACTORS

CLAIMED = 0.23
"""Gain in AUC that the summary claims without a source."""

_FEWEST = 4
_SHOWN = 6


def measure_places(bench: Bench) -> Iterator[Measured]:
    """Measure K5: AUROC of maps against true masks, factor by factor and classifier by classifier.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    made, pool = opened(bench)
    cells = mapped_cells(bench)
    yield _factor_row(bench, made, pool, cells)
    scores, cost = class_scores(bench, made, pool, cells)
    yield from compared(scores, cost, bench.seed)


def best_matching(pool: Pool) -> IntArray:
    """Find the concept that changes each factor most purely.

    Parameters
    ----------
    pool : Pool
        Rendered on other cells.

    Returns
    -------
    ndarray of int, shape (12,)
        Of the concepts that are not random: largest ``|A_j| / sum |A|``, A the mean signed change.
    """
    change = (pool.factors[:, :, 0] - pool.factors[:, :, 1]).mean(axis=0) / 2  # (D, 12)
    purity = np.abs(change) / np.maximum(np.abs(change).sum(axis=1, keepdims=True), 1e-12)
    purity[[one.kind == "random" for one in pool.concepts]] = -1
    return np.asarray(purity.argmax(axis=0))


def change_maps(
    generator: DiffusionAutoencoder, cells: Scene, pool: Pool, concepts: IntArray, seed: int
) -> FloatArray:
    """Render both signs of some concepts and map where they change images.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Renders.
    cells : Scene
        n cells.
    pool : Pool
        Gives directions.
    concepts : ndarray of int, shape (m,)
        Which.
    seed : int
        Of the noise.

    Returns
    -------
    ndarray, shape (m, n, h, w)
        Absolute change from null edit to edit, summed over signs and channels.
    """
    editor = LatentEditor(generator, "fresh", DEPTH, seed)
    inversion = editor.invert(cells.images.read(), cells.images.ids)
    plain = editor.null(inversion)
    return np.stack(
        [
            summed(editor.edit(inversion, one, 1.0) - plain)
            + summed(editor.edit(inversion, one, -1.0) - plain)
            for one in (pool.concepts[k] for k in concepts)
        ]
    )


def _factor_row(bench: Bench, made: Subjects, pool: Pool, cells: Scene) -> Measured:
    matching = best_matching(pool)
    maps = change_maps(made.generator, cells, pool, matching, bench.seed)
    scores = np.full((len(cells.images), len(FACTORS)), np.nan)
    for j in range(len(FACTORS)):
        rows = scorable(cells.masks[:, j])
        if rows.sum() >= _FEWEST:
            scores[rows, j] = localise(maps[j][rows], cells.masks[rows, j], repeats=2).images["auroc"]
    kept = np.isfinite(scores).any(axis=0)
    value = bootstrap(len(scores), lambda rows: _mean_of_means(scores[rows][:, kept]), bench.seed)
    each = [f"{FACTORS[j]} {np.nanmean(scores[:, j]):.2f}" for j in np.flatnonzero(kept)]
    left = [FACTORS[j] for j in np.flatnonzero(~kept)]
    note = ", ".join(each) + (f"; not scored, masks too large or small: {', '.join(left)}" if left else "")
    what = "AUROC of the best-matching concept's map, mean over factors"
    return Measured("K5", what, value[0], ">= 0.9", *value[1:], note=note)


def _mean_of_means(scores: FloatArray) -> float:
    counts = np.isfinite(scores).sum(axis=0)
    return float((np.nansum(scores, axis=0)[counts > 0] / counts[counts > 0]).mean())


def class_scores(
    bench: Bench, made: Subjects, pool: Pool, cells: Scene
) -> tuple[dict[str, FloatArray], dict[str, int]]:
    """Score the class-level maps of ours and of all peers against the union of truly active masks.

    Parameters
    ----------
    bench : Bench
        Seed, stages.
    made : Subjects
        Classifiers and truth.
    pool : Pool
        Directions of the peers that edit.
    cells : Scene
        The images.

    Returns
    -------
    (dict of str to ndarray of shape (n,), dict of str to int)
        AUROC of each image, mean over the shipped classifiers whose mask there can be scored; evaluations.
    """
    found: dict[str, list[FloatArray]] = {}
    cost: dict[str, int] = {}
    for name in SHIPPED_RULES:
        maps, cost = maps_of(bench, name, made, pool, cells)
        mask = cells.union(made.active(name))
        rows = scorable(mask)
        _picture(bench, name, cells, mask, maps)
        for peer, drawn in maps.items():
            score = np.full(len(rows), np.nan)
            if rows.any():
                score[rows] = localise(drawn[rows], mask[rows], repeats=2).images["auroc"]
            found.setdefault(peer, []).append(score)
    scored = np.isfinite(np.stack(found[OURS])).any(axis=0)
    return {peer: np.nanmean(np.stack(many)[:, scored], axis=0) for peer, many in found.items()}, cost


def _picture(bench: Bench, name: str, cells: Scene, mask: BoolArray, maps: dict[str, FloatArray]) -> None:
    """Save a few cells with the true mask and the maps of ours and of every method that asks."""
    asked = [OURS, *(peer.name for peer in SALIENCY if peer.name in maps)]
    shown = [cells.images.read().numpy().max(axis=1), mask, *(maps[peer] for peer in asked)]
    planes = [np.asarray(plane[:_SHOWN], dtype=np.float64) for plane in shown]
    tops = [np.maximum(np.quantile(plane, 0.99, axis=(1, 2), keepdims=True), 1e-12) for plane in planes]
    scaled = [np.clip(plane / top, 0, 1) for plane, top in zip(planes, tops, strict=True)]
    save_grid(np.stack(scaled, axis=1)[:, :, None].astype(np.float32), bench.figure(f"truth_maps_{name}.png"))


def compared(scores: dict[str, FloatArray], cost: dict[str, int], seed: int) -> Iterator[Measured]:
    """Compare our class-level maps with those of all peers, paired by image.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n,)
        AUROC of the same images, by peer; ours among them.
    cost : dict of str to int
        Evaluations per image.
    seed : int
        Of the bootstrap.

    Yields
    ------
    Measured
        Each method's mean, the ratio of misses, and the gain over the best saliency peer.
    """
    ours, what = scores[OURS], "class-level AUROC"
    for peer, values in scores.items():
        note = f"{cost[peer]} evaluations per image; {len(values)} images"
        yield Measured("K5", f"{what}: {peer}", *_first(bootstrap_mean(values, seed)), note=note)
    best = max((peer for peer in scores if peer != OURS), key=lambda peer: float(scores[peer].mean()))
    gain = bootstrap_mean(ours - scores[best], seed)
    note = f"best peer {best}; ours minus its AUROC, paired: {gain[0]:.3f} ({gain[1]:.3f} to {gain[2]:.3f})"

    def ratio(rows: IntArray) -> float:
        return float((1 - ours[rows]).mean() / max((1 - scores[best][rows]).mean(), 1e-9))

    value = bootstrap(len(ours), ratio, seed)
    label = "1 - AUROC, class level: ours as a share of the best peer's"
    yield Measured("K5", label, value[0], "<= 0.5", *value[1:], note=note, holds=gain[1] > 0)
    asked = [peer.name for peer in SALIENCY if peer.name in scores]
    best = max(asked, key=lambda peer: float(scores[peer].mean()))
    value = bootstrap(len(ours), lambda rows: float(ours[rows].mean() / scores[best][rows].mean() - 1), seed)
    note = f"best saliency peer {best}; a summary claims {CLAIMED:.0%} with nothing behind it"
    yield Measured("K5", "relative gain in AUROC over the best saliency peer", *_first(value), note=note)


def _first(value: tuple[float, float, float]) -> tuple[float, str, float, float]:
    """Order a value with its interval as `Measured` takes them, without a target."""
    return value[0], REPORTED, value[1], value[2]
