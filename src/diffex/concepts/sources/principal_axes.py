"""How the images vary most: principal axes of their codes."""

import numpy as np

from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make

KIND = "principal_axis"


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Propose the eigenvectors of the codes' covariance, largest first.

    Parameters
    ----------
    evidence : Evidence
        The codes' covariance.
    count : int
        How many.

    Returns
    -------
    list of Concept
        ``principal_axis:1``...
    """
    _, vectors = np.linalg.eigh(evidence.covariance)
    return make(KIND, np.ascontiguousarray(vectors[:, ::-1].T[:count]))
