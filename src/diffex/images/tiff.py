"""TIFF files as stacks of channels; read for decoding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffex.images import refusals


@final
@dataclass(frozen=True)
class StackHeader:
    """Shape and dtype of a TIFF file.

    Parameters
    ----------
    size : (int, int)
        Height and width in pixels.
    channels : int
        Samples per pixel, planes or pages.
    dtype : str
        Stored dtype; ``bool`` counts as ``uint8`` (0 and 255).
    rgb : bool
        Whether the file says that its channels are red, green, blue (and alpha).
    """

    size: tuple[int, int]
    channels: int
    dtype: str
    rgb: bool


def read_stack_header(path: Path) -> StackHeader:
    """Read shape and dtype.

    Parameters
    ----------
    path : Path
        A TIFF file; several pages are channels.

    Returns
    -------
    StackHeader
        Nothing is decoded.

    Raises
    ------
    InputError
        If the shape is not that of one image, the file is cut short, or it is above 64 megapixels.
    """
    with tifffile.TiffFile(path) as file:
        shape, dtype = _shape(path, file), file.series[0].dtype
        channels, height, width = (shape[-1], *shape[:2]) if _channels_last(shape) else shape
        refusals.refuse_bomb(path, (height, width), channels)
        if dtype.kind not in "uifb":
            raise refusals.unreadable(path, f"pixels of type {dtype} are not numbers it knows")
        _refuse_cut_tiff(path, file)
        rgb = file.pages.first.photometric == tifffile.PHOTOMETRIC.RGB
    return StackHeader((height, width), channels, "uint8" if dtype.kind == "b" else dtype.name, rgb)


def read_stack(path: Path) -> NDArray[Any]:
    """Decode a TIFF file.

    Parameters
    ----------
    path : Path
        A file whose header was accepted by `read_stack_header`.

    Returns
    -------
    ndarray, shape (c, h, w)
        In the stored dtype.
    """
    with tifffile.TiffFile(path) as file:
        shape = _shape(path, file)
        array = np.stack([series.asarray() for series in file.series]).reshape(shape)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(255)
    return np.moveaxis(array, -1, 0) if _channels_last(shape) else array


def _shape(path: Path, file: tifffile.TiffFile) -> tuple[int, int, int]:
    shapes = {(tuple(series.shape), series.dtype) for series in file.series}
    if len(shapes) != 1:
        raise refusals.unreadable(path, "its pages differ in size or type")
    shape = tuple(int(n) for n in (len(file.series), *file.series[0].shape) if n != 1)
    if len(shape) not in (2, 3):
        raise refusals.unreadable(path, f"its shape {file.series[0].shape} is not that of one image")
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def _channels_last(shape: tuple[int, int, int]) -> bool:
    return shape[2] < shape[0]


def _refuse_cut_tiff(path: Path, file: tifffile.TiffFile) -> None:
    for page in file.pages:
        ends = (a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > file.filehandle.size:
            raise refusals.truncated(path)
    # The last page must point to no further one; tifffile only logs a page that lies beyond the end.
    file.filehandle.seek(file.pages.next_page_offset or 0)
    if any(file.filehandle.read(file.tiff.offsetsize)):
        raise refusals.truncated(path)
