"""The coordinates of the code themselves, those that change the image most first."""

import numpy as np

from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make

KIND = "latent"


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Propose single latents by the size of a change of one standard deviation.

    Parameters
    ----------
    evidence : Evidence
        The codes' covariance and the metric.
    count : int
        How many.

    Returns
    -------
    list of Concept
        ``latent:<index>``.
    """
    size = np.sqrt(np.diag(evidence.metric) * np.diag(evidence.covariance))
    order = np.argsort(-size)[:count]
    return make(KIND, np.eye(len(size))[order], [str(i) for i in order])
