"""Which quantities say something about a set of images."""

import re
from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.images.images import Images
from diffex.measurements import Quantity, View, measure, quantities

_LENGTH = re.compile(r"_(um2?|px)$")
_MOST_IMAGES = 64
_SHARE = 0.02  # of the median, of the channel's span, or of one for a pure number


def column_of(measurement: str, known: Sequence[Quantity]) -> str | None:
    """Find the column that a node's measurement means.

    Parameters
    ----------
    measurement : str
        A column's name; the unit of length at its end may be another one, or left out.
    known : sequence of Quantity
        What is measured, from `diffex.measurements.quantities`.

    Returns
    -------
    str or None
        The column; None where nothing measures it.

    Examples
    --------
    >>> column_of("area", quantities(["DNA"], 0.5)), column_of("area_um2", quantities(["DNA"]))
    ('area_um2', 'area_px')
    """
    names = [quantity.name for quantity in known]
    if measurement in names:
        return measurement
    stem = _LENGTH.sub("", measurement)
    return next((name for name in names if _LENGTH.sub("", name) == stem), None)


@final
class Measurable:
    """Which quantities differ among some images, measured once.

    Parameters
    ----------
    images : Images
        At least 2; at most 64 of them, evenly spaced, are measured.
    view : {"cell", "field"}, default "cell"
        What they show.

    Raises
    ------
    InputError
        If there are fewer than 2 images.
    """

    def __init__(self, images: Images, view: View = "cell") -> None:
        if len(images) < 2:
            raise InputError(
                f"images got {len(images)}, expected at least 2, to see what differs between them: give more "
                "images, or a tree of phrases with --taxonomy."
            )
        some = np.unique(np.linspace(0, len(images) - 1, _MOST_IMAGES).astype(np.int64))
        pixels, masks = images.read(some), images.read_masks(some)
        self.quantities = quantities(images.channel_names, images.pixel_size_um, view)
        self._by_name = {quantity.name: quantity for quantity in self.quantities}
        self._side = min(images.size)
        self._values = measure(pixels, images.channel_names, masks, images.pixel_size_um, view=view)
        self._spans = np.ptp(np.quantile(pixels.numpy(), [0.005, 0.995], axis=(0, 2, 3)), axis=0)

    def column(self, measurement: str, channel: int | None) -> str | None:
        """Find the column of a measurement, if its values differ enough.

        Parameters
        ----------
        measurement : str
            As in `Node.measurement`.
        channel : int, optional
            The channel that it is read in; None for shapes.

        Returns
        -------
        str or None
            None where nothing measures it, or its 10 % and 90 % quantiles are closer than one for a count,
            0.02 for a pure number, 2 % of the channel's span for grey levels, 2 % of the median for lengths
            and areas, 2 % of the image's side for positions.
        """
        name = column_of(measurement, self.quantities)
        if name is None:
            return None
        values = self._values[name].to_numpy(dtype=np.float64)
        low, high = np.quantile(values, [0.1, 0.9])
        return name if high - low >= self._least(self._by_name[name], values, channel) else None

    def _least(self, quantity: Quantity, values: NDArray[np.float64], channel: int | None) -> float:
        if quantity.unit == "count":
            return 1.0
        if quantity.kind == "position":
            return _SHARE * self._side
        if quantity.unit == "grey levels":
            spans = self._spans if channel is None else self._spans[channel]
            return max(_SHARE * float(np.max(spans)), float(np.finfo(np.float32).tiny))
        if quantity.unit in ("px", "um", "um2"):
            return max(_SHARE * float(np.median(np.abs(values))), float(np.finfo(np.float32).tiny))
        return _SHARE
