"""Crops of cells from one field."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.measure import label as connected
from skimage.measure import regionprops_table

from diffex.base.errors import InputError

Border = Literal["skip", "pad"]

_PIECES = 3


@final
@dataclass(frozen=True, eq=False)
class Crops:
    """The cells of a field.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, size, size)
        In the dtype of the field.
    masks : ndarray of bool, shape (n, size, size), optional
        Each cell's own pixels; None where the field has no label image.
    table : DataFrame
        The rows of the cells that were cut, and ``at_border``: whether the window leaves the field or the
        cell touches its edge.
    """

    pixels: NDArray[Any]
    masks: NDArray[np.bool_] | None
    table: pd.DataFrame


def locate_cells(labels: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Find the cells of a label image.

    Parameters
    ----------
    labels : ndarray of int, shape (h, w)
        0 is background, every other number one cell, as Cellpose and StarDist write them.

    Returns
    -------
    DataFrame
        A row per cell, by number: ``cell``, its centroid ``y, x`` in pixels (0 is the middle of the first
        pixel), and ``touches``: whether it touches the edge of the field.

    Raises
    ------
    InputError
        If a number is negative, or one number holds many pieces: a mask, not a label image.

    Examples
    --------
    >>> labels = np.zeros((9, 9), dtype=int)
    >>> labels[2:5, 3:6] = 7
    >>> locate_cells(labels).to_dict("records")
    [{'cell': 7, 'y': 3.0, 'x': 4.0, 'touches': False}]
    """
    if labels.size and labels.min() < 0:
        raise InputError(
            f"A label image holds {labels.min()}, expected 0 for background and a number above 0 per cell: "
            "save it again."
        )
    _refuse_mask(labels)
    # without gaps: regionprops keeps a place for every number up to the largest
    numbers = np.union1d(labels, [0]).astype(np.int64)
    found: dict[str, Any] = regionprops_table(  # type: ignore[no-untyped-call]
        np.searchsorted(numbers, labels), properties=("label", "centroid", "bbox")
    )
    height, width = labels.shape
    low = np.minimum(found["bbox-0"], found["bbox-1"]) == 0
    high = (found["bbox-2"] == height) | (found["bbox-3"] == width)
    cells = numbers[found["label"]]
    return pd.DataFrame(
        {"cell": cells, "y": found["centroid-0"], "x": found["centroid-1"], "touches": low | high}
    )


def crop_field(
    field: NDArray[Any],
    cells: pd.DataFrame,
    size: int = 64,
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    border: Border = "skip",
) -> Crops:
    """Cut a square crop around each cell.

    The window of a cell at `y`, `x` begins at row ``floor(y + 1/2) - size // 2``, and likewise for columns.

    Parameters
    ----------
    field : ndarray, shape (c, h, w)
        Any dtype, kept as it is.
    cells : DataFrame
        ``y`` and ``x`` in pixels, and anything else; of `locate_cells`, or of a table of centroids. With
        `labels`, also ``cell``, its number there.
    size : int, default 64
        Side of the crops in pixels; about twice the diameter of a cell shows its surroundings.
    labels : ndarray of int, shape (h, w), optional
        Label image of the same field, for masks.
    border : {"skip", "pad"}, default "skip"
        Leave out cells whose window leaves the field or that touch its edge, or fill the window with each
        channel's median over the field.

    Returns
    -------
    Crops
        In the order of `cells`.

    Raises
    ------
    InputError
        If the label image has another shape, or a cell lies outside of the field.

    Examples
    --------
    >>> cells = pd.DataFrame({"y": [4.0, 30.2], "x": [16.0, 31.0]})
    >>> crops = crop_field(np.ones((2, 60, 64), dtype=np.uint16), cells, 28)
    >>> crops.pixels.shape, crops.table["y"].tolist()
    ((1, 2, 28, 28), [30.2])
    """
    shape = (field.shape[1], field.shape[2])
    if labels is not None and labels.shape != shape:
        raise InputError(
            f"A label image is {labels.shape[1]}x{labels.shape[0]} px, its field {shape[1]}x{shape[0]} px, "
            "expected one size: give the label image of this field."
        )
    places = cells[["y", "x"]].to_numpy(dtype=float)
    _refuse_outside(places, shape)
    starts = np.floor(places + 0.5).astype(int) - size // 2
    leaves = np.asarray(((starts < 0) | (starts + size > shape)).any(axis=1))
    at_border = leaves | cells.get("touches", pd.Series(False, index=cells.index)).to_numpy(dtype=bool)
    kept = np.flatnonzero(~at_border) if border == "skip" else np.arange(len(cells))
    table = cells.drop(columns="touches", errors="ignore").assign(at_border=at_border).iloc[kept]
    pixels = _windows(field, starts[kept], size, _medians(field) if leaves[kept].any() else None)
    masks = None
    if labels is not None:
        fill = np.zeros(1, dtype=labels.dtype) if leaves[kept].any() else None
        numbers = table["cell"].to_numpy()[:, None, None]
        masks = _windows(labels[None], starts[kept], size, fill)[:, 0] == numbers
    return Crops(pixels, masks, table.reset_index(drop=True))


def _windows(
    field: NDArray[Any], starts: NDArray[np.int64], size: int, fill: NDArray[Any] | None
) -> NDArray[Any]:
    if fill is not None:
        padded = np.empty((len(field), *(n + 2 * size for n in field.shape[1:])), dtype=field.dtype)
        padded[...] = fill[:, None, None]
        padded[:, size:-size, size:-size] = field
        field, starts = padded, starts + size
    crops = np.empty((len(starts), len(field), size, size), dtype=field.dtype)
    for crop, (top, left) in zip(crops, starts, strict=True):
        crop[...] = field[:, top : top + size, left : left + size]
    return crops


def _medians(field: NDArray[Any]) -> NDArray[Any]:
    # The lower of two middle values, so that integers stay integers.
    return np.asarray(np.quantile(field, 0.5, axis=(1, 2), method="lower"), dtype=field.dtype)


def _refuse_outside(places: NDArray[np.float64], shape: tuple[int, int]) -> None:
    inside = ((places >= -0.5) & (places < np.array(shape) - 0.5)).all(axis=1)
    if not inside.all():
        y, x = places[np.flatnonzero(~inside)[0]]
        raise InputError(
            f"A cell lies at y {y:g}, x {x:g} ({(~inside).sum()} of {len(places)} lie so), expected pixels "
            f"within a field of {shape[1]}x{shape[0]} px: give y and x in pixels of the field they belong to."
        )


def _refuse_mask(labels: NDArray[np.integer[Any]]) -> None:
    numbers = np.unique(labels[labels > 0])
    if len(numbers) != 1:
        return
    pieces = int(connected(labels > 0).max())  # type: ignore[no-untyped-call]
    if pieces >= _PIECES:
        raise InputError(
            f"A label image holds one number ({numbers[0]}) in {pieces} pieces, which is a mask, expected a "
            "number per cell: number the pieces first (skimage.measure.label)."
        )
