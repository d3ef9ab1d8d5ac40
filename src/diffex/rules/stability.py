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


def steadiest(known: Sequence[Candidate], shares: Stability, front: list[Candidate]) -> Candidate:
    """Find the formula that other images would give again, of those that are nearly as good as any.

    Parameters
    ----------
    known : sequence of Candidate
        To choose from, all judged on the same images; the front's among them.
    shares : mapping of str to float
        From `term_shares`.
    front : list of Candidate
        Of all engines.

    Returns
    -------
    Candidate
        It decides as well as the best and explains as much, but for 3 % of the variance. Its rarest term is
        the most frequent one, where four of five half-samples are as many as all of them; of equals, the
        smallest.
    """
    good = [one for one in known if is_good(one, front, _STEADY_TOLERANCE)]
    return min(good, key=lambda one: (-min(_rarest(one, shares), STEADY_SHARE), one.nodes, -one.r2))


def _rarest(candidate: Candidate, shares: Stability) -> float:
    return min((shares.get(term, 0.0) for term in candidate.structure), default=0.0)


def refitted(choices: Sequence[Candidate], halves: Halves) -> list[Candidate]:
    """Fit the formulas of half-samples to the whole.

    Parameters
    ----------
    choices : sequence of Candidate
        From `half_sample_choices`.
    halves : Halves
        Of the whole.

    Returns
    -------
    list of Candidate
        One per structure.
    """
    distinct = {one.structure: one for one in choices}
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
