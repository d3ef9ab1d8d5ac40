"""How often each term of a rule comes up when the images are others."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray
from diffex.effects.replication import selection_half
from diffex.rules.constants import fit_constants
from diffex.rules.engine import RuleEngine
from diffex.rules.factors import Factors
from diffex.rules.front import Candidate, Halves, Limits, choose, is_good, judged, search_front

Stability = Mapping[str, float]

STEADY_SHARE = 0.8
"""Share of half-samples in which a term comes up that is no accident of the images."""

_STEADY_TOLERANCE = 0.03  # of the variance: what a formula without terms that come and go may explain less


def term_shares(choices: Sequence[Candidate]) -> Stability:
    """Count the terms of formulas chosen from half-samples.

    Parameters
    ----------
    choices : sequence of Candidate
        From `half_sample_choices`.

    Returns
    -------
    mapping of str to float
        Share of the formulas that have the term, the most frequent first.
    """
    counts = Counter(term for candidate in choices for term in candidate.structure)
    return {term: count / len(choices) for term, count in counts.most_common()}


def steady(known: Sequence[Candidate], shares: Stability, front: list[Candidate]) -> Candidate | None:
    """Find the smallest formula whose every term most half-samples have, if it is nearly as good as any.

    Parameters
    ----------
    known : sequence of Candidate
        To choose from, all judged on the same images.
    shares : mapping of str to float
        From `term_shares`.
    front : list of Candidate
        Of all engines.

    Returns
    -------
    Candidate or None
        None where no formula without terms that come and go decides as well and explains as much, but for 3 %
        of the variance.
    """
    good = [one for one in known if agreed(one, shares) and is_good(one, front, _STEADY_TOLERANCE)]
    return min(good, key=lambda one: (one.nodes, -one.r2), default=None)


def agreed(candidate: Candidate, shares: Stability) -> bool:
    """Whether each of a formula's terms is in four of five half-samples, or in more.

    Parameters
    ----------
    candidate : Candidate
        With a term at least; a constant is never agreed on.
    shares : mapping of str to float
        From `term_shares`.

    Returns
    -------
    bool
        False where there are no half-samples.
    """
    return min((shares.get(term, 0.0) for term in candidate.structure), default=0.0) >= STEADY_SHARE


def refitted(choices: Sequence[Candidate], shares: Stability, halves: Halves) -> list[Candidate]:
    """Fit the formulas that half-samples agree on to the whole.

    Parameters
    ----------
    choices : sequence of Candidate
        From `half_sample_choices`.
    shares : mapping of str to float
        From `term_shares`.
    halves : Halves
        Of the whole.

    Returns
    -------
    list of Candidate
        One per structure.
    """
    distinct = {one.structure: one for one in choices if agreed(one, shares)}
    return [
        judged(fit_constants(one.expression, halves.names, halves.x, halves.y).expression, one.engine, halves)
        for one in distinct.values()
    ]


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
        Half-samples, in complementary pairs: each fits what the other judges.
    seed : int
        Of the halves.

    Returns
    -------
    list of Candidate
        One per half-sample.
    """
    found = []
    for number in range(halves):
        pair, second = divmod(number, 2)
        half = selection_half(len(margin), groups, derive_seed("halves", seed, pair))
        parts = Halves.cut(factors, margin, half)
        front = search_front(parts.swapped() if second else parts, (engine,), limits, seed + number)
        found.append(front[choose(front)])
    return found
