"""Where the classifier is steepest: leading directions of the logit's gradient."""

import numpy as np

from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make

KIND = "active_subspace"


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Propose the mean gradient and the leading eigenvectors of its second moment, in white codes.

    Parameters
    ----------
    evidence : Evidence
        Gradients and the codes' covariance.
    count : int
        How many.

    Returns
    -------
    list of Concept
        ``active_subspace:steepest`` first. Constantine et al. 2014, "Active subspace methods".
    """
    white = evidence.gradients @ evidence.spread
    if not np.isfinite(white).all() or not np.abs(white).max() > 0:
        return []
    _, _, axes = np.linalg.svd(white, full_matrices=False)
    rows = np.vstack([white.mean(0), axes])[:count] @ evidence.spread
    labels = ["steepest", *(str(i + 1) for i in range(len(rows) - 1))]
    names = ["steepest rise of the logit", *(f"active direction {i + 1}" for i in range(len(rows) - 1))]
    return make(KIND, rows, labels, names)
