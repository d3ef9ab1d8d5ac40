"""Where edits change images: the map of our explanation, and of any other that moves codes."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from diffex.base.errors import InputError
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.evaluation.peers.counted import Counted


@final
@dataclass(frozen=True, eq=False)
class EditMaps:
    """Absolute change from null edit to edit, summed over directions with the effect as weight.

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
    """

    name: str
    editor: LatentEditor
    directions: FloatArray
    weights: FloatArray

    def __post_init__(self) -> None:
        """Check the lengths."""
        if len(self.directions) != len(self.weights):
            raise InputError(
                f"weights got {len(self.weights)} values, expected {len(self.directions)}: one per direction."
            )

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, c, h, w)``, each channel in its standard deviations; see `Peer`."""
        del classifier, target
        inversion = self.editor.invert(x, tuple(f"map-{i}" for i in range(len(x))))
        plain, total = self.editor.null(inversion), torch.zeros_like(x)
        for direction, weight in zip(self.directions, np.abs(self.weights), strict=True):
            step = torch.from_numpy(direction).to(inversion.codes)
            total += float(weight) * (self.editor.render(inversion, inversion.codes + step) - plain).abs()
        return (total / torch.tensor(self.editor.generator.pixels.sd).view(-1, 1, 1)).cpu()

    @property
    def evaluations(self) -> int:
        """Evaluations of the generator per image, once the directions are known; encoding not counted."""
        return (1 + len(self.directions)) * self.editor.evaluations
