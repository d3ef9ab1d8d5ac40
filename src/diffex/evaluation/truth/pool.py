"""One pool of concepts for all classifiers and peers, rendered once and judged by all."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.concepts import Concept, stacked
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import margin_of, probabilities_of
from diffex.evaluation.attributes.screens import Screen
from diffex.images import Images

SHARED = {
    "morphology": 36,
    "contrastive_images": 8,
    "contrastive_codes": 10,
    "principal_axis": 12,
    "latent": 12,
    "random": 44,
}
"""Concepts that do not depend on the classifier."""

OWN = {"mean_difference": 2, "active_subspace": 5}
"""Concepts of each classifier, beside its proxy gradient."""


@final
@dataclass(frozen=True, eq=False)
class Pool:
    """Concepts and what every picture of them did to every classifier.

    Parameters
    ----------
    concepts : tuple of Concept
        D calibrated ones; the id of one made for a classifier starts with the classifier's name and a colon.
    cells : Images
        The n cells edited.
    factors : ndarray, shape (n, D, 2, 12)
        Change of every factor as the oracle reads it, corrected.
    levels : ndarray, shape (n, 12)
        Every factor of the null edits, as the oracle reads it.
    logits : dict of str to ndarray of shape (n, D, 2, k)
        Of the edits, by classifier; ``misread:NAME`` where pixels were handed over in the wrong range.
    plain : dict of str to ndarray of shape (n, k)
        Of the null edits.
    original : dict of str to ndarray of shape (n, k)
        Of the cells themselves.
    gradients : dict of str to ndarray of shape (n, d)
        Of the target's margin with respect to the code.
    curvature : dict of str to ndarray of shape (d, d)
        Its mean second derivative.
    features : ndarray, shape (n, D, 2, f)
        Change of the oracle's features.
    metric, covariance : ndarray, shape (d, d)
        Of images and of codes.
    size : float
        Common size of the concepts.
    """

    concepts: tuple[Concept, ...]
    cells: Images
    factors: FloatArray
    levels: FloatArray
    logits: dict[str, FloatArray]
    plain: dict[str, FloatArray]
    original: dict[str, FloatArray]
    gradients: dict[str, FloatArray]
    curvature: dict[str, FloatArray]
    features: FloatArray
    metric: FloatArray
    covariance: FloatArray
    size: float

    def columns(self, name: str, kinds: tuple[str, ...] = ()) -> NDArray[np.int64]:
        """Find the concepts that a classifier's explainer may use, of some kinds or of all."""
        return np.array(
            [
                k
                for k, one in enumerate(self.concepts)
                if one.id.split(":")[0] in {name, one.kind} and (not kinds or one.kind in kinds)
            ],
            dtype=np.int64,
        )

    def effects(self, name: str, target: int) -> FloatArray:
        """Change of the target's margin from null edit to edit, ``(n, D, 2)``."""
        before = margin_of(self.plain[name], target)[:, None, None]
        return np.asarray(margin_of(self.logits[name], target) - before)

    def screen(self, name: str, target: int) -> Screen:
        """Give the whole pool as one classifier's matrix, for the significance test."""
        random = np.array([one.kind == "random" for one in self.concepts])
        effects = self.effects(name, target)
        return Screen(
            effects, self.gradients[name], self.curvature[name], stacked(self.concepts), random, self.metric,
            self.covariance, self.size,
        )  # fmt: skip

    def shifts(self, name: str, misread: bool = False) -> FloatArray:
        """Change of all probabilities from the cell itself to its edit, ``(n, D, 2, k)``, as published."""
        edits = self.logits[f"misread:{name}" if misread else name]
        return np.asarray(probabilities_of(edits) - probabilities_of(self.original[name])[:, None, None])
