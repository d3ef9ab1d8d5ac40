"""A direction per measured quantity: what changes in the code when the quantity does."""

import numpy as np

from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make
from diffex.concepts.white_codes import FloatArray, ridge, white_codes

KIND = "morphology"
_LEAST_R2 = 0.1


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Propose, for the quantities that the code knows best, the pattern of a ridge regression on the code.

    Parameters
    ----------
    evidence : Evidence
        Codes, their covariance, measurements.
    count : int
        How many.

    Returns
    -------
    list of Concept
        ``morphology:<quantity>``, best explained first; quantities with R2 below 0.1 are left out.

    Notes
    -----
    In white codes u, the ridge weights w of the quantity give the direction ``spread @ w``: the most likely
    change of code for a given change of the predicted quantity (Haufe et al. 2014).
    """
    white = white_codes(evidence.codes, evidence.spread)
    values = _standardised(evidence.measured.to_numpy(dtype=np.float64))
    weights, r2 = _weights(white, values)
    order = [j for j in np.argsort(-r2) if r2[j] >= _LEAST_R2][:count]
    rows = (evidence.spread @ weights[:, order]).T
    columns = list(evidence.measured.columns)
    words = {q.name: q.words for q in evidence.quantities}
    labels = [columns[j] for j in order]
    return make(KIND, rows, labels, [words.get(label, label) for label in labels])


def _standardised(values: FloatArray) -> FloatArray:
    """Clip to the central 99 % and scale, so that a few odd cells do not steer a direction."""
    low, high = np.quantile(values, [0.005, 0.995], axis=0)
    clipped = np.clip(values, low, high)
    spread = clipped.std(axis=0)
    return np.asarray((clipped - clipped.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def _weights(white: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit on the even rows and score on the odd ones; give the weights of all rows and that R2."""
    error = values[1::2] - white[1::2] @ ridge(white[::2], values[::2])
    variance = np.maximum(values[1::2].var(axis=0), 1e-12)
    return ridge(white, values), 1 - error.var(axis=0) / variance
