"""A sheet of example cells, a row per class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_GAP = 2
_BACKGROUND = 255
_STRETCH = (0.5, 99.5)


def contact_sheet(
    pixels: Tensor, labels: NDArray[np.int64] | None, columns: int = 10, rows: int = 8
) -> NDArray[np.uint8]:
    """Lay out some images, each class in a row of its own.

    Parameters
    ----------
    pixels : Tensor
        ``(n, c, h, w)``; one channel is grey, two are red and green, of more the first three are shown.
    labels : ndarray of int, shape (n,), optional
        Class of each image; without, the images fill the rows in their order.
    columns, rows : int
        At most so many.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Each channel stretched between its 0.5 % and 99.5 % quantiles over all images.
    """
    pictures = _as_rgb(pixels.numpy())
    chosen = _rows(len(pictures), labels, columns)[:rows]
    height, width = pictures.shape[1] + _GAP, pictures.shape[2] + _GAP
    sheet = np.full((len(chosen) * height + _GAP, columns * width + _GAP, 3), _BACKGROUND, dtype=np.uint8)
    for i, row in enumerate(chosen):
        for j, index in enumerate(row):
            top, left = i * height + _GAP, j * width + _GAP
            sheet[top : top + height - _GAP, left : left + width - _GAP] = pictures[index]
    return sheet


def _rows(count: int, labels: NDArray[np.int64] | None, columns: int) -> list[NDArray[np.int64]]:
    if labels is None:
        return [np.arange(start, min(start + columns, count)) for start in range(0, count, columns)]
    return [np.flatnonzero(labels == label)[:columns] for label in np.unique(labels)]


def _as_rgb(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    shown = pixels[:, :3]
    planes: Sequence[NDArray[np.uint8]] = [_stretched(shown[:, k]) for k in range(shown.shape[1])]
    if len(planes) == 1:
        planes = [planes[0]] * 3
    elif len(planes) == 2:
        planes = [*planes, np.zeros_like(planes[0])]
    return np.stack(planes, axis=-1)


def _stretched(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = np.percentile(plane, _STRETCH)
    scaled = np.clip((plane - low) / max(float(high - low), 1e-12), 0, 1)
    return np.asarray(np.rint(scaled * 255), dtype=np.uint8)
