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
from diffex.explainers.semantics.checking import columns_named, in_spreads, related
from diffex.explainers.semantics.unmixing import opposed, opposites_of, unmixed
from diffex.measurements import Quantity

Measure = Callable[[Tensor, NDArray[np.int64]], pd.DataFrame]
SizeOf = Callable[[Tensor], Tensor]
_PILOT, _SIZED = 10, 4
"""Images on which phrases are told from one another, and on which they are brought to one size of change."""
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
    tree: ConceptTree,
    subject: Subject,
    size: float,
    known: Sequence[Quantity],
    real: FloatArray,
    controls: Sequence[Concept] = (),
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
    controls : sequence of Concept
        Follow the phrases, brought to the same size.

    Returns
    -------
    PhraseEdits
        No edits yet.
    """
    make, nodes = subject.editor.concept, tree.phrases()
    plain = [make(n.id, n.phrase or n.name, n.name, n.parent) for n in nodes]
    column, rises = columns_named(nodes, known), np.array([n.rises for n in nodes])
    pilot = Pilot(subject, np.append(opposites_of(column, rises), np.full(len(controls), -1)))
    apart = opposed(plain, column, rises)
    changes = in_spreads(pilot.changes(apart, column >= 0), real.std(axis=0))
    led = [*unmixed(apart, changes, column, rises, related(known, real)), *controls]
    common = size * difference_size(subject.null, subject.size_of)
    gains = np.clip(common / np.maximum(pilot.sizes(led), 1e-9), *_GAINS)
    concepts = [replace(c, gain=float(g)) for c, g in zip(led, gains, strict=True)]
    return PhraseEdits(subject, concepts, pilot.opposite)


@final
@dataclass(frozen=True, eq=False)
class Pilot:
    """Edits of a few images, by which phrases are told from one another and brought to one size.

    Parameters
    ----------
    subject : Subject
        Images and renderer.
    opposite : ndarray of int, shape (K,)
        From `opposites_of`, -1 for controls: the edit along that phrase is the edit away from this one.
    """

    subject: Subject
    opposite: NDArray[np.int64]

    def changes(self, concepts: Sequence[Concept], wanted: NDArray[np.bool_]) -> FloatArray:
        """Measure what each phrase changes, edits along it against edits away from it.

        Parameters
        ----------
        concepts : sequence of Concept
            K phrases.
        wanted : ndarray of bool, shape (K,)
            Those that are measured.

        Returns
        -------
        ndarray, shape (K, m)
            Half the mean difference; 0 where not wanted.
        """
        along = {k: self._measured(concepts[k], 1) for k in np.flatnonzero(wanted).tolist()}
        found = np.zeros((len(concepts), self.subject.null_measured.shape[1]))
        for k, own in along.items():
            other = int(self.opposite[k])
            away = along[other] if other >= 0 else self._measured(concepts[k], -1)
            found[k] = (own - away).mean(axis=0) / 2
        return found

    def sizes(self, concepts: Sequence[Concept]) -> FloatArray:
        """Mean size of what each phrase changes, ``(K,)``; of a phrase and its opposite the same."""
        own = np.array([self._size(concept) for concept in concepts])
        return np.where(self.opposite >= 0, (own + own[self.opposite]) / 2, own)

    def _measured(self, concept: Concept, sign: int) -> FloatArray:
        rows = self._some(_PILOT)
        x = self.subject.render(concept, sign, rows, "calibration")
        measured = self.subject.measure(x, rows)
        return np.asarray(measured.to_numpy(dtype=np.float64))

    def _size(self, concept: Concept) -> float:
        rows = self._some(_SIZED)
        change = self.subject.render(concept, 1, rows, "calibration") - self.subject.null[rows]
        return float(self.subject.size_of(change).mean())

    def _some(self, count: int) -> NDArray[np.int64]:
        return evenly(len(self.subject.inversion), count)


def pilot_edits(column: NDArray[np.int64], rises: NDArray[np.bool_]) -> int:
    """Count the edits that a pilot takes.

    Parameters
    ----------
    column : ndarray of int, shape (K,)
        Which measurement each phrase names; -1 where none does.
    rises : ndarray of bool, shape (K,)
        Whether more of the phrase is more of the measurement.

    Returns
    -------
    int
        Of four images for the size of every phrase; of ten for its changes where it names a measurement,
        twice without an opposite.
    """
    alone = opposites_of(column, rises) < 0
    return _SIZED * len(column) + _PILOT * int(np.where(column >= 0, 1 + alone, 0).sum())


@final
class PhraseEdits:
    """A table of edits that grows: concepts x images x signs, NaN where not rendered yet.

    The edit away from a phrase is that towards its opposite, and is rendered once for both.

    Parameters
    ----------
    subject : Subject
        Images and renderer.
    concepts : sequence of Concept
        K phrases.
    opposite : ndarray of int, shape (K,)
        From `opposites_of`; -1 where there is none.

    Attributes
    ----------
    logits : ndarray, shape (K, n, 2, k)
        Of the edits at strengths +1 and -1.
    changes : ndarray, shape (K, n, 2, m)
        Of every measurement, edit minus null edit.
    sizes : ndarray, shape (K, n, 2)
        Of the changes.
    """

    def __init__(self, subject: Subject, concepts: Sequence[Concept], opposite: NDArray[np.int64]) -> None:
        count, images = len(concepts), len(subject.inversion)
        self.subject, self.concepts, self.opposite = subject, tuple(concepts), opposite
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
        part = PhraseEdits(subject, self.concepts, self.opposite)
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
        subject, other = self.subject, int(self.opposite[index])
        before = subject.null_measured.to_numpy()[rows]
        for side, sign in enumerate(SIGNS):
            x = subject.render(self.concepts[index], sign, rows, "edits")
            found = (
                subject.judge.logits(x),
                subject.measure(x, rows).to_numpy() - before,
                subject.size_of(x - subject.null[rows]).numpy(),
            )
            self._keep(index, rows, side, found)
            if other >= 0:
                self._keep(other, rows, 1 - side, found)

    def _keep(
        self, index: int, rows: NDArray[np.int64], side: int, found: tuple[FloatArray, FloatArray, FloatArray]
    ) -> None:
        where = index, rows, side
        self.logits[where], self.changes[where], self.sizes[where] = found
