"""How far a classifier can be trusted: temperature and balanced accuracy."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from diffex.base.errors import InputError

_FEWEST_GROUPS = 6
_RESAMPLES = 2000
_LOG_LIMIT = 3.0  # temperatures from 1/20 to 20


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Find the temperature that calibrates logits on held-out images.

    Minimises the negative log-likelihood of ``softmax(logits / T)`` over ``log T`` (Guo et al., ICML 2017).
    One more image of each class stands behind every label (Platt 1999), since n images without an error do
    not prove a chance of error below about 1 / n.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Of images not trained on, at temperature 1.
    labels : ndarray of int, shape (n,)
        True classes.

    Returns
    -------
    float
        Between 1/20 and 20; above 1 where the classifier is overconfident.

    Raises
    ------
    InputError
        If there are no images, or shapes disagree.

    Examples
    --------
    >>> wrong_in_a_quarter = np.array([[0.0, 10.0]] * 400), np.array([1, 1, 1, 0] * 100)
    >>> round(fit_temperature(*wrong_in_a_quarter), 1)  # 10 / log(3)
    9.1
    """
    scores = np.asarray(logits, dtype=np.float64)
    if scores.ndim != 2 or not len(scores) or scores.shape[0] != len(labels):
        raise InputError(
            f"fit_temperature got logits {scores.shape} and {len(labels)} labels, expected (n, k) "
            "with n > 0: give one label for each image."
        )
    classes = scores.shape[1]
    seen = np.bincount(labels, minlength=classes)[labels][:, None]  # images of the same class
    shares = (np.eye(classes)[labels] * seen + 1) / (seen + classes)

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        return float(np.mean(logsumexp(scaled, axis=1) - (shares * scaled).sum(1)))

    best = minimize_scalar(loss, bounds=(-_LOG_LIMIT, _LOG_LIMIT), method="bounded")
    return float(np.exp(best.x))


def balanced_accuracy_interval(
    labels: NDArray[np.integer],
    predictions: NDArray[np.integer],
    groups: NDArray[np.str_] | None = None,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Give balanced accuracy with a 95 % bootstrap interval.

    Balanced accuracy is the mean over classes of the share of their images that is recognised.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes; classes without images do not count.
    predictions : ndarray of int, shape (n,)
        Predicted classes.
    groups : ndarray of str, shape (n,), optional
        Unit of replication. With 6 or more, whole groups are resampled; else images within
        their class, and the interval holds within these groups only.
    seed : int, default 0
        Of the resampling.

    Returns
    -------
    (float, float, float)
        Value, lower and upper end.

    Raises
    ------
    InputError
        If there are no images, or lengths disagree.

    Examples
    --------
    >>> balanced_accuracy_interval(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    (1.0, 1.0, 1.0)
    """
    if not len(labels) or len(labels) != len(predictions):
        raise InputError(
            f"balanced_accuracy_interval got {len(labels)} labels and {len(predictions)} predictions, "
            "expected as many of both, at least 1: give one prediction for each image."
        )
    units = np.zeros(len(labels)) if groups is None else np.asarray(groups)
    clusters = np.unique(units, return_inverse=True)[1]
    totals, hits = _counts(labels, labels == predictions, clusters)  # (groups, classes)
    value = _balanced(hits.sum(0), totals.sum(0))
    rng = np.random.default_rng(seed)
    resample = _resample_groups if len(totals) >= _FEWEST_GROUPS else _resample_images
    low, high = np.quantile(resample(hits, totals, rng), (0.025, 0.975))
    return float(value), float(low), float(high)


def _counts(
    labels: NDArray[np.integer], right: NDArray[np.bool_], clusters: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    classes = np.unique(labels, return_inverse=True)[1]
    totals = np.zeros((clusters.max() + 1, classes.max() + 1))
    hits = np.zeros_like(totals)
    np.add.at(totals, (clusters, classes), 1.0)
    np.add.at(hits, (clusters, classes), right.astype(np.float64))
    return totals, hits


def _balanced(hits: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean recall over the classes that are there; a resample of groups may miss one."""
    recall = np.divide(hits, totals, out=np.zeros_like(hits), where=totals > 0)
    mean: NDArray[np.float64] = recall.sum(-1) / (totals > 0).sum(-1)
    return mean


def _resample_groups(
    hits: NDArray[np.float64], totals: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    count = len(totals)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES).astype(np.float64)
    return _balanced(weights @ hits, weights @ totals)


def _resample_images(
    hits: NDArray[np.float64], totals: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Resample images within their class, which is a binomial draw of the hits."""
    right, all_images = hits.sum(0), totals.sum(0)
    drawn = rng.binomial(all_images.astype(np.int64), right / all_images, size=(_RESAMPLES, len(right)))
    return _balanced(drawn.astype(np.float64), np.broadcast_to(all_images, drawn.shape))
