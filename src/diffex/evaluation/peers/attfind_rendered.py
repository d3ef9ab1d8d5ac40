"""The published ranking with all that it renders: every pass inverts and renders anew, as released."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from diffex.classifiers import Classifier
from diffex.concepts import Concept
from diffex.editors import Inversion, LatentEditor
from diffex.effects.arrays import SIGNS, BoolArray, FloatArray, IntArray
from diffex.effects.search import Found
from diffex.evaluation.peers.attfind import DECAY, THRESHOLD
from diffex.generators import DiffusionAutoencoder, logits_of

_SHOWN = 5  # images in the figure that the released code saves of each direction


@final
@dataclass(frozen=True)
class Steps:
    """Network evaluations per image, as published.

    Parameters
    ----------
    invert : int, default 50
        Of the inversion.
    render : int, default 20
        Of each edit.
    """

    invert: int = 50
    render: int = 20

    def evaluations(self, images: int, edits: int) -> int:
        """Count inverting images once and rendering some edits of each."""
        return images * (self.invert + edits * self.render)


class Shifts(Protocol):
    """Gives changes of the target's probability from the original image to edits."""

    def __call__(self, images: IntArray, wanted: BoolArray) -> FloatArray:
        """Give ``(n, K, 2)`` of some images; NaN for what is not in the mask ``(K, 2)``."""
        ...


@final
@dataclass(frozen=True)
class Published:
    """What the published procedure found, and its bill.

    Parameters
    ----------
    found : tuple of Found
        In the order accepted.
    nfe : int
        Network evaluations.
    passes : int
        Times that all remaining images were inverted and rendered along all unused directions.
    """

    found: tuple[Found, ...]
    nfe: int
    passes: int


def published_attfind(
    shifts: Shifts, images: int, concepts: int, most: int, steps: Steps, *, removing: bool = True
) -> Published:
    """Run the published procedure: AttFind with its passes, its figures and its removals.

    Mended, so that it returns: the class index of the removal, and its end where no mean is positive or
    nothing is left. Everything else is as released: each pass renders all remaining images along all unused
    directions, and what is chosen is rendered again for a figure and for the removal.

    Parameters
    ----------
    shifts : callable
        Renders, or looks up in a matrix: the bill is the same.
    images : int
        n.
    concepts : int
        K.
    most : int
        M directions wanted.
    steps : Steps
        Of inversion and rendering.
    removing : bool, default True
        False for the largest bill: no image is ever explained.

    Returns
    -------
    Published
        Directions and network evaluations.

    References
    ----------
    Bourou et al. 2025, DiffEx; after Lang et al. 2021, StylEx.
    """
    left, unused, threshold = np.arange(images), np.ones(concepts, dtype=bool), THRESHOLD
    found: list[Found] = []
    nfe, passes = 0, 0
    while len(found) < most and len(left) and unused.any():
        every = np.repeat(unused[:, None], len(SIGNS), axis=1)
        means = np.where(every, shifts(left, every).mean(axis=0), -np.inf)
        nfe, passes = nfe + steps.evaluations(len(left), int(every.sum())), passes + 1
        concept, side = divmod(int(means.argmax()), len(SIGNS))
        best = float(means[concept, side])
        if best <= 0:
            break
        if best > threshold:
            one = np.zeros_like(every)
            one[concept, side] = True
            shifts(left[:_SHOWN], one)  # the figure
            gone = shifts(left, one)[:, concept, side] >= best
            nfe += steps.evaluations(len(left[:_SHOWN]), 1) + steps.evaluations(len(left), 1)
            found.append(Found(concept, SIGNS[side], best, threshold, tuple(left[gone].tolist())))
            left, unused[concept] = left[~gone] if removing else left, False
        threshold = min(threshold - DECAY, best)
    return Published(tuple(found), nfe, passes)


def looked_up(matrix: FloatArray) -> Shifts:
    """Answer from a cached matrix.

    Parameters
    ----------
    matrix : ndarray, shape (n, K, 2)
        Changes of the probability.

    Returns
    -------
    callable
        For `published_attfind`.
    """

    def shifts(images: IntArray, wanted: BoolArray) -> FloatArray:
        return np.where(wanted, matrix[images], np.nan)

    return shifts


@final
@dataclass(frozen=True, eq=False)
class Rendering:
    """Render edits as published: inverted noise, many steps, compared with the original image.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Ours: peers are compared on one network.
    classifier : Classifier
        The thing explained, given images in their own value range.
    value_range : (float, float)
        Of the images.
    x : Tensor
        Originals, ``(n, c, h, w)``.
    concepts : sequence of Concept
        Directions at the strength they are applied with.
    steps : Steps
        Of inversion and rendering.
    batch : int
        Images rendered together.
    """

    generator: DiffusionAutoencoder
    classifier: Classifier
    value_range: tuple[float, float]
    x: Tensor
    concepts: list[Concept]
    steps: Steps
    batch: int = 64

    def logits(self, images: IntArray, wanted: BoolArray) -> FloatArray:
        """Invert some images and render edits of them.

        Parameters
        ----------
        images : ndarray of int, shape (m,)
            Positions.
        wanted : ndarray of bool, shape (K, 2)
            Edits to render.

        Returns
        -------
        ndarray, shape (m, K, 2, k)
            Of the classifier; NaN for edits not wanted.
        """
        classes = len(self.classifier.card.class_names)
        found = np.full((len(images), len(self.concepts), len(SIGNS), classes), np.nan)
        editor = LatentEditor(self.generator, depth=self.steps.render)
        for start in range(0, len(images), self.batch):
            rows = slice(start, start + self.batch)
            x = self.x[images[rows]]
            codes = self.generator.encode(x)
            noise = self.generator.invert(x, codes, self.steps.invert)
            inversion = Inversion(tuple(str(i) for i in images[rows]), codes, noise)
            for concept, side in np.argwhere(wanted):
                edit = editor.edit(inversion, self.concepts[concept], SIGNS[side])
                found[rows, concept, side] = logits_of(self.classifier, edit, self.value_range)
        return found

    def shifts(self, score: Callable[[NDArray[np.float64]], FloatArray]) -> Shifts:
        """Bind to a score of logits, for `published_attfind`.

        Parameters
        ----------
        score : callable
            From logits ``(..., k)`` to ``(...)``.

        Returns
        -------
        callable
            Score of the edit minus score of the original.
        """
        plain = score(logits_of(self.classifier, self.x, self.value_range))

        def shifts(images: IntArray, wanted: BoolArray) -> FloatArray:
            return score(self.logits(images, wanted)) - plain[images][:, None, None]

        return shifts
