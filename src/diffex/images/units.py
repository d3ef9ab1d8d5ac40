"""Lengths of microscopy's files in micrometres."""

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
_SQUARE = 0.01


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
    factor = _MICROMETRES.get(unit.strip().lower())
    if factor is None or not all(math.isfinite(side) and side > 0 for side in sides):
        return None
    if abs(sides[0] - sides[1]) > _SQUARE * sides[1]:
        return None
    return float(f"{sides[1] * factor:.9g}")
