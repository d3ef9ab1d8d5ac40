"""The twelve planted factors: what each one means, and its monotone map to a physical value."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError

CHANNEL_NAMES = ("nucleus", "cytoplasm", "organelle")
# Factors are N(0, 1); tanh(f / 3) is almost straight within 2 sd and bounded beyond: edits stay in frame.
_SATURATION = 3.0


@final
@dataclass(frozen=True)
class Factor:
    """One planted factor.

    Parameters
    ----------
    name : str
        Its name in tables: ``factor_<name>``.
    words : str
        A phrase for people.
    unit : str
        Unit of the physical value; empty for ratios.
    channels : tuple of str
        Channels whose pixels it changes.
    low, high : float
        Limits of the physical value, approached as the factor goes to minus or plus infinity.
    log : bool, default False
        Whether equal steps of the factor are equal folds of the value.
    """

    name: str
    words: str
    unit: str
    channels: tuple[str, ...]
    low: float
    high: float
    log: bool = False

    def value(self, factor: ArrayLike) -> NDArray[np.float64]:
        """Map the standard normal factor to its physical value.

        ``low + (high - low) * (1 + tanh(f / 3)) / 2``, of the logarithms where `log` is set.

        Parameters
        ----------
        factor : array_like
            Factor values, in standard deviations.

        Returns
        -------
        ndarray
            Physical values in `unit`, strictly increasing in `factor`.
        """
        share = 0.5 + 0.5 * np.tanh(np.asarray(factor, dtype=np.float64) / _SATURATION)
        if self.log:
            return np.asarray(self.low * (self.high / self.low) ** share)
        return np.asarray(self.low + (self.high - self.low) * share)


DETAILS: tuple[Factor, ...] = (
    Factor("nucleus_area", "area of the nucleus", "um2", CHANNEL_NAMES, 29.0, 90.0, log=True),
    Factor("nucleus_eccentricity", "eccentricity of the nucleus", "", CHANNEL_NAMES, 0.2, 0.96),
    Factor("nucleus_intensity", "nuclear stain", "a.u.", ("nucleus",), 0.22, 0.68, log=True),
    Factor("chromatin_granularity", "contrast of chromatin grains", "", ("nucleus",), 0.02, 0.95),
    Factor("cell_area", "area of the cell", "um2", ("cytoplasm", "organelle"), 225.0, 435.0, log=True),
    Factor("cell_roughness", "roughness of the cell's edge", "", ("cytoplasm", "organelle"), 0.0, 0.26),
    Factor("puncta_number", "number of organelle puncta", "count", ("organelle",), 1.0, 21.0),
    Factor("puncta_intensity", "brightness of organelle puncta", "a.u.", ("organelle",), 0.1, 0.8),
    Factor("puncta_radius", "distance of puncta from the nucleus", "", ("organelle",), 0.2, 0.8),
    Factor("cytoplasm_intensity", "cytoplasmic stain", "a.u.", ("cytoplasm",), 0.25, 0.7, log=True),
    Factor("background_gradient", "uneven background light", "a.u.", CHANNEL_NAMES, 0.0, 0.22),
    Factor("debris", "bright debris in the lower right corner", "a.u.", CHANNEL_NAMES, 0.0, 0.9),
)
FACTORS: tuple[str, ...] = tuple(factor.name for factor in DETAILS)


def factor_index(name: str) -> int:
    """Find the column of a factor.

    Parameters
    ----------
    name : str
        One of `FACTORS`.

    Returns
    -------
    int
        Its position in `FACTORS`.

    Raises
    ------
    InputError
        If the name is unknown.

    Examples
    --------
    >>> factor_index("nucleus_intensity")
    2
    """
    if name not in FACTORS:
        raise InputError(f"factor got {name!r}, expected one of {', '.join(FACTORS)}.")
    return FACTORS.index(name)


def check_factors(factors: ArrayLike) -> NDArray[np.float64]:
    """Check a table of factors.

    Parameters
    ----------
    factors : array_like, shape (n, 12)
        Factor values, in standard deviations.

    Returns
    -------
    ndarray, shape (n, 12)
        The same values in float64.

    Raises
    ------
    InputError
        If the shape is wrong or a value is not finite.
    """
    array = np.asarray(factors, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != len(FACTORS):
        raise InputError(
            f"factors got shape {array.shape}, expected (n, {len(FACTORS)}), a column per factor."
        )
    if not np.isfinite(array).all():
        raise InputError("factors hold NaN or Inf: give finite numbers of standard deviations.")
    return array
