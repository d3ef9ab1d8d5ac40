"""TIFF files as stacks of channels; read for decoding."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.images import refusals
from diffex.images.naming import shown
from diffex.images.stacks import StackHeader
from diffex.images.tiff_metadata import ome_files, read_tiff_metadata

_TEXTS = (270, 50839)  # the description, and ImageJ's metadata; a byte per character


def read_stack_header(path: Path) -> StackHeader:
    """Read shape, dtype, channel names and pixel size.

    Parameters
    ----------
    path : Path
        A TIFF file, OME and ImageJ included; several pages, or ImageJ's slices, are channels.

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
        _refuse_cut_tiff(path, file)  # before its OME-XML is believed, which names planes that were cut off
        shape, dtype = _shape(path, file), file.series[0].dtype
        channels, height, width = (shape[-1], *shape[:2]) if _channels_last(file, shape) else shape
        refusals.refuse_bomb(path, (height, width), channels)
        if dtype.kind not in "uifb":
            raise refusals.unreadable(path, f"pixels of type {dtype} are not numbers it knows")
        rgb = file.pages.first.photometric == tifffile.PHOTOMETRIC.RGB
        about = read_tiff_metadata(file, channels)
    name = "uint8" if dtype.kind == "b" else dtype.name
    return StackHeader(
        (height, width), channels, name, rgb, about.names, about.pixel_size_um, about.acquisition
    )


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
        last = _channels_last(file, shape)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(255)
    return np.moveaxis(array, -1, 0) if last else array


def _shape(path: Path, file: tifffile.TiffFile) -> tuple[int, int, int]:
    shapes = {(tuple(series.shape), series.dtype) for series in file.series}
    if len(shapes) != 1:
        raise refusals.unreadable(path, "its pages differ in size or type")
    if file.is_ome:
        _refuse_part(path, ome_files(file.ome_metadata or ""))
        _refuse_volumes(path, file)
    films = int((file.imagej_metadata or {}).get("frames", 1))
    if films > 1:
        raise refusals.not_one_plane(path, films, refusals.PLANES["T"])
    shape = tuple(int(n) for n in (len(file.series), *file.series[0].shape) if n != 1)
    if len(shape) not in (2, 3):
        raise refusals.unreadable(path, f"its shape {file.series[0].shape} is not that of one image")
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def _refuse_volumes(path: Path, file: tifffile.TiffFile) -> None:
    if len(file.series) > 1:
        raise refusals.not_one_plane(path, len(file.series), "images")
    for axis, count in zip(file.series[0].axes, file.series[0].shape, strict=True):
        if axis in refusals.PLANES and count > 1:
            raise refusals.not_one_plane(path, count, refusals.PLANES[axis])
    # tifffile reads zeros in their place
    if any(page is None for page in file.series[0]):
        raise refusals.unreadable(path, "planes that its OME-XML names are missing, maybe files of its set")


def _refuse_part(path: Path, files: Sequence[str]) -> None:
    # each file of a set says that it holds the whole: read once for each, every cell would count as several
    if path.name in files[1:]:
        raise InputError(
            f"{shown(path)} is a part of the OME-TIFF image that begins in {shown(files[0])}, expected each "
            "image once: give that file alone, it stands for the whole set."
        )


def _channels_last(file: tifffile.TiffFile, shape: tuple[int, int, int]) -> bool:
    axes = file.series[0].axes if len(file.series) == 1 else ""
    if axes.endswith("S") or "C" in axes:
        return axes.endswith("S")
    return shape[2] < shape[0]


def _refuse_cut_tiff(path: Path, file: tifffile.TiffFile) -> None:
    for page in file.pages:
        ends = (a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > file.filehandle.size:
            raise refusals.truncated(path)
    _refuse_cut_texts(path, file)
    # The last page must point to no further one; tifffile only logs a page that lies beyond the end.
    file.filehandle.seek(file.pages.next_page_offset or 0)
    if any(file.filehandle.read(file.tiff.offsetsize)):
        raise refusals.truncated(path)


def _refuse_cut_texts(path: Path, file: tifffile.TiffFile) -> None:
    # OME-XML mostly lies behind the pixels; where it is cut off, tifffile leaves the tag out.
    tiff, handle = file.tiff, file.filehandle
    handle.seek(file.pages.first.offset)
    (count,) = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))
    for _ in range(count):
        entry = handle.read(tiff.tagsize)
        code, _kind = struct.unpack_from(tiff.tagformat1, entry)
        length, value = struct.unpack_from(tiff.tagformat2, entry, struct.calcsize(tiff.tagformat1))
        if code in _TEXTS and length > tiff.tagoffsetthreshold:
            (start,) = struct.unpack(tiff.offsetformat, value)
            if start + length > handle.size:
                raise refusals.truncated(path)
