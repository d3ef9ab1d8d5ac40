"""From what is not the target to what is: class means, and a linear probe."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make

KIND = "mean_difference"


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Propose the difference of class means and the probe's pattern.

    Parameters
    ----------
    evidence : Evidence
        Codes and classes.
    count : int
        At most this many, of 2.

    Returns
    -------
    list of Concept
        ``mean_difference:classes`` and ``mean_difference:probe``, as the classes allow.

    Notes
    -----
    The probe's weights are turned into a pattern by the covariance (Haufe et al. 2014), so that it is what
    changes with the class and not what suppresses noise.
    """
    target, codes = evidence.is_target, evidence.codes
    if target.all() or not target.any():
        return []
    difference = codes[target].mean(0) - codes[~target].mean(0)
    whitened = np.linalg.lstsq(evidence.spread, (codes - codes.mean(0)).T, rcond=1e-6)[0].T
    probe = LogisticRegression(C=0.1, max_iter=500, class_weight="balanced").fit(whitened, target)
    pattern = evidence.spread @ probe.coef_[0]
    names = ("difference of the class means", "linear probe of the class")
    return make(KIND, np.stack([difference, pattern]), ("classes", "probe"), names)[:count]
