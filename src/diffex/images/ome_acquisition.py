"""How images were acquired, read from OME-XML; what is odd or missing there counts as not said."""

import math
from collections.abc import Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from diffex.images.acquisition import Acquisition, ChannelAcquisition
from diffex.images.naming import clean_text
from diffex.images.units import micrometres, seconds

_DATES = ("AcquisitionDate", "AcquiredDate")  # the second before 2012
_OBJECTIVES = ("ObjectiveSettings", "ObjectiveRef")  # likewise


def read_acquisitions(root: Element) -> tuple[Acquisition, ...]:
    """Read how each image of an OME-XML document was acquired.

    Parameters
    ----------
    root : Element
        Element ``OME``, of any version of the schema.

    Returns
    -------
    tuple of Acquisition
        In the order of the images.
    """
    return tuple(_acquisition(root, image) for image in root.iterfind("{*}Image"))


def positive_number(element: Element | None, name: str) -> float | None:
    """Read an attribute that is a number above 0.

    Parameters
    ----------
    element : Element, optional
        Whose it is.
    name : str
        Of the attribute.

    Returns
    -------
    float or None
        None where it is absent or anything else; files write 0 for what they do not know.
    """
    text = "" if element is None else element.get(name, "")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _acquisition(root: Element, image: Element) -> Acquisition:
    objective = _referred(root.findall("{*}Instrument/{*}Objective"), image, _OBJECTIVES)
    instrument = _referred(root.findall("{*}Instrument"), image, ("InstrumentRef",))
    microscope = None if instrument is None else instrument.find("{*}Microscope")
    return Acquisition(
        acquired=_date([image.findtext(f"{{*}}{name}") for name in _DATES]),
        manufacturer=_text(microscope, "Manufacturer"),
        microscope=_text(microscope, "Model"),
        magnification=positive_number(objective, "NominalMagnification")
        or positive_number(objective, "CalibratedMagnification"),
        numerical_aperture=positive_number(objective, "LensNA"),
        channels=_channels(image),
    )


def _referred(there: Sequence[Element], image: Element, references: Sequence[str]) -> Element | None:
    """Find what an image refers to; where it refers to none, the only one there is."""
    named = [one.get("ID") for name in references for one in image.iterfind(f"{{*}}{name}")]
    meant = [one for one in there if one.get("ID") in named] if named else there
    return meant[0] if len(meant) == 1 else None


def _channels(image: Element) -> tuple[ChannelAcquisition, ...]:
    planes: dict[str | None, Element] = {}
    for plane in image.iterfind("{*}Pixels/{*}Plane"):
        planes.setdefault(plane.get("TheC"), plane)
    return tuple(
        ChannelAcquisition(
            _exposure(planes.get(str(number))),
            _wavelength(channel, "ExcitationWavelength"),
            _wavelength(channel, "EmissionWavelength"),
        )
        for number, channel in enumerate(image.iterfind("{*}Pixels/{*}Channel"))
    )


def _exposure(plane: Element | None) -> float | None:
    value = positive_number(plane, "ExposureTime")
    return None if plane is None or value is None else seconds(value, plane.get("ExposureTimeUnit", "s"))


def _wavelength(channel: Element, name: str) -> float | None:
    value = positive_number(channel, name)
    length = None if value is None else micrometres(value, channel.get(f"{name}Unit", "nm"))
    return None if length is None else float(f"{1000 * length:.6g}")


def _text(element: Element | None, name: str) -> str | None:
    return None if element is None else clean_text(element.get(name, "")).strip() or None


def _date(texts: Sequence[str | None]) -> str | None:
    for text in texts:
        try:
            return datetime.fromisoformat((text or "").strip()).isoformat(timespec="seconds")
        except ValueError:
            continue
    return None
