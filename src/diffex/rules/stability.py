"""How often each term of a rule comes up when the images are others."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from diffex.base.noise import derive_seed
from diffex.effects.replication import selection_half
from diffex.rules.engine import FloatArray, RuleEngine
from diffex.rules.factors import Factors
from diffex.rules.front import Candidate, Halves, Limits, choose, search_front

Stability = Mapping[str, float]


def term_stability(
    factors: Factors,
    margin: FloatArray,
    groups: NDArray[np.str_] | None,
    engine: RuleEngine,
    limits: Limits,
    halves: int,
    seed: int,
) -> Stability:
    """Search again on half-samples and count the terms of the formulas chosen.

    Parameters
    ----------
    factors : Factors
        Those that the rule may read, of n images.
    margin : ndarray, shape (n,)
        What it should give.
    groups : ndarray of str, shape (n,), optional
        Unit of replication; with 12 or more a half never divides one.
    engine : RuleEngine
        Who searches.
    limits : Limits
        Size of a formula.
    halves : int
        Half-samples, in complementary pairs.
    seed : int
        Of the halves.

    Returns
    -------
    mapping of str to float
        Share of half-samples whose chosen formula has the term, the most frequent first.
    """
    chosen = half_sample_choices(factors, margin, groups, engine, limits, halves, seed)
    counts = Counter(term for candidate in chosen for term in candidate.structure)
    return {term: count / len(chosen) for term, count in counts.most_common()}


def half_sample_choices(
    factors: Factors,
    margin: FloatArray,
    groups: NDArray[np.str_] | None,
    engine: RuleEngine,
    limits: Limits,
    halves: int,
    seed: int,
) -> list[Candidate]:
    """Give the formula chosen from each half-sample.

    Parameters
    ----------
    factors, margin, groups, engine, limits, halves, seed
        As of `term_stability`.

    Returns
    -------
    list of Candidate
        One per half-sample.
    """
    scale = factors.values.std(axis=0)
    found = []
    for number in range(halves):
        pair, second = divmod(number, 2)
        half = selection_half(len(margin), groups, derive_seed("halves", seed, pair))
        parts = Halves(
            factors.names, factors.values[half] / scale, margin[half],
            factors.values[~half] / scale, margin[~half],
        )  # fmt: skip
        front = search_front(parts.swapped() if second else parts, (engine,), limits, seed + number)
        found.append(front[choose(front)])
    return found
