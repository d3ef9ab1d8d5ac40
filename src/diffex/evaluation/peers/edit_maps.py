"""Where edits change images, or what of the change the classifier answers to."""

from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
import torch
from torch import Tensor

from diffex.base.errors import InputError
from diffex.editors import LatentEditor
from diffex.effects.answering import integrated_gradients
from diffex.effects.arrays import FloatArray
from diffex.evaluation.peers.counted import Counted


@final
@dataclass(frozen=True, eq=False)
class EditMaps:
    """Absolute change from null edit to edit, summed over directions with the effect as weight.

    With `path` the change is what each pixel of it adds to the change of the margin: integrated gradients
    with the null edit as baseline. What an edit changes that the classifier does not look at, goes.

    Parameters
    ----------
    name : str
        For tables.
    editor : LatentEditor
        Renders null edit and edit with the same noise.
    directions : ndarray, shape (k, d)
        Calibrated and signed.
    weights : ndarray, shape (k,)
        Effect of each; its absolute value counts. No direction at all gives a map of zeros.
    path : int, default 0
        Gradients along the straight line from null edit to edit; 0 maps the change itself, in the standard
        deviations of each channel.

    References
    ----------
    Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks".
    """

    name: str
    editor: LatentEditor
    directions: FloatArray
    weights: FloatArray
    path: int = 0

    def __post_init__(self) -> None:
        """Check the lengths."""
        if len(self.directions) != len(self.weights):
            raise InputError(
                f"weights got {len(self.weights)} values, expected {len(self.directions)}: one per direction."
            )

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, c, h, w)``; see `Peer`."""
        inversion = self.editor.invert(x, tuple(f"map-{i}" for i in range(len(x))))
        plain, total = self.editor.null(inversion), torch.zeros_like(x)
        sd = torch.tensor(self.editor.generator.pixels.sd).view(-1, 1, 1)
        for direction, weight in zip(self.directions, np.abs(self.weights), strict=True):
            step = torch.from_numpy(direction).to(inversion.codes)
            edit = self.editor.render(inversion, inversion.codes + step)
            if self.path:
                change = integrated_gradients(
                    partial(classifier.margins, target=target), plain, edit, self.path
                )
            else:
                change = (edit - plain) / sd
            total += float(weight) * change.abs()
        return total.cpu()

    @property
    def evaluations(self) -> int:
        """Evaluations of the generator per image, once the directions are known; encoding not counted."""
        return (1 + len(self.directions)) * self.editor.evaluations
