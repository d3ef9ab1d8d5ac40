"""How well a rule stands in for the classifier on images that neither it nor its search has seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.replication import Units, replication_units

_RESAMPLES = 1000

Estimate = tuple[float, float, float]
"""Value and ends of its 95 % interval."""


@final
@dataclass(frozen=True)
class Fidelity:
    """Agreement of rules with the classifier.

    Parameters
    ----------
    agreement : (float, float, float)
        Share of images given the same class.
    r2 : tuple of (float, float, float)
        Of each class margin.
    accuracy, accuracy_ratio : (float, float, float) or None
        Balanced accuracy of the rules against labels, and over that of the classifier.
    classifier_accuracy : (float, float, float) or None
        The classifier's.
    images : int
        How many.
    unit : {"images", "groups"}
        What intervals resample.
    """

    agreement: Estimate
    r2: tuple[Estimate, ...]
    accuracy: Estimate | None
    accuracy_ratio: Estimate | None
    classifier_accuracy: Estimate | None
    images: int
    unit: str


def fidelity(
    predicted: FloatArray,
    margins: FloatArray,
    labels: NDArray[np.int64] | None,
    groups: NDArray[np.str_] | None,
    seed: int,
) -> Fidelity:
    """Compare the margins of rules with the classifier's.

    Parameters
    ----------
    predicted, margins : ndarray, shape (n, k)
        Of the rules, of the classifier.
    labels : ndarray of int, shape (n,), optional
        True classes.
    groups : ndarray of str, shape (n,), optional
        Unit of replication; resampled whole where there are at least 6.
    seed : int
        Of the resampling.

    Returns
    -------
    Fidelity
        With bootstrap intervals, the same resamples for both sides of a ratio.
    """
    said, ruled = margins.argmax(axis=1), predicted.argmax(axis=1)
    units = replication_units(len(margins), groups)

    def estimate(statistic: Callable[[IntArray], float]) -> Estimate:
        return bootstrapped(units, len(margins), statistic, seed)

    agreement = estimate(lambda rows: float(np.mean(said[rows] == ruled[rows])))
    r2 = tuple(estimate(_r2_on(predicted[:, k], margins[:, k])) for k in _kept(margins))
    if labels is None:
        return Fidelity(agreement, r2, None, None, None, len(margins), units.unit)
    return Fidelity(
        agreement, r2,
        estimate(lambda rows: balanced(labels[rows], ruled[rows])),
        estimate(lambda rows: _ratio(*(balanced(labels[rows], who[rows]) for who in (ruled, said)))),
        estimate(lambda rows: balanced(labels[rows], said[rows])),
        len(margins), units.unit,
    )  # fmt: skip


def balanced(labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> float:
    """Give the mean over classes of the share of their images that is recognised.

    Parameters
    ----------
    labels, predictions : ndarray of int, shape (n,)
        True classes, and what something says.

    Returns
    -------
    float
        Classes without images drop out.
    """
    totals = np.bincount(labels)
    hits = np.bincount(labels[labels == predictions], minlength=len(totals))
    return float(np.mean(hits[totals > 0] / totals[totals > 0]))


def _kept(margins: FloatArray) -> range:
    """The margins of two classes are each other's negative."""
    return range(1, 2) if margins.shape[1] == 2 else range(margins.shape[1])


def _ratio(part: float, whole: float) -> float:
    """Of a classifier that is never right nothing is kept, and nothing lost."""
    return part / whole if whole > 0 else 1.0


def _r2_on(predicted: FloatArray, margin: FloatArray) -> Callable[[IntArray], float]:
    return lambda rows: r2_of(predicted[rows], margin[rows])


def r2_of(predicted: FloatArray, margin: FloatArray) -> float:
    """Give the share of the variance that a prediction explains.

    Parameters
    ----------
    predicted, margin : ndarray, shape (n,)
        What a formula gives, and what it should give.

    Returns
    -------
    float
        1 where they are the same; below 0 where the mean is better.
    """
    return float(1 - np.mean(np.square(predicted - margin)) / max(float(margin.var()), 1e-300))


def bootstrapped(units: Units, count: int, statistic: Callable[[IntArray], float], seed: int) -> Estimate:
    """Give a statistic with its 95 % bootstrap interval.

    Parameters
    ----------
    units : Units
        What is resampled.
    count : int
        Number of images.
    statistic : callable
        Of positions of images.
    seed : int
        Of the resampling.

    Returns
    -------
    (float, float, float)
        On all images, and the ends of the interval.
    """
    drawn = [statistic(rows) for rows in units.resamples(_RESAMPLES, seed)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return statistic(np.arange(count)), float(low), float(high)
