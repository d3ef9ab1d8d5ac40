"""How often each term of a rule comes up when the images are others."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray
from diffex.effects.replication import selection_half
from diffex.rules.engine import RuleEngine
from diffex.rules.factors import Factors
from diffex.rules.front import Candidate, Halves, Limits, choose, is_good, search_front

Stability = Mapping[str, float]


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


def steady(
    own: Sequence[Candidate], choices: Sequence[Candidate], front: list[Candidate]
) -> Candidate | None:
    """Find the formula whose terms half-samples agree on, if it is as good as any.

    Parameters
    ----------
    own : sequence of Candidate
        Found on the whole by the engine that searched the half-samples.
    choices : sequence of Candidate
        From `half_sample_choices`.
    front : list of Candidate
        Of all engines.

    Returns
    -------
    Candidate or None
        None where fewer than half of the half-samples agree, or another formula is better.
    """
    if not choices:
        return None
    structure, count = Counter(choice.structure for choice in choices).most_common(1)[0]
    agreed = [one for one in own if one.structure == structure and is_good(one, front)]
    return agreed[0] if agreed and 2 * count >= len(choices) else None


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
