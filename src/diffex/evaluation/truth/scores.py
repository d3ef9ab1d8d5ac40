"""How well recovered effects agree with true ones."""

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import ndcg_score, roc_auc_score

from diffex.effects.arrays import BoolArray, FloatArray, IntArray


def ndcg(found: FloatArray, truth: FloatArray, most: int = 5) -> float:
    """Discounted gain of the first few factors by size of the recovered effect; gain is the true size.

    Parameters
    ----------
    found, truth : ndarray, shape (m,)
        Effects, of any sign.
    most : int, default 5
        How many places count.

    Returns
    -------
    float
        1 at best. Jarvelin & Kekalainen 2002.

    Examples
    --------
    >>> ndcg(np.array([3.0, 1.0, -2.0]), np.array([6.0, 0.0, -4.0]), 2)
    1.0
    """
    return float(ndcg_score(np.abs(truth)[None], np.abs(found)[None], k=most))


def active_auroc(found: FloatArray, active: BoolArray, null: BoolArray) -> float:
    """Chance that an active factor is given a larger effect than a null one.

    Parameters
    ----------
    found : ndarray, shape (m,)
        Recovered effects.
    active, null : ndarray of bool, shape (m,)
        Which factors matter, and which do not; others are left out.

    Returns
    -------
    float
        NaN where either kind is missing.

    Examples
    --------
    >>> active_auroc(np.array([3.0, -2.0, 0.1]), np.array([1, 1, 0]) > 0, np.array([0, 0, 1]) > 0)
    1.0
    """
    if not active.any() or not null.any():
        return float("nan")
    kept = active | null
    return float(roc_auc_score(active[kept], np.abs(found[kept])))


def sign_accuracy(found: FloatArray, truth: FloatArray, active: BoolArray) -> float:
    """Share of the active factors with the right sign.

    Parameters
    ----------
    found, truth : ndarray, shape (m,)
        Effects.
    active : ndarray of bool, shape (m,)
        Which count.

    Returns
    -------
    float
        0 to 1.
    """
    return float(np.mean(np.sign(found[active]) == np.sign(truth[active])))


def pearson(a: FloatArray, b: FloatArray) -> float:
    """Correlation, 0 where one side is constant.

    Parameters
    ----------
    a, b : ndarray, shape (m,)
        Values.

    Returns
    -------
    float
        In [-1, 1].
    """
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def over_classifiers(
    names: Sequence[str], score: Callable[[str, IntArray], float], count: int, seed: int, repeats: int = 300
) -> tuple[float, float, float]:
    """Mean of a score over classifiers, resampling classifiers and images.

    Parameters
    ----------
    names : sequence of str
        Of the classifiers.
    score : callable
        Of a classifier, from positions of images with repetition; NaN is left out of the mean.
    count : int
        Images.
    seed : int
        Of the resampling.
    repeats : int, default 300
        Resamples.

    Returns
    -------
    (float, float, float)
        Value and the ends of its 95 % interval; NaN where no classifier has a score.
    """
    random = np.random.default_rng(seed)

    def mean(chosen: Sequence[str], rows: IntArray) -> float:
        values = np.array([score(name, rows) for name in chosen])
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")

    value = mean(names, np.arange(count))
    drawn = [
        mean(
            [names[k] for k in random.integers(len(names), size=len(names))],
            random.integers(count, size=count),
        )
        for _ in range(repeats)
    ]
    if not np.isfinite(value):
        return value, value, value
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return value, float(low), float(high)
