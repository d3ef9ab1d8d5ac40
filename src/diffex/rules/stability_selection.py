"""Factors that are chosen again and again from halves of the images, with a bound on the false ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.replication import Unit, Units, replication_units
from diffex.rules.sparse_network import SPARE_IMAGES, checked_table, varies

Choose = Callable[[FloatArray, FloatArray, int], tuple[int, ...]]
"""Takes x, logits and a seed; gives columns of x."""


@final
@dataclass(frozen=True, eq=False)
class StableFactors:
    """How often each factor was chosen.

    Parameters
    ----------
    frequency : ndarray, shape (d,)
        Share of the half-samples in which it was chosen.
    selected : tuple of int
        Those chosen in a share of `threshold` or more, ascending.
    average : float
        Factors chosen per half-sample, q.
    bound : float
        On the expected number of false factors among those selected.
    unit : {"images", "groups"}
        What the halves were dealt in.
    """

    frequency: FloatArray
    selected: tuple[int, ...]
    average: float
    bound: float
    unit: Unit


def stability_selection(
    x: ArrayLike,
    logits: ArrayLike,
    choose: Choose,
    *,
    pairs: int = 25,
    threshold: float = 0.7,
    seed: int,
    groups: NDArray[np.generic] | None = None,
) -> StableFactors:
    """Choose factors from complementary halves of the images and keep those chosen most often.

    The bound is ``E[V] <= q^2 / ((2 threshold - 1) m)`` for the m factors that vary. It holds for V, the
    number of noise factors selected, if the choice treats noise factors alike and does no worse than guessing
    (Meinshausen and Buhlmann). It holds in the worst case, without either assumption, if V counts the
    selected factors whose chance of being chosen from a half is at most q / m, that of a random guess (Shah
    and Samworth, theorem 1). q is estimated by the average over the half-samples.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Factors, any units; constant ones are never chosen.
    logits : array_like, shape (n, k)
        Of the classifier.
    choose : callable
        Takes the factors that vary, the logits and a seed; gives the columns chosen, for example
        `forward_choice`. The fewer it chooses, the lower the bound.
    pairs : int, default 25
        Pairs of halves; 50 for a report.
    threshold : float, default 0.7
        Share of half-samples, above 0.5, up to 1.
    seed : int
        Of halves and choices.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image; with 6 or more, a half never divides one.

    Returns
    -------
    StableFactors
        Frequencies, selection and bound.

    Raises
    ------
    InputError
        As `checked_table`; if a half has too few images, groups do not match, or pairs or threshold are out
        of range.

    References
    ----------
    Meinshausen and Buhlmann 2010, "Stability selection"; Shah and Samworth 2013, "Variable selection with
    error control: another look at stability selection".
    """
    if pairs < 1 or not 0.5 < threshold <= 1:
        raise InputError(
            f"pairs and threshold got {pairs} and {threshold}, expected 1 or more, and above 0.5 up to 1."
        )
    factors, outputs = checked_table(x, logits)
    varying = np.flatnonzero(varies(factors))
    units, counts, halves = replication_units(len(factors), groups), np.zeros(factors.shape[1]), 0
    for rows in _halves(units, pairs, seed):
        _refuse_few(len(rows), len(varying))
        picked = choose(factors[np.ix_(rows, varying)], outputs[rows], derive_seed("choice", seed, halves))
        counts[varying[sorted(set(picked))]] += 1
        halves += 1
    frequency, q = counts / halves, float(counts.sum() / halves)
    selected = tuple(int(j) for j in np.flatnonzero(frequency >= threshold))
    return StableFactors(frequency, selected, q, q**2 / ((2 * threshold - 1) * len(varying)), units.unit)


def _halves(units: Units, pairs: int, seed: int) -> Iterator[IntArray]:
    """Deal the units into two halves of equal number, leaving one out where the number is odd."""
    random, count = np.random.default_rng(derive_seed("halves", seed)), len(units.sizes)
    for _ in range(pairs):
        order, half = random.permutation(count), count // 2
        for part in (order[:half], order[half : 2 * half]):
            yield np.flatnonzero(np.isin(units.codes, part)).astype(np.int64)


def _refuse_few(images: int, factors: int) -> None:
    least = factors + SPARE_IMAGES
    if images < least:
        raise InputError(
            f"{factors} factors got a half of {images} images, expected {least} or more; give more images."
        )
