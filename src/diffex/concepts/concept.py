"""A concept: something that can be changed in an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class Concept:
    """A direction in the code of a generator, scaled so that strength 1 has the common size.

    Parameters
    ----------
    id : str
        Unique, for example ``"morphology:log2_nucleus_ring_fkhr"``.
    kind : str
        The source that proposed it.
    name : str
        For people; the source's until `diffex.explainers` names it by what it changes.
    direction : Tensor
        ``(d,)``; an edit of strength s adds ``s * direction`` to the code.
    parent : str, optional
        Id of the concept that it refines.
    merged : tuple of str
        Ids of near duplicates in image space that it stands for.
    gain : float
        What strength 1 is in the editor's own unit, where a longer direction would be another concept: text
        editors multiply their guidance by it.
    opposite : bool
        Whether the direction's negative says something too, as of phrases that have an opposite: text editors
        lead an edit of negative strength towards that, else away from the phrase.
    """

    id: str
    kind: str
    name: str
    direction: Tensor
    parent: str | None = None
    merged: tuple[str, ...] = ()
    gain: float = 1.0
    opposite: bool = False

    def scaled(self, factor: float) -> "Concept":
        """Multiply the direction.

        Parameters
        ----------
        factor : float
            Positive.

        Returns
        -------
        Concept
            The same concept at another calibration.
        """
        return replace(self, direction=self.direction * factor)

    def as_dict(self) -> dict[str, Any]:
        """Give all but the direction, for ``concepts.json``."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "parent": self.parent,
            "merged": self.merged,
            "gain": self.gain,
            "opposite": self.opposite,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], direction: Tensor) -> "Concept":
        """Rebuild from `as_dict` and a direction."""
        known = {k: values[k] for k in ("id", "kind", "name", "parent")}
        later = {k: values[k] for k in ("gain", "opposite") if k in values}
        return cls(**known, **later, direction=direction, merged=tuple(values.get("merged", ())))


def stacked(concepts: Sequence[Concept]) -> NDArray[np.float64]:
    """Stack directions.

    Parameters
    ----------
    concepts : sequence of Concept
        K of them.

    Returns
    -------
    ndarray, shape (K, d)
        Float64.
    """
    return np.stack([concept.direction.double().numpy() for concept in concepts])
