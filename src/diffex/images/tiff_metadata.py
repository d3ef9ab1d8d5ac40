"""What OME-TIFF and ImageJ TIFF files say of channels, pixels and acquisition."""

from dataclasses import dataclass
from typing import Any, final
from xml.etree import ElementTree

import tifffile

from diffex.images.acquisition import UNKNOWN, Acquisition
from diffex.images.ome_acquisition import positive_number, read_acquisitions
from diffex.images.stacks import usable_names
from diffex.images.units import pixel_size_um


@final
@dataclass(frozen=True)
class TiffMetadata:
    """Channel names, pixel size, acquisition.

    Parameters
    ----------
    names : tuple of str
        Empty where the file does not name each channel.
    pixel_size_um : float or None
        None where the file does not say, or its pixels are not square.
    acquisition : Acquisition
        How the image was acquired, as far as the file says.
    """

    names: tuple[str, ...] = ()
    pixel_size_um: float | None = None
    acquisition: Acquisition = UNKNOWN


def read_tiff_metadata(file: tifffile.TiffFile, channels: int) -> TiffMetadata:
    """Read what an open TIFF file says of itself.

    Parameters
    ----------
    file : TiffFile
        Open. The resolution of a plain TIFF file is one for printers, and is left alone.
    channels : int
        How many it has.

    Returns
    -------
    TiffMetadata
        From its OME-XML or ImageJ's description; empty for other files.
    """
    if file.is_ome and file.ome_metadata:
        return _ome(file.ome_metadata, channels)
    if file.is_imagej and file.imagej_metadata:
        return _imagej(file, file.imagej_metadata, channels)
    return TiffMetadata()


def ome_files(text: str) -> tuple[str, ...]:
    """List the files over which an OME-TIFF image is spread.

    Parameters
    ----------
    text : str
        OME-XML.

    Returns
    -------
    tuple of str
        Names in the order of the planes; of one file, that or none.
    """
    if "FileName" not in text:
        return ()
    root = ElementTree.fromstring(text)  # noqa: S314
    return tuple(dict.fromkeys(str(one.get("FileName")) for one in root.iterfind(".//{*}UUID[@FileName]")))


def _ome(text: str, channels: int) -> TiffMetadata:
    # Entities are not expanded without limit by expat since 2.4.1.
    root = ElementTree.fromstring(text)  # noqa: S314
    pixels = root.find("{*}Image/{*}Pixels")
    if pixels is None:
        return TiffMetadata()
    names = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
    sides = tuple(positive_number(pixels, f"PhysicalSize{axis}") or 0.0 for axis in "YX")
    units = {pixels.get("PhysicalSizeYUnit", "µm"), pixels.get("PhysicalSizeXUnit", "µm")}
    size = pixel_size_um((sides[0], sides[1]), units.pop()) if len(units) == 1 else None
    return TiffMetadata(usable_names(names, channels), size, read_acquisitions(root)[0].of(channels))


def _imagej(file: tifffile.TiffFile, metadata: dict[str, Any], channels: int) -> TiffMetadata:
    tags = file.pages.first.tags
    sides = [_side(tags[name].value) for name in ("YResolution", "XResolution") if name in tags]
    size = pixel_size_um((sides[0], sides[1]), str(metadata.get("unit", ""))) if len(sides) == 2 else None
    # Labels of slices are mostly the names of the files that they came from.
    labels = metadata.get("Labels", ()) if metadata.get("channels", 1) == channels else ()
    return TiffMetadata(usable_names([labels] if isinstance(labels, str) else labels, channels), size)


def _side(resolution: tuple[int, int]) -> float:
    pixels, units = resolution
    return units / pixels if pixels else 0.0
