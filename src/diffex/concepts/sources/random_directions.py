"""Random directions: rendered members of the null that the others must beat."""

import numpy as np

from diffex.base.noise import derive_seed
from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make

KIND = "random"


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Draw directions from the codes' own covariance.

    Parameters
    ----------
    evidence : Evidence
        The codes' covariance and the seed.
    count : int
        How many.

    Returns
    -------
    list of Concept
        ``random:1``...
    """
    draws = np.random.default_rng(derive_seed("random", evidence.seed)).standard_normal(
        (count, len(evidence.covariance))
    )
    return make(KIND, draws @ evidence.spread)
