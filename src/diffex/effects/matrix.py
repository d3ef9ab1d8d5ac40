"""The effect matrix: every image, concept and sign rendered once, every class's logit kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.ledger import CostLedger
from diffex.base.progress import progress
from diffex.classifiers import Classifier
from diffex.classifiers.margins import margin
from diffex.concepts import Concept
from diffex.editors import Editor, Inversion
from diffex.effects.arrays import SIGNS
from diffex.generators import logits_of

FloatArray = NDArray[np.float64]
SizeOf = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False)
class EffectMatrix:
    """Logits of null edits and edits; everything later is computed from it without rendering.

    Parameters
    ----------
    ids : tuple of str
        Of the images.
    concepts : tuple of str
        Ids of the concepts.
    null : ndarray, shape (n, k)
        Logits of the null edits.
    edits : ndarray, shape (n, K, 2, k)
        Logits of the edits, signs +1 and -1.
    sizes : ndarray, shape (K, 2)
        Mean size of the rendered changes.
    """

    ids: tuple[str, ...]
    concepts: tuple[str, ...]
    null: FloatArray
    edits: FloatArray
    sizes: FloatArray

    def effects(self, target: int) -> FloatArray:
        """Change of the target's logit margin.

        Parameters
        ----------
        target : int
            Index of any class.

        Returns
        -------
        ndarray, shape (n, K, 2)
            Edit minus null edit.
        """
        return margin_of(self.edits, target) - margin_of(self.null, target)[:, None, None]

    def flips(self, target: int) -> NDArray[np.bool_]:
        """Whether edits are classified as the target, ``(n, K, 2)``."""
        return np.asarray(self.edits.argmax(-1) == target)

    def eligible(self, target: int) -> NDArray[np.bool_]:
        """Whether null edits are not the target yet, ``(n,)``."""
        return np.asarray(self.null.argmax(-1) != target)


def margin_of(logits: FloatArray, target: int) -> FloatArray:
    """Target's logit minus the log-sum-exp of the others, over the last axis.

    Parameters
    ----------
    logits : ndarray, shape (..., k)
        Of the classifier.
    target : int
        Index of the class.

    Returns
    -------
    ndarray, shape (...)
        Margins.
    """
    flat = torch.from_numpy(np.ascontiguousarray(logits)).reshape(-1, logits.shape[-1])
    return np.asarray(margin(flat, target).numpy()).reshape(logits.shape[:-1])


@final
@dataclass(frozen=True, eq=False)
class Judge:
    """The classifier, bound to the value range of the images, with the account of what it costs.

    Parameters
    ----------
    classifier : Classifier
        The thing explained.
    value_range : (float, float)
        Of the pixels that editors give.
    ledger : CostLedger
        Where evaluations are counted.
    """

    classifier: Classifier
    value_range: tuple[float, float]
    ledger: CostLedger

    def logits(self, x: Tensor) -> FloatArray:
        """Classify ``(n, c, h, w)`` grey values to ``(n, k)`` logits."""
        self.ledger.classifier_calls += len(x)
        return logits_of(self.classifier, x, self.value_range)


def effect_matrix(
    editor: Editor,
    judge: Judge,
    inversion: Inversion,
    concepts: list[Concept],
    size_of: SizeOf,
    *,
    purpose: str = "matrix",
    batch: int = 64,
) -> EffectMatrix:
    """Render images x concepts x signs at strength 1, and classify.

    Parameters
    ----------
    editor : Editor
        How concepts are changed.
    judge : Judge
        The classifier.
    inversion : Inversion
        Of the n images.
    concepts : list of Concept
        K calibrated concepts.
    size_of : callable
        Size of a change ``(n, c, h, w)`` per image, ``(n,)``.
    purpose : str
        For the ledger.
    batch : int
        Images rendered together.

    Returns
    -------
    EffectMatrix
        With ``n * (2 K + 1)`` renders counted.
    """
    count, classes = len(inversion), len(judge.classifier.card.class_names)
    edits = np.empty((count, len(concepts), 2, classes))
    null = np.empty((count, classes))
    sizes = np.zeros((len(concepts), 2))
    starts = range(0, count, batch)
    for start in progress(starts, "rendering edits", len(starts)):
        part = inversion.rows(start, min(start + batch, count))
        plain = editor.null(part)
        judge.ledger.count("null", len(part) * editor.evaluations)
        null[start : start + batch] = judge.logits(plain)
        for index, concept in enumerate(concepts):
            for side, sign in enumerate(SIGNS):
                x = editor.edit(part, concept, sign)
                edits[start : start + batch, index, side] = judge.logits(x)
                sizes[index, side] += float(size_of(x - plain).sum())
        judge.ledger.count(purpose, 2 * len(concepts) * len(part) * editor.evaluations)
    return EffectMatrix(inversion.ids, tuple(c.id for c in concepts), null, edits, sizes / max(count, 1))
