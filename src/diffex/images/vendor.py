"""Files of microscope vendors, read by bioio where it is installed."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import MissingPartError
from diffex.images import refusals
from diffex.images.naming import shown
from diffex.images.stacks import StackHeader, usable_names
from diffex.images.units import pixel_size_um

VENDOR_SUFFIXES = frozenset({".czi", ".dv", ".lif", ".nd2"})
"""Each read by the bioio plugin of that name."""


def is_vendor(path: Path) -> bool:
    """Tell whether a file has the suffix of a vendor's format.

    Parameters
    ----------
    path : Path
        Any.

    Returns
    -------
    bool
        Its content is not looked at.

    Examples
    --------
    >>> is_vendor(Path("slide.CZI"))
    True
    """
    return path.suffix.lower() in VENDOR_SUFFIXES


def read_vendor_header(path: Path) -> StackHeader:
    """Read shape, dtype, channel names and pixel size.

    Parameters
    ----------
    path : Path
        A file of one scene, one plane of Z and one point in time; several channels, or RGB.

    Returns
    -------
    StackHeader
        Nothing is decoded.

    Raises
    ------
    MissingPartError
        If bioio or its plugin is not installed.
    InputError
        If the file holds more than one image of channels, or it is
        above 64 megapixels.
    """
    image = _opened(path)
    if len(image.scenes) > 1:
        raise refusals.not_one_plane(path, len(image.scenes), "scenes")
    for axis, words in refusals.PLANES.items():
        if getattr(image.dims, axis) > 1:
            raise refusals.not_one_plane(path, getattr(image.dims, axis), words)
    rgb = "S" in image.dims.order
    channels = image.dims.C * (image.dims.S if rgb else 1)
    size = (int(image.dims.Y), int(image.dims.X))
    refusals.refuse_bomb(path, size, channels)
    names = () if rgb else usable_names(image.channel_names or (), channels)
    sides = image.physical_pixel_sizes
    pixel_size = pixel_size_um((sides.Y, sides.X), "um") if sides.Y and sides.X else None
    return StackHeader(size, channels, np.dtype(image.dtype).name, rgb, names, pixel_size)


def read_vendor(path: Path) -> NDArray[Any]:
    """Decode a vendor's file.

    Parameters
    ----------
    path : Path
        A file whose header was accepted by `read_vendor_header`.

    Returns
    -------
    ndarray, shape (c, h, w)
        In the stored dtype.
    """
    image = _opened(path)
    order = "CSYX" if "S" in image.dims.order else "CYX"
    stored: NDArray[Any] = image.get_image_data(order, T=0, Z=0)
    return stored.reshape(-1, *stored.shape[-2:])


def _opened(path: Path) -> Any:
    try:
        from bioio import BioImage
        from bioio_base.exceptions import UnsupportedFileFormatError
    except ImportError as error:
        raise _not_installed(path) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the plugins leave out of a vendor's metadata
            return BioImage(path)
    except UnsupportedFileFormatError as error:
        raise _not_installed(path) from error


def _not_installed(path: Path) -> MissingPartError:
    suffix = path.suffix.lower()
    return MissingPartError(
        f"{shown(path)} is read by bioio and its plugin for {suffix} files, which are not installed: "
        f"pip install bioio bioio-{suffix[1:]}, or save the image as OME-TIFF."
    )
