"""How the images of an OME-Zarr folder were acquired, where bioformats2raw left the OME-XML beside them."""

import json
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from diffex.images.acquisition import UNKNOWN, Acquisition
from diffex.images.ome_acquisition import read_acquisitions

_XML = Path("OME", "METADATA.ome.xml")
_DEEPEST = 3  # plate.zarr/A/1/0


def read_zarr_acquisition(path: Path) -> Acquisition:
    """Read how an image was acquired.

    Parameters
    ----------
    path : Path
        The folder of one image, within a collection or a plate.

    Returns
    -------
    Acquisition
        Empty where there is no OME-XML, or it does not say which of its images this is.
    """
    for root in list(path.parents)[:_DEEPEST]:
        file = root / _XML
        if file.is_file():
            return _read(file, file.stat().st_mtime_ns).get(path.relative_to(root).as_posix(), UNKNOWN)
    return UNKNOWN


@lru_cache(maxsize=1)  # one document describes all fields of a plate
def _read(file: Path, _changed: int) -> dict[str, Acquisition]:
    try:
        found = read_acquisitions(ElementTree.parse(file).getroot())  # noqa: S314
    except (OSError, ElementTree.ParseError):
        return {}
    names = _series(file.parent) or [str(number) for number in range(len(found))]
    return dict(zip(names, found, strict=False))


def _series(folder: Path) -> list[str]:
    """Read the order of the images, by their folders."""
    for name in ("zarr.json", ".zattrs"):
        try:
            about = json.loads((folder / name).read_text(encoding="utf-8"))
            about = about.get("attributes", about)
            return [str(one) for one in about.get("ome", about)["series"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return []
