"""Edited images back to files, in the dtype they came in."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.files import atomic_path
from diffex.images.folders import SUFFIXES
from diffex.images.naming import shown
from diffex.images.ome_writing import OME_DTYPES, write_ome_tiff

_TIFF_SUFFIXES = (".tif", ".tiff")


def write_image(
    path: Path,
    pixels: Tensor,
    dtype: str,
    value_range: tuple[float, float],
    channel_names: Sequence[str] = (),
    pixel_size_um: float | None = None,
) -> Path:
    """Write one image at full depth, atomically.

    Parameters
    ----------
    path : Path
        Where to; an image suffix is exchanged for the format's own.
    pixels : Tensor, shape (c, h, w)
        In `value_range`; clipped to it.
    dtype : str
        The dtype to store, that of the original files; integers are rounded.
    value_range : (float, float)
        Of the images.
    channel_names : sequence of str, optional
        What TIFF files then keep, as OME-TIFF, which also keeps 8-bit files of the suffix TIFF.
    pixel_size_um : float, optional
        Likewise, micrometres per pixel.

    Returns
    -------
    Path
        The file written: PNG for uint8 with 1, 2 (blue is zero) or 3 channels, else TIFF.

    Raises
    ------
    InputError
        If the pixels are not ``(c, h, w)`` or not finite.
    FolderError
        If the disk refuses.
    """
    array = pixels.detach().cpu().double().numpy()
    if array.ndim != 3 or not np.isfinite(array).all():
        raise InputError(
            f"{shown(path)} was to hold pixels of shape {array.shape}, expected finite ones of shape "
            "(channels, height, width): nothing was written."
        )
    stored = _stored(array, dtype, value_range)
    named = bool(channel_names) and path.suffix.lower() in _TIFF_SUFFIXES
    as_png = dtype == "uint8" and len(stored) <= 3 and not named
    target = _with_suffix(path, (".png",) if as_png else _TIFF_SUFFIXES)
    with atomic_path(target) as temporary:
        if as_png:
            Image.fromarray(_png_array(stored)).save(temporary, format="PNG")
        elif channel_names and dtype in OME_DTYPES:
            write_ome_tiff(temporary, stored, channel_names, pixel_size_um)
        else:
            tifffile.imwrite(temporary, stored, photometric="minisblack", metadata={"axes": "CYX"})
    return target


def place(folder: Path, image_id: str) -> Path:
    """Give the place of an image in an output folder, under its own name, never outside the folder.

    Parameters
    ----------
    folder : Path
        The output folder.
    image_id : str
        An id of `Images`: a path, maybe absolute or with ``..``.

    Returns
    -------
    Path
        Inside `folder`.

    Examples
    --------
    >>> place(Path("out"), "../drug/cell.png").as_posix()
    'out/drug/cell.png'
    """
    parts = [part for part in PurePosixPath(image_id).parts if part not in ("/", "//", "..")]
    return folder.joinpath(*parts)


def _stored(array: NDArray[np.float64], dtype: str, value_range: tuple[float, float]) -> NDArray[Any]:
    clipped = np.clip(array, *value_range)
    rounded = clipped if np.dtype(dtype).kind == "f" else np.rint(clipped)
    return np.asarray(rounded.astype(dtype))


def _png_array(stored: NDArray[Any]) -> NDArray[Any]:
    if len(stored) == 1:
        return np.asarray(stored[0])
    if len(stored) == 2:
        stored = np.concatenate([stored, np.zeros_like(stored[:1])])
    return np.ascontiguousarray(np.moveaxis(stored, 0, -1))


def _with_suffix(path: Path, suffixes: tuple[str, ...]) -> Path:
    if path.suffix.lower() in suffixes:
        return path
    if path.suffix.lower() in SUFFIXES:
        return path.with_suffix(suffixes[0])
    return path.with_name(path.name + suffixes[0])
