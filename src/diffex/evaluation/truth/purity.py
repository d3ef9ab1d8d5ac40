"""K7: does one direction change one factor, and how many factors have such a direction."""

from collections.abc import Iterator

import numpy as np

from diffex.effects.arrays import FloatArray, IntArray
from diffex.evaluation.bench import Bench
from diffex.evaluation.disentanglement import disentangled
from diffex.evaluation.resampling import bootstrap
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.truth.rendering import rendered_pool
from diffex.evaluation.truth.subjects import without_classifiers
from diffex.images.planted_factors import FACTORS

_PURE = 0.5


def measure_purity(bench: Bench) -> Iterator[Measured]:
    """Measure K7 on the directions that no classifier has a say in, random ones left out.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Factors that own a direction, and disentanglement.
    """
    pool = rendered_pool(bench, without_classifiers(bench), {})
    kinds = np.array([one.kind for one in pool.concepts])
    offered = kinds != "random"
    moves = (pool.factors[:, :, 0] - pool.factors[:, :, 1]) / 2  # (n, D, 12)
    choosing, judging = moves[::2, offered], moves[1::2, offered]
    shares = owned(choosing, judging)
    value = bootstrap(
        len(judging), lambda rows: float((owned(choosing, judging[rows]) > _PURE).sum()), bench.seed
    )
    order = np.argsort(-shares)
    note = f"{offered.sum()} directions, chosen on {len(choosing)} cells, scored on {len(judging)}; purity "
    note += ", ".join(f"{FACTORS[j]} {shares[j]:.2f}" for j in order)
    what = f"of {len(FACTORS)} factors, those that own a direction of purity > {_PURE}"
    yield Measured("K7", what, value[0], ">= 7", *value[1:], note=note)
    parts = (
        ("the directions", offered, ">= 0.6"),
        ("directions of measured quantities alone", kinds == "morphology", REPORTED),
        ("random directions", ~offered, REPORTED),
    )
    for what, some, target in parts:
        value = pool_score(moves[:, some], bench.seed)
        note = f"{some.sum()} directions; importance: mean change of each factor"
        yield Measured("K7", f"DCI disentanglement of {what}", value[0], target, *value[1:], note=note)


def owned(choosing: FloatArray, judging: FloatArray) -> FloatArray:
    """Choose the purest direction of every factor on some cells, and give its purity on others.

    Parameters
    ----------
    choosing, judging : ndarray, shape (n, D, J)
        Change of every factor in every cell along every direction, in standard deviations.

    Returns
    -------
    ndarray, shape (J,)
        The share that the factor has in all that its direction changes.

    Examples
    --------
    >>> moves = np.array([[[1.0, 0.0], [1.0, 3.0]]])
    >>> owned(moves, moves)
    array([1.  , 0.75])
    """
    best = _shares(choosing).argmax(axis=0)
    return np.asarray(_shares(judging)[best, np.arange(choosing.shape[2])])


def pool_score(moves: FloatArray, seed: int) -> tuple[float, float, float]:
    """Score the disentanglement of directions, resampling cells.

    Parameters
    ----------
    moves : ndarray, shape (n, D, J)
        Change of every factor in every cell along every direction.
    seed : int
        Of the resampling.

    Returns
    -------
    (float, float, float)
        Value and the ends of its 95 % interval.
    """

    def score(rows: IntArray) -> float:
        return disentangled(np.abs(moves[rows].mean(axis=0)))

    return bootstrap(len(moves), score, seed)


def _shares(moves: FloatArray) -> FloatArray:
    """Share of every factor in the mean change along every direction, ``(D, J)``."""
    size = np.abs(moves.mean(axis=0))
    return np.asarray(size / np.maximum(size.sum(axis=1, keepdims=True), 1e-12))
