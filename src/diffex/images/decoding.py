"""One image file to numbers: PNG, JPEG, TIFF or OME-Zarr, any depth, any number of channels."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from diffex.base.errors import DiffexError, InputError
from diffex.images import refusals
from diffex.images.headers import Header, read_header
from diffex.images.ome_zarr import read_zarr
from diffex.images.tiff import read_stack
from diffex.images.vendor import read_vendor


@final
@dataclass(frozen=True, eq=False)
class DecodedImage:
    """The content of one file.

    Parameters
    ----------
    pixels : ndarray of float32, shape (c, h, w)
        The stored numbers, not rescaled.
    dtype : str
        Name of the stored dtype.
    value_range : (float, float)
        What the numbers can be; for float files, judged by this file alone.
    header : Header
        What the file says of itself.
    """

    pixels: NDArray[np.float32]
    dtype: str
    value_range: tuple[float, float]
    header: Header


def read_image(path: Path) -> DecodedImage:
    """Decode one image file.

    Parameters
    ----------
    path : Path
        PNG, JPEG, TIFF, a vendor's file, or the folder of an OME-Zarr image. Palettes become RGB; TIFF pages
        become channels.

    Returns
    -------
    DecodedImage
        All stored channels, alpha included.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, truncated, above 64 megapixels, or holds NaN or Inf.
    """
    stored, header = read_stored(path)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes Inf and is refused
        pixels = np.ascontiguousarray(stored, dtype=np.float32)
    if not np.isfinite(pixels).all():
        raise refusals.not_finite(path)
    bounds = (float(pixels.min()), float(pixels.max()))
    return DecodedImage(pixels, header.dtype, value_range_of(header.dtype, bounds), header)


def read_stored(path: Path) -> tuple[NDArray[Any], Header]:
    """Decode one image file as it is stored.

    Parameters
    ----------
    path : Path
        As for `read_image`.

    Returns
    -------
    (ndarray, Header)
        All stored channels ``(c, h, w)`` in the stored dtype (floats may hold NaN), and what the file says
        of itself.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, truncated or above 64 megapixels.
    """
    header = read_header(path)
    try:
        stored = _decode(path, header)
    except DiffexError:
        raise
    # Decoders raise errors of every kind on damaged bytes; the user needs one sentence.
    except Exception as error:
        if "truncated" in str(error):
            raise refusals.truncated(path) from error
        raise refusals.unreadable(path, f"{error}" or type(error).__name__) from error
    if stored.shape != (header.channels, *header.size):
        raise refusals.unreadable(path, "its pixels do not fit its header")
    return stored, header


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Decode one object mask.

    Parameters
    ----------
    path : Path
        An image file; any non-zero value in any channel but alpha is the object.

    Returns
    -------
    ndarray of bool, shape (h, w)
        True inside the object.

    Raises
    ------
    InputError
        As for `read_image`.
    """
    image = read_image(path)
    colours = image.pixels[:-1] if image.header.layout.endswith("alpha") else image.pixels
    return np.asarray((colours != 0).any(axis=0))


def value_range_of(dtype: str, bounds: tuple[float, float]) -> tuple[float, float]:
    """Say what numbers of a dtype can be.

    Parameters
    ----------
    dtype : str
        For example ``"uint8"``. Integers have the range of their dtype.
    bounds : (float, float)
        Smallest and largest value found; used for float dtypes only.

    Returns
    -------
    (float, float)
        For floats: (0, 1) or (-1, 1) if these hold all values, else the bounds rounded outward
        to a tenth of the leading power of ten of their difference.

    Raises
    ------
    InputError
        If the dtype is neither integer nor float.

    Examples
    --------
    >>> value_range_of("uint16", (3, 900))
    (0.0, 65535.0)
    >>> value_range_of("float32", (-3.17, 12.4))
    (-4.0, 13.0)
    """
    kind = np.dtype(dtype).kind
    if kind in "ui":
        limits = np.iinfo(dtype)
        return float(limits.min), float(limits.max)
    if kind != "f":
        raise InputError(f"Pixels have dtype {dtype}, expected integers or floats: convert them first.")
    low, high = bounds
    for lowest in (0.0, -1.0):
        if lowest <= low and high <= 1:
            return lowest, 1.0
    return _rounded_outward(low, high)


def _rounded_outward(low: float, high: float) -> tuple[float, float]:
    if high <= low:
        return math.floor(low), math.floor(low) + 1.0
    digits = 1 - math.floor(math.log10(high - low))
    scale = 10.0**digits
    return round(math.floor(low * scale) / scale, digits), round(math.ceil(high * scale) / scale, digits)


def _decode(path: Path, header: Header) -> NDArray[Any]:
    if header.format == "tiff":
        return read_stack(path)
    if header.format == "zarr":
        return read_zarr(path)
    if header.format == "vendor":
        return read_vendor(path)
    # The plugins are called directly: content decides, and no format that is not expected is tried.
    plugin = PngImageFile if header.format == "png" else JpegImageFile
    with plugin(path) as image:
        image.load()
        array = np.asarray(_plain_mode(image))
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def _plain_mode(image: Image.Image) -> Image.Image:
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "CMYK"):
        image.info.pop("transparency", None)
        return image.convert("RGB")
    return image
