"""Lengths and times of microscopy's files in micrometres and seconds."""

import math

# How OME-XML, OME-Zarr and ImageJ write them; ImageJ escapes the micro sign, and there are two of those.
_UNITS = {
    1e-4: ("å", "angstrom"),
    1e-3: ("nm", "nanometer", "nanometre"),
    1.0: ("µm", "μm", r"\u00b5m", "um", "micron", "microns", "micrometer", "micrometre"),
    1e3: ("mm", "millimeter", "millimetre"),
    1e4: ("cm", "centimeter", "centimetre"),
    1e6: ("m", "meter", "metre"),
}
_MICROMETRES = {name: factor for factor, names in _UNITS.items() for name in names}
_SECONDS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6, "us": 1e-6, "ns": 1e-9, "min": 60.0}
_SQUARE = 0.01


def micrometres(value: float, unit: str) -> float | None:
    """Turn a length into micrometres.

    Parameters
    ----------
    value : float
        In `unit`.
    unit : str
        As a file writes it, for example ``"nm"`` or ``"micrometer"``.

    Returns
    -------
    float or None
        None where the unit is none of length.

    Examples
    --------
    >>> micrometres(488.0, "nm")
    0.488
    """
    factor = _MICROMETRES.get(unit.strip().lower())
    return None if factor is None else float(f"{value * factor:.9g}")


def seconds(value: float, unit: str) -> float | None:
    """Turn a time into seconds.

    Parameters
    ----------
    value : float
        In `unit`.
    unit : str
        As OME-XML writes it, for example ``"ms"``.

    Returns
    -------
    float or None
        None where the unit is none of short times.

    Examples
    --------
    >>> seconds(80.0, "ms")
    0.08
    """
    factor = _SECONDS.get(unit.strip())
    return None if factor is None else float(f"{value * factor:.6g}")


def pixel_size_um(sides: tuple[float, float], unit: str) -> float | None:
    """Turn the sides of a pixel into one pixel size.

    Parameters
    ----------
    sides : (float, float)
        Height and width of a pixel, in `unit`.
    unit : str
        As a file writes it, for example ``"nm"`` or ``"micrometer"``.

    Returns
    -------
    float or None
        Micrometres per pixel; None where the unit is none of length, a side is not above 0, or the sides
        differ by more than 1 %, since areas and distances then need two numbers.

    Examples
    --------
    >>> pixel_size_um((325.0, 325.0), "nm")
    0.325
    >>> pixel_size_um((1.0, 1.0), "pixel")
    """
    side = micrometres(sides[1], unit)
    if side is None or not all(math.isfinite(side) and side > 0 for side in sides):
        return None
    if abs(sides[0] - sides[1]) > _SQUARE * sides[1]:
        return None
    return side
