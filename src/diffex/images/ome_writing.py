"""Images to OME-TIFF and OME-Zarr, with channel names and pixel size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffex.base.errors import MissingPartError

OME_DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
"""Of those that images have, the ones OME-TIFF knows."""


def write_ome_tiff(
    path: Path, pixels: NDArray[Any], channel_names: Sequence[str], pixel_size_um: float | None = None
) -> None:
    """Write one image as OME-TIFF.

    Parameters
    ----------
    path : Path
        The file; not atomic, the caller stages it.
    pixels : ndarray, shape (c, h, w)
        Of a dtype that OME knows, kept as it is.
    channel_names : sequence of str
        One per channel.
    pixel_size_um : float, optional
        Micrometres per pixel.
    """
    about: dict[str, Any] = {"axes": "CYX", "Channel": {"Name": list(channel_names)}}
    if pixel_size_um is not None:
        for axis in "XY":
            about |= {f"PhysicalSize{axis}": pixel_size_um, f"PhysicalSize{axis}Unit": "µm"}
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata=about)


def write_ome_zarr(
    path: Path, pixels: NDArray[Any], channel_names: Sequence[str], pixel_size_um: float | None = None
) -> None:
    """Write one image as OME-Zarr 0.5, one level, a chunk per channel.

    Parameters
    ----------
    path : Path
        The folder; not atomic, the caller stages it.
    pixels : ndarray, shape (c, h, w)
        Of any dtype.
    channel_names : sequence of str
        One per channel.
    pixel_size_um : float, optional
        Micrometres per pixel.

    Raises
    ------
    MissingPartError
        If zarr is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise MissingPartError("OME-Zarr needs zarr, not installed: pip install 'diffex[zarr]'.") from error
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("0", data=np.ascontiguousarray(pixels), chunks=(1, *pixels.shape[1:]))
    unit = {} if pixel_size_um is None else {"unit": "micrometer"}
    axes: list[Any] = [
        {"name": "c", "type": "channel"},
        *({"name": axis, "type": "space", **unit} for axis in "yx"),
    ]
    scale = {"type": "scale", "scale": [1.0, pixel_size_um or 1.0, pixel_size_um or 1.0]}
    level = {"path": "0", "coordinateTransformations": [scale]}
    described: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [level]}],
        "omero": {"channels": [{"label": name} for name in channel_names]},
    }
    group.attrs["ome"] = described
