"""One pool of concepts from all sources, near duplicates merged."""

from dataclasses import replace

import numpy as np

from diffex.base.errors import InputError
from diffex.concepts.concept import Concept, stacked
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources import SOURCES
from diffex.concepts.white_codes import FloatArray

# Shares of the pool; what a source cannot fill goes to the principal and latent axes.
_SHARES = {
    "mean_difference": 0.02,
    "active_subspace": 0.06,
    "contrastive_images": 0.08,
    "contrastive_codes": 0.08,
    "random": 0.20,
    "morphology": 0.36,
    "principal_axis": 0.10,
    "latent": 0.10,
}
_FEWEST = {"random": 4}  # they calibrate the null, which takes no fewer
_ALIKE = 0.9


def propose_concepts(
    evidence: Evidence, count: int, kinds: tuple[str, ...] = tuple(SOURCES)
) -> list[Concept]:
    """Ask every source for its share of `count` concepts.

    Parameters
    ----------
    evidence : Evidence
        What the sources may look at.
    count : int
        How many in all, random directions included; at least 10.
    kinds : tuple of str
        Which sources to ask; random directions are always asked, since the null is calibrated with them.

    Returns
    -------
    list of Concept
        In order of priority, random directions last.

    Raises
    ------
    InputError
        If a kind is unknown or `count` too small.
    """
    unknown = sorted(set(kinds) - set(SOURCES))
    if unknown or count < 10:
        raise InputError(
            f"concepts got {count} of kinds {', '.join(kinds)}, expected at least 10 of {', '.join(SOURCES)}."
        )
    asked = [kind for kind in SOURCES if kind in kinds or kind == "random"]
    pool: dict[str, list[Concept]] = {
        kind: SOURCES[kind](evidence, max(_FEWEST.get(kind, 1), round(_SHARES[kind] * count)))
        for kind in asked
    }
    for kind in ("principal_axis", "latent"):
        missing = count - sum(len(found) for found in pool.values())
        if missing > 0 and kind in pool:
            pool[kind] = SOURCES[kind](evidence, len(pool[kind]) + missing)
    return [concept for kind in asked for concept in pool[kind]]


def image_cosines(concepts: list[Concept], metric: FloatArray) -> FloatArray:
    """Cosine of the concepts' small changes in image space.

    Parameters
    ----------
    concepts : list of Concept
        K of them.
    metric : ndarray, shape (d, d)
        Mean of J'J.

    Returns
    -------
    ndarray, shape (K, K)
        1 where two concepts change images in the same way.
    """
    directions = stacked(concepts)
    inner = directions @ metric @ directions.T
    length = np.sqrt(np.clip(np.diag(inner), 1e-30, None))
    return np.asarray(inner / np.outer(length, length))


def merge_duplicates(concepts: list[Concept], metric: FloatArray, alike: float = _ALIKE) -> list[Concept]:
    """Let the first of several near duplicates in image space stand for the others.

    Parameters
    ----------
    concepts : list of Concept
        In order of priority. Random directions are kept as they are.
    metric : ndarray, shape (d, d)
        Mean of J'J.
    alike : float
        Absolute cosine above which two concepts are one.

    Returns
    -------
    list of Concept
        The kept ones, with the ids that they stand for.
    """
    cosines = np.abs(image_cosines(concepts, metric))
    stands_for: dict[int, list[str]] = {}
    for index, concept in enumerate(concepts):
        earlier = [k for k in stands_for if cosines[index, k] > alike and concepts[k].kind != "random"]
        if earlier and concept.kind != "random":
            stands_for[max(earlier, key=lambda k: float(cosines[index, k]))].append(concept.id)
        else:
            stands_for[index] = []
    return [replace(concepts[k], merged=tuple(ids)) for k, ids in stands_for.items()]
