"""The effect matrix: every image, concept and sign rendered once, every class's logit kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.ledger import CostLedger
from diffex.base.progress import progress
from diffex.classifiers import Classifier
from diffex.classifiers.margins import margin, probabilities
from diffex.concepts import Concept
from diffex.editors import Editor, Inversion, edits_together
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
        Logits of the edits, signs +1 and -1; NaN where a search did not render.
    sizes : ndarray, shape (K, 2)
        Mean size of the rendered changes; NaN where nothing was rendered.
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
            Edit minus null edit; NaN where not rendered.
        """
        return margin_of(self.edits, target) - margin_of(self.null, target)[:, None, None]

    def flips(self, target: int) -> NDArray[np.bool_]:
        """Whether edits are classified as the target, ``(n, K, 2)``; False where not rendered."""
        return np.asarray((self.edits.argmax(-1) == target) & self.rendered)

    @property
    def rendered(self) -> NDArray[np.bool_]:
        """Which edits were rendered, ``(n, K, 2)``."""
        return ~np.isnan(self.edits[..., 0])

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


def probabilities_of(logits: FloatArray) -> FloatArray:
    """Probabilities of the classes, over the last axis.

    Parameters
    ----------
    logits : ndarray, shape (..., k)
        Of the classifier.

    Returns
    -------
    ndarray, shape (..., k)
        NaN where logits are.
    """
    flat = torch.from_numpy(np.ascontiguousarray(logits)).reshape(-1, logits.shape[-1])
    return np.asarray(probabilities(flat).numpy()).reshape(logits.shape)


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
    wanted: NDArray[np.bool_] | None = None,
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
    wanted : ndarray of bool, shape (K, 2), optional
        Concepts and signs to render; default all.
    purpose : str
        For the ledger.
    batch : int
        Renderings made together.

    Returns
    -------
    EffectMatrix
        With ``n * (2 K + 1)`` renders counted where all are wanted, else ``n * (wanted + 1)``.
    """
    count, classes = len(inversion), len(judge.classifier.card.class_names)
    rows = np.argwhere(np.ones((len(concepts), 2), dtype=bool) if wanted is None else wanted)
    edits = np.full((count, len(concepts), 2, classes), np.nan)
    null = np.empty((count, classes))
    sizes = np.full((len(concepts), 2), np.nan)
    sizes[tuple(rows.T)] = 0.0
    starts = range(0, count, batch)
    for start in progress(starts, "rendering edits", len(starts)):
        part = inversion.rows(start, min(start + batch, count))
        plain = editor.null(part)
        judge.ledger.count("null", len(part) * editor.evaluations)
        null[start : start + batch] = judge.logits(plain)
        together = max(1, batch // len(part))
        for some in [rows[k : k + together] for k in range(0, len(rows), together)]:
            x = edits_together(editor, part, [(concepts[index], SIGNS[side]) for index, side in some])
            found = judge.logits(x.flatten(0, 1)).reshape(len(some), len(part), classes)
            moved = size_of((x - plain).flatten(0, 1)).reshape(len(some), len(part)).sum(1)
            for (index, side), logits, size in zip(some, found, moved.tolist(), strict=True):
                edits[start : start + batch, index, side] = logits
                sizes[index, side] += size
        judge.ledger.count(purpose, len(rows) * len(part) * editor.evaluations)
    return EffectMatrix(inversion.ids, tuple(c.id for c in concepts), null, edits, sizes / max(count, 1))


def assembled(ids: tuple[str, ...], parts: Sequence[tuple[NDArray[np.int64], EffectMatrix]]) -> EffectMatrix:
    """Put parts of a matrix together, each of some images and some rows.

    Parameters
    ----------
    ids : tuple of str
        Of all n images.
    parts : sequence of (ndarray of int, EffectMatrix)
        Positions of the part's images, and the part. Every image is in at least one.

    Returns
    -------
    EffectMatrix
        Of all images; NaN where no part rendered.
    """
    (_, first), *_ = parts
    null = np.full((len(ids), first.null.shape[1]), np.nan)
    edits = np.full((len(ids), *first.edits.shape[1:]), np.nan)
    total, count = np.zeros(first.sizes.shape), np.zeros(first.sizes.shape)
    for images, part in parts:
        null[images] = part.null
        edits[images] = np.where(np.isnan(part.edits), edits[images], part.edits)
        shown = ~np.isnan(part.sizes)
        total[shown] += len(images) * part.sizes[shown]
        count[shown] += len(images)
    sizes = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return EffectMatrix(ids, first.concepts, null, edits, sizes)
