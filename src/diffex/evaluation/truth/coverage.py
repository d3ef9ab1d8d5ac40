"""K9: do nominal 95 % intervals hold the value of a very large sample 95 % of the time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from diffex.base.files import load_tensors, save_tensors
from diffex.base.ledger import CostLedger
from diffex.base.progress import progress
from diffex.classifiers import Classifier
from diffex.editors import LatentEditor
from diffex.effects.arrays import SIGNS, FloatArray, IntArray
from diffex.effects.intervals import mean_intervals
from diffex.effects.linear import logit_gradients
from diffex.effects.nulls import random_directions
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.demo import TARGET, shipped_model
from diffex.evaluation.resampling import bootstrap_mean
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import planted
from diffex.generators import DiffusionAutoencoder

_RULE = "linear"
_CHUNK = 2000
_DIRECTIONS = 64
_NOMINAL = "0.93 to 0.97"


def measure_coverage(bench: Bench) -> Iterator[Measured]:
    """Measure K9 on effects to first order, ``gradient . direction``, of the shipped linear classifier.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Coverage for fixed concepts, and for the one chosen as best on the other half.
    """
    model = shipped_model(_RULE, bench.device)
    count, drawn = bench.size(20_000, 400), bench.size(256, 48)
    gradients = large_gradients(bench, model.generator, model.classifier, count)
    covariance = model.generator.code_cov.double().cpu().numpy()
    sizes = np.eye(len(covariance))  # coverage does not depend on the length of a direction
    effects = gradients @ random_directions(sizes, covariance, 1.0, _DIRECTIONS, bench.seed).T
    repeats = bench.size(2000, 200)
    note = f"{count} images, {_DIRECTIONS} directions, {repeats} resamples of {drawn}, first-order effects"
    hits = covered(effects, drawn, repeats, bench.seed)
    found = bootstrap_mean(hits.mean(axis=1), bench.seed)
    ends = f"; single directions {hits.mean(axis=0).min():.3f} to {hits.mean(axis=0).max():.3f}"
    yield Measured("K9", "coverage of fixed concepts", found[0], _NOMINAL, *found[1:], note=note + ends)
    best = covered_best(effects, drawn, repeats, bench.seed)
    found = bootstrap_mean(best, bench.seed)
    what = "coverage of the concept chosen as best on the other half"
    yield Measured(
        "K9", what, found[0], _NOMINAL, *found[1:], note=f"estimated on {drawn - drawn // 2} images"
    )


def large_gradients(
    bench: Bench, generator: DiffusionAutoencoder, classifier: Classifier, count: int
) -> FloatArray:
    """Simulate cells and take the gradient of the margin at each; cached in parts.

    Parameters
    ----------
    bench : Bench
        Seed, stages.
    generator : DiffusionAutoencoder
        Encodes and renders one step.
    classifier : Classifier
        Differentiable.
    count : int
        Cells.

    Returns
    -------
    ndarray, shape (count, d)
        In logits per unit of code.
    """
    content = [generator.state_hash(), classifier.state_hash(), bench.seed, code_hash(RUN_ROOMS)]
    folder = bench.stage("gradients", content)
    starts = range(0, count, _CHUNK)
    parts = [
        _part(
            folder / f"{start}.safetensors", bench, generator, classifier, start, min(_CHUNK, count - start)
        )
        for start in progress(starts, "gradients of many cells", len(starts))
    ]
    return np.concatenate(parts)


def _part(
    path: Path, bench: Bench, generator: DiffusionAutoencoder, classifier: Classifier, start: int, count: int
) -> FloatArray:
    path = path.with_stem(f"{path.stem}-{count}")
    if not path.exists():
        cells = planted(count, 200_000 + 1000 * bench.seed + start // _CHUNK)
        inversion = LatentEditor(generator, "fresh", 1, bench.seed).invert(cells.read(), cells.ids)
        target = classifier.card.class_names.index(TARGET)
        found = logit_gradients(generator, classifier, inversion.codes, inversion.noise, target, CostLedger())
        save_tensors(path, {"gradients": torch.from_numpy(found)})
    return np.asarray(load_tensors(path)["gradients"].double().numpy())


def covered(effects: FloatArray, drawn: int, repeats: int, seed: int) -> FloatArray:
    """Draw samples and look whether each interval holds the mean over all images.

    Parameters
    ----------
    effects : ndarray, shape (n, K)
        Of many images.
    drawn : int
        Size of a sample, without repetition.
    repeats : int
        Samples.
    seed : int
        Of the samples.

    Returns
    -------
    ndarray, shape (repeats, K)
        1 where it does, else 0.
    """
    truth, hits = effects.mean(axis=0), []
    for rows in samples(len(effects), drawn, repeats, seed):
        found = mean_intervals(effects[rows])
        hits.append((found.low <= truth) & (truth <= found.high))
    return np.asarray(hits, dtype=np.float64)


def covered_best(effects: FloatArray, drawn: int, repeats: int, seed: int) -> FloatArray:
    """Choose the row of largest mean on one half, and look whether the other half's interval holds.

    Parameters
    ----------
    effects : ndarray, shape (n, K)
        Of many images.
    drawn : int
        Size of a sample.
    repeats : int
        Samples.
    seed : int
        Of the samples.

    Returns
    -------
    ndarray, shape (repeats,)
        1 where the interval holds the mean over all images, else 0.
    """
    signed = np.concatenate([sign * effects for sign in SIGNS], axis=1)
    truth, hits = signed.mean(axis=0), []
    for rows in samples(len(effects), drawn, repeats, seed + 1):
        choosing, judging = rows[: drawn // 2], rows[drawn // 2 :]
        best = int(signed[choosing].mean(axis=0).argmax())
        found = mean_intervals(signed[judging][:, [best]])
        hits.append(bool(found.low[0] <= truth[best] <= found.high[0]))
    return np.asarray(hits, dtype=np.float64)


def samples(count: int, drawn: int, repeats: int, seed: int) -> Iterator[IntArray]:
    """Draw positions without repetition, again and again.

    Parameters
    ----------
    count : int
        To draw from.
    drawn : int
        In a sample.
    repeats : int
        Samples.
    seed : int
        Of them.

    Yields
    ------
    ndarray of int, shape (drawn,)
        One sample.
    """
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        yield random.choice(count, drawn, replace=False)
