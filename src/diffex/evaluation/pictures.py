"""Plain picture strips of a benchmark, as PNG."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffex.base.files import atomic_path
from diffex.runs import Explanation

_GAP = 2
_SCALE = 2


def save_grid(pictures: NDArray[np.float32], path: Path) -> None:
    """Save a grid of pictures, channels one below the other.

    Parameters
    ----------
    pictures : ndarray, shape (rows, columns, c, h, w)
        Grey values; three channels are shown as red, green, blue where `c` is 3.
    path : Path
        The PNG; written whole or not at all.
    """
    shown = np.clip((pictures - _low(pictures)) / (_high(pictures) - _low(pictures)), 0, 1)
    lines = [_line(row) for row in shown]
    gap = np.ones((_GAP, *lines[0].shape[1:]))
    sheet = np.concatenate([part for line in lines for part in (line, gap)][:-1])
    image = Image.fromarray((255 * sheet).astype(np.uint8))
    size = (image.width * _SCALE, image.height * _SCALE)
    with atomic_path(path) as temporary:
        image.resize(size, Image.Resampling.NEAREST).save(temporary, format="PNG")


def _low(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.quantile(pictures, 0.005, axis=(0, 1, 3, 4), keepdims=True).astype(np.float32)


def _high(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    high = np.quantile(pictures, 0.998, axis=(0, 1, 3, 4), keepdims=True)
    return np.asarray(np.maximum(high, _low(pictures) + 1e-6), dtype=np.float32)


def _line(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """One line of the grid, ``(height, width, 3)``."""
    if row.shape[1] == 3:
        tiles = [np.moveaxis(picture, 0, -1) for picture in row]
    else:
        tiles = [np.repeat(np.concatenate(list(picture))[..., None], 3, axis=2) for picture in row]
    gap = np.ones((tiles[0].shape[0], _GAP, 3), dtype=np.float32)
    return np.asarray(np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1))


def save_strip(explanation: Explanation, path: Path) -> None:
    """Save a strip of the top attribute: a line per cell, then original, null edit, edits.

    Parameters
    ----------
    explanation : Explanation
        With at least one verified attribute; nothing is written otherwise.
    path : Path
        The PNG.
    """
    examples = explanation.examples
    if not len(examples["concepts"]):
        return
    columns = [examples["original"], examples["null"], *examples["edits"][0]]
    save_grid(np.stack(columns, axis=1), path)
