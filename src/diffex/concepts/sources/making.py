"""Turn rows of numbers into concepts."""

from collections.abc import Sequence

import numpy as np
import torch

from diffex.concepts.concept import Concept
from diffex.concepts.white_codes import FloatArray


def make(
    kind: str, directions: FloatArray, labels: Sequence[str] = (), names: Sequence[str] = ()
) -> list[Concept]:
    """Make a concept per direction that is not zero.

    Parameters
    ----------
    kind : str
        The source's name.
    directions : ndarray, shape (k, d)
        Of any length.
    labels, names : sequence of str, optional
        Last part of the ids, and names for people; numbers by default.

    Returns
    -------
    list of Concept
        With unit directions.
    """
    concepts = []
    for index, row in enumerate(directions):
        length = float(np.linalg.norm(row))
        if np.isfinite(length) and length > 1e-9:
            label = labels[index] if labels else str(index + 1)
            name = names[index] if names else f"{kind.replace('_', ' ')} {label}"
            direction = torch.from_numpy(row / length).float()
            concepts.append(Concept(f"{kind}:{label}", kind, name, direction))
    return concepts
