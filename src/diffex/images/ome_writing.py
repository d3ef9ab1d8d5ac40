"""Images to OME-TIFF and OME-Zarr, with channel names and pixel size; OME-TIFF with the acquisition too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffex.images.acquisition import UNKNOWN, Acquisition, ChannelAcquisition
from diffex.images.zarr_part import zarr_for

OME_DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
"""Of those that images have, the ones OME-TIFF knows."""


def write_ome_tiff(
    path: Path,
    pixels: NDArray[Any],
    channel_names: Sequence[str],
    pixel_size_um: float | None = None,
    acquisition: Acquisition = UNKNOWN,
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
    acquisition : Acquisition, default unknown
        Of the image, or of the one that it was cut from.
    """
    about = _described(channel_names, pixel_size_um, acquisition)
    xml = tifffile.OmeXml()
    planes, height, width = pixels.shape
    xml.addimage(pixels.dtype, pixels.shape, (planes, 1, 1, height, width, 1), axes="CYX", **about)
    text = _with_instrument(xml.tostring(declaration=True), acquisition)
    tifffile.imwrite(
        path, pixels, photometric="minisblack", description=text.encode(), metadata=None, ome=False
    )


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
    zarr = zarr_for("OME-Zarr")
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


def _described(
    channel_names: Sequence[str], pixel_size_um: float | None, acquisition: Acquisition
) -> dict[str, Any]:
    """Give what tifffile writes itself."""
    channels = acquisition.channels or (ChannelAcquisition(),) * len(channel_names)
    about: dict[str, Any] = {
        "Channel": [
            {"Name": name}
            | _measured("ExcitationWavelength", channel.excitation_nm, "nm")
            | _measured("EmissionWavelength", channel.emission_nm, "nm")
            for name, channel in zip(channel_names, channels, strict=True)
        ],
        "AcquisitionDate": acquisition.acquired,
    }
    if any(channel.exposure_s for channel in channels):
        about["Plane"] = [_measured("ExposureTime", channel.exposure_s, "s") for channel in channels]
    for axis in "XY":
        about |= _measured(f"PhysicalSize{axis}", pixel_size_um, "µm")
    return about


def _measured(name: str, value: float | None, unit: str) -> dict[str, float | str]:
    return {} if value is None else {name: value, f"{name}Unit": unit}


def _with_instrument(xml: str, acquisition: Acquisition) -> str:
    """Add what tifffile does not write, where the schema wants it."""
    microscope = _element("Microscope", Manufacturer=acquisition.manufacturer, Model=acquisition.microscope)
    objective = _element(
        "Objective", LensNA=acquisition.numerical_aperture, NominalMagnification=acquisition.magnification
    )
    if not microscope and not objective:
        return xml
    named = objective.replace("<Objective", '<Objective ID="Objective:0"')
    instrument = f'<Instrument ID="Instrument:0">{microscope}{named}</Instrument>'
    references = '<InstrumentRef ID="Instrument:0"/>'
    references += '<ObjectiveSettings ID="Objective:0"/>' if objective else ""
    return xml.replace("<Image ", f"{instrument}<Image ", 1).replace("<Pixels ", f"{references}<Pixels ", 1)


def _element(name: str, **attributes: str | float | None) -> str:
    known = [f" {key}={quoteattr(str(value))}" for key, value in attributes.items() if value is not None]
    return f"<{name}{''.join(known)}/>" if known else ""
