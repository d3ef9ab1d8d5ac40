"""Edits of phrases, rendered once: what the classifier says of each, and what each measurably changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.positions import evenly
from diffex.base.progress import progress
from diffex.concepts import Concept, ConceptTree
from diffex.editors import Inversion
from diffex.editors.text import TextEditor
from diffex.effects.arrays import SIGNS, FloatArray
from diffex.effects.matrix import Judge, margin_of
from diffex.effects.strengths import difference_size
from diffex.explainers.semantics.checking import alike, columns_named, in_spreads
from diffex.explainers.semantics.unmixing import opposed, unmixed
from diffex.measurements import Quantity

Measure = Callable[[Tensor, NDArray[np.int64]], pd.DataFrame]
SizeOf = Callable[[Tensor], Tensor]
PILOT = 6
"""Images on which phrases are told from one another and brought to one size of change."""
_GAINS = (0.25, 8.0)


@final
@dataclass(frozen=True, eq=False)
class Subject:
    """The images that are edited, inverted, with all that is known of their null edits.

    Parameters
    ----------
    editor : TextEditor
        What renders.
    judge : Judge
        The classifier.
    inversion : Inversion
        Of the n images.
    null : Tensor
        Null edits, ``(n, c, h, w)``.
    null_logits : ndarray, shape (n, k)
        What the classifier says of them.
    null_measured : DataFrame
        n rows, a column per quantity.
    measure : callable
        Measures rendered images at given positions.
    size_of : callable
        Size of a change per image.
    """

    editor: TextEditor
    judge: Judge
    inversion: Inversion
    null: Tensor
    null_logits: FloatArray
    null_measured: pd.DataFrame
    measure: Measure
    size_of: SizeOf

    def render(self, concept: Concept, strength: float, rows: NDArray[np.int64], purpose: str) -> Tensor:
        """Edit some images, ``(m, c, h, w)``; evaluations are counted."""
        self.judge.ledger.count(purpose, len(rows) * self.editor.evaluations)
        return self.editor.edit(self.inversion.take(rows.tolist()), concept, strength)


def edits_of(
    tree: ConceptTree, subject: Subject, size: float, known: Sequence[Quantity], real: FloatArray
) -> "PhraseEdits":
    """Make the table, still empty, of a tree's phrases: each led along what it alone changes, of one size.

    Phrases are led away from their opposites (`opposed`) and edited into a few images, and their directions
    are freed of what other phrases change (`unmixed`). Then each is edited again; its gain is the size asked
    for over the size of that change, at most 8 and at least a quarter.

    Parameters
    ----------
    tree : ConceptTree
        Its phrases, in order, become the concepts.
    subject : Subject
        Images and renderer.
    size : float
        Of an edit of strength 1, as a share of the root mean square difference of two images.
    known : sequence of Quantity
        The m measurements.
    real : ndarray, shape (r, m)
        Measurements of real images.

    Returns
    -------
    PhraseEdits
        No edits yet.
    """
    make, nodes = subject.editor.concept, tree.phrases()
    plain = [make(n.id, n.phrase or n.name, n.name, n.parent) for n in nodes]
    column, rises = columns_named(nodes, known), np.array([n.rises for n in nodes])
    apart = opposed(plain, column, rises)
    rows = evenly(len(subject.inversion), PILOT)
    changes = np.stack([_change(subject, concept, rows) for concept in apart])
    led = unmixed(apart, in_spreads(changes, real.std(axis=0)), column, rises, alike(real))
    sizes = np.array([_size(subject, concept, rows) for concept in led])
    common = size * difference_size(subject.null, subject.size_of)
    gains = np.clip(common / np.maximum(sizes, 1e-9), *_GAINS)
    return PhraseEdits(subject, [replace(c, gain=float(g)) for c, g in zip(led, gains, strict=True)])


def _change(subject: Subject, concept: Concept, rows: NDArray[np.int64]) -> FloatArray:
    """Half the mean difference of every measurement between edits along a phrase and away, ``(m,)``."""
    along, away = (
        subject.measure(subject.render(concept, sign, rows, "calibration"), rows).to_numpy() for sign in SIGNS
    )
    return np.asarray((along - away).mean(axis=0) / 2)


def _size(subject: Subject, concept: Concept, rows: NDArray[np.int64]) -> float:
    """Mean size of what a phrase changes in some images, along it and away."""
    edits = (subject.render(concept, sign, rows, "calibration") for sign in SIGNS)
    return float(np.mean([float(subject.size_of(x - subject.null[rows]).mean()) for x in edits]))


@final
class PhraseEdits:
    """A table of edits that grows: concepts x images x signs, NaN where not rendered yet.

    Parameters
    ----------
    subject : Subject
        Images and renderer.
    concepts : sequence of Concept
        K phrases.

    Attributes
    ----------
    logits : ndarray, shape (K, n, 2, k)
        Of the edits at strengths +1 and -1.
    changes : ndarray, shape (K, n, 2, m)
        Of every measurement, edit minus null edit.
    sizes : ndarray, shape (K, n, 2)
        Of the changes.
    """

    def __init__(self, subject: Subject, concepts: Sequence[Concept]) -> None:
        count, images = len(concepts), len(subject.inversion)
        self.subject, self.concepts = subject, tuple(concepts)
        self.logits = np.full((count, images, 2, subject.null_logits.shape[1]), np.nan)
        self.changes = np.full((count, images, 2, subject.null_measured.shape[1]), np.nan)
        self.sizes = np.full((count, images, 2), np.nan)

    def effects(self, target: int) -> FloatArray:
        """Change of the target's margin from null edit to edit, ``(K, n, 2)``."""
        null = margin_of(self.subject.null_logits, target)
        return np.asarray(margin_of(self.logits, target) - null[None, :, None])

    def judged_by(self, convert: Callable[[FloatArray], FloatArray]) -> "PhraseEdits":
        """Give the same edits as another classifier judges them that follows from the logits kept.

        Parameters
        ----------
        convert : callable
            From these logits ``(..., k)`` to its own ``(..., j)``.

        Returns
        -------
        PhraseEdits
            Shares the measurements.
        """
        subject = replace(self.subject, null_logits=convert(self.subject.null_logits))
        part = PhraseEdits(subject, self.concepts)
        part.logits, part.changes, part.sizes = convert(self.logits), self.changes, self.sizes
        return part

    def fill(self, concepts: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Render what is missing of some concepts on some images.

        Parameters
        ----------
        concepts : ndarray of int
            Positions of concepts.
        rows : ndarray of int
            Positions of images.
        """
        for index in progress(concepts.tolist(), "editing phrases", len(concepts)):
            missing = rows[np.isnan(self.sizes[index, rows, 0])]
            if len(missing):
                self._render(index, missing)

    def _render(self, index: int, rows: NDArray[np.int64]) -> None:
        subject = self.subject
        for side, sign in enumerate(SIGNS):
            x = subject.render(self.concepts[index], sign, rows, "edits")
            before = subject.null_measured.to_numpy()[rows]
            self.logits[index, rows, side] = subject.judge.logits(x)
            self.changes[index, rows, side] = subject.measure(x, rows).to_numpy() - before
            self.sizes[index, rows, side] = subject.size_of(x - subject.null[rows]).numpy()
