"""K4: is a shortcut found where a classifier uses one, and only there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from sklearn.linear_model import LogisticRegression

from diffex.effects.arrays import FloatArray, IntArray
from diffex.evaluation.attributes.recovery import mean_changes, recovered_effects, spearman
from diffex.evaluation.bench import Bench
from diffex.evaluation.resampling import bootstrap
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import factors_of, planted
from diffex.evaluation.truth.pool import SHARED, Pool
from diffex.evaluation.truth.rendering import opened
from diffex.evaluation.truth.scores import active_auroc
from diffex.evaluation.truth.subjects import Subjects, trunk
from diffex.generators import logits_of
from diffex.images.planted_factors import FACTORS, factor_index
from diffex.images.planted_labels import draw_labels

SHORTCUT = "debris"
_CAUSES = tuple(name for name in FACTORS if name not in {SHORTCUT, "background_gradient"})
_SHARPNESS = 3.0
_USED = 0.1  # of the largest true effect
_WEAKEST, _STRONGEST = 0.3, 0.85
_FLOOR = 0.88


@final
@dataclass(frozen=True, eq=False)
class Heads:
    """Classifiers that are linear in the same features.

    Parameters
    ----------
    weights : ndarray, shape (k, f)
        Of the margin.
    strengths : ndarray, shape (k,)
        Correlation of shortcut and label that each was taught with.
    truth : ndarray, shape (k, 12)
        True effect of every factor.
    """

    weights: FloatArray
    strengths: FloatArray
    truth: FloatArray


def measure_shortcuts(bench: Bench) -> Iterator[Measured]:
    """Measure K4: AUROC of the recovered share of the shortcut, biased against unbiased classifiers.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        AUROC, and agreement of recovered and true share over the doses.
    """
    made, pool = opened(bench)
    heads = taught_heads(bench, made, bench.size(36, 6))
    truth = shortcut_share(heads.truth)
    free = heads.strengths == 0
    used = ~free & (truth > _USED)

    recovered = shortcut_share(recovered_by(heads.weights, pool))
    value = bootstrap(len(free), lambda k: active_auroc(recovered[k], used[k], free[k]), bench.seed)
    note = (
        f"{int(used.sum())} biased, {int(free.sum())} unbiased classifiers, linear heads on one network's "
        f"features; true share of the unbiased up to {truth[free].max():.2f}; interval over classifiers"
    )
    what = "AUROC of the shortcut's recovered share, biased against unbiased classifiers"
    yield Measured("K4", what, value[0], ">= 0.95", *value[1:], note=note, holds=value[1] >= _FLOOR)
    value = bootstrap(len(free), lambda k: spearman(recovered[k], truth[k]), bench.seed)
    what = "Spearman of recovered and true share of the shortcut over all doses"
    yield Measured("K4", what, value[0], REPORTED, *value[1:], note=f"{len(free)} classifiers")


def shortcut_share(effects: FloatArray) -> FloatArray:
    """Give the size of the shortcut's effect as a share of the largest.

    Parameters
    ----------
    effects : ndarray, shape (k, 12)
        Of every factor on every classifier.

    Returns
    -------
    ndarray, shape (k,)
        0 to 1.
    """
    size = np.abs(effects)
    return np.asarray(size[:, factor_index(SHORTCUT)] / np.maximum(size.max(axis=1), 1e-12))


def recovered_by(weights: FloatArray, pool: Pool) -> FloatArray:
    """Recover the effects of all factors on many heads from the edits that know none of them.

    Parameters
    ----------
    weights : ndarray, shape (k, f)
        Of the heads.
    pool : Pool
        Rendered.

    Returns
    -------
    ndarray, shape (k, 12)
        Logits per standard deviation.
    """
    shared = [k for k, one in enumerate(pool.concepts) if one.id.split(":")[0] in SHARED]
    count = len(pool.levels)
    factors = pool.factors[:, shared].reshape(count, -1, len(FACTORS))
    margins = pool.features[:, shared].reshape(count, factors.shape[1], -1) @ weights.T  # (n, m, k)
    rows = np.arange(count)
    return np.stack(
        [recovered_effects(*mean_changes(factors, one, rows)) for one in np.moveaxis(margins, 2, 0)]
    )


def taught_heads(bench: Bench, made: Subjects, each: int) -> Heads:
    """Teach linear heads on the oracle's features: half with a shortcut of growing strength, half without.

    All see the same cells. A shortcut is tied to the labels by weighting cells with
    ``p(shortcut | label) / p(shortcut)``, so that nothing is rendered for a head.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.
    made : Subjects
        Its oracle gives the features, its truth their response to exact interventions.
    each : int
        Heads of either kind.

    Returns
    -------
    Heads
        Unbiased ones last.
    """
    cells = planted(bench.size(3000, 200), 19_000 + bench.seed)
    features = logits_of(trunk(made.oracle.reader), cells.read(), cells.value_range)
    factors = factors_of(cells)
    strengths = np.concatenate([np.linspace(_WEAKEST, _STRONGEST, each), np.zeros(each)])
    heads = [
        _taught(features, factors, _CAUSES[k % len(_CAUSES)], float(s), 1000 * bench.seed + k)
        for k, s in enumerate(strengths)
    ]
    weights = np.stack(heads)
    return Heads(weights, strengths, weights @ made.truth.reads.mean(axis=0).T)


def _taught(features: FloatArray, factors: FloatArray, cause: str, strength: float, seed: int) -> FloatArray:
    labels = draw_labels(factors[:, factor_index(cause)], _SHARPNESS, seed)
    weight = tie(factors[:, factor_index(SHORTCUT)], labels, strength)
    scale = features.std(axis=0) + 1e-9
    head = LogisticRegression(max_iter=1000).fit(features / scale, labels, sample_weight=weight)
    return np.asarray(head.coef_[0] / scale)


def tie(shortcut: FloatArray, labels: IntArray, strength: float) -> FloatArray:
    """Weight cells so that the shortcut follows the label as `ShortcutRule` would have it.

    Parameters
    ----------
    shortcut : ndarray, shape (n,)
        Standard normal.
    labels : ndarray of int, shape (n,)
        0 or 1.
    strength : float
        Correlation with the label, 0 to below 1.

    Returns
    -------
    ndarray, shape (n,)
        ``N(shortcut; strength * (2 y - 1), 1 - strength^2) / N(shortcut; 0, 1)``.
    """
    rest = 1 - strength**2
    away = shortcut - strength * (2.0 * labels - 1)
    return np.asarray(np.exp(shortcut**2 / 2 - away**2 / (2 * rest)) / np.sqrt(rest))
