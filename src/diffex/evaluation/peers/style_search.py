"""Every style coordinate of a StylEx moved to both ends of its range, and what networks say of it."""

from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from diffex.base.files import load_tensors, save_tensors
from diffex.base.progress import progress
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.matrix import Judge
from diffex.evaluation.peers.stylex_training import TrainedStylex
from diffex.images import Images

_READ = 64
_TOGETHER = 16  # coordinates kept at once


@final
class StyleEdits:
    """Edits of some images: one style coordinate each, set to its largest and its smallest value.

    These are the largest steps that the data themselves take, as published.

    Parameters
    ----------
    trained : TrainedStylex
        Encodes and renders.
    images : Images
        n to be edited.
    high, low : Tensor, shape (K,)
        Ends of each coordinate's range over the fitting images.
    """

    def __init__(self, trained: TrainedStylex, images: Images, high: Tensor, low: Tensor) -> None:
        self._model, self._ends = trained.model, (high, low)
        self._w = trained.encode(images.read(), images.value_range)
        with torch.no_grad():
            self._styles = trained.model.styles(self._w)

    @torch.no_grad()
    def null(self) -> Tensor:
        """Render without an edit, ``(n, c, h, w)`` grey values."""
        return self._model.render(self._w, self._styles)

    @torch.no_grad()
    def edit(self, coordinate: int, side: int) -> Tensor:
        """Render with one coordinate at an end, ``(n, c, h, w)``: side 0 is the largest value.

        Parameters
        ----------
        coordinate : int
            0 to K - 1.
        side : {0, 1}
            Which end.

        Returns
        -------
        Tensor
            Grey values.
        """
        moved = self._styles.clone()
        moved[:, coordinate] = self._ends[side][coordinate]
        return self._model.render(self._w, moved)


@torch.no_grad()
def style_range(trained: TrainedStylex, images: Images) -> tuple[Tensor, Tensor]:
    """Find the ends of every style coordinate over images.

    Parameters
    ----------
    trained : TrainedStylex
        Encodes.
    images : Images
        Some of the fitting images.

    Returns
    -------
    (Tensor, Tensor)
        Largest and smallest values, ``(K,)`` each.
    """
    seen = [
        trained.model.styles(trained.encode(x, images.value_range)).cpu() for _, x in images.batches(_READ)
    ]
    styles = torch.cat(seen)
    return styles.amax(0), styles.amin(0)


def style_matrix(edits: StyleEdits, coordinates: IntArray, judge: Judge, folder: Path) -> FloatArray:
    """Render and judge every edit; kept part by part, so that a run that was cut goes on.

    Parameters
    ----------
    edits : StyleEdits
        Of n images.
    coordinates : ndarray of int, shape (m,)
        Which.
    judge : Judge
        Networks side by side, k outputs.
    folder : Path
        Of the stage.

    Returns
    -------
    ndarray, shape (n, m, 2, k)
        Outputs; side 0 is the largest value of a coordinate.
    """
    parts = []
    starts = range(0, len(coordinates), _TOGETHER)
    for start in progress(starts, "style coordinates", len(starts)):
        path = folder / f"styles-{start}.safetensors"
        if not path.exists():
            some = coordinates[start : start + _TOGETHER]
            said = [[judge.logits(edits.edit(int(k), side)) for side in range(2)] for k in some]
            outputs = np.asarray(said).transpose(2, 0, 1, 3)  # (n, coordinates, 2, k)
            save_tensors(path, {"outputs": torch.from_numpy(np.ascontiguousarray(outputs, dtype=np.float32))})
        parts.append(load_tensors(path)["outputs"].double().numpy())
    return np.concatenate(parts, axis=1)
