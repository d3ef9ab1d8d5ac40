"""How channels are shown: the same contrast and hues as in the report of the run."""

from dataclasses import dataclass
from typing import final

import numpy as np

from napari_diffex.run import Pixels, Run

RGB_NAMES = ("red", "green", "blue")
_HUES = ("green", "magenta", "blue", "yellow", "cyan", "red")
_PERCENTILES = (0.5, 99.8)
# A channel is dim where all but this share of pixels stay below a quarter of the range.
_BRIGHT, _DIM = 97.0, 0.25


@final
@dataclass(frozen=True)
class Look:
    """How one channel is shown.

    Parameters
    ----------
    name : str
        Of the channel.
    colormap : str
        A name that napari knows.
    limits : (float, float)
        Grey values shown as black and as full.
    gamma : float
        One half for dim channels, else 1.
    """

    name: str
    colormap: str
    limits: tuple[float, float]
    gamma: float


def is_rgb(run: Run) -> bool:
    """Tell whether the channels are the colours of a photograph.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    bool
        True for red, green and blue, in this order.
    """
    return tuple(name.lower() for name in run.channel_names) == RGB_NAMES


def looks_of(run: Run) -> tuple[Look, ...]:
    """Choose how each channel is shown, for all pictures of a run alike.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    tuple of Look
        Percentiles 0.5 and 99.8 of the originals; the whole value range where there are none.
    """
    single = len(run.channel_names) == 1
    return tuple(
        Look(
            name, "gray" if single else _HUES[c % len(_HUES)], *_contrast(run.original[:, c], run.value_range)
        )
        for c, name in enumerate(run.channel_names)
    )


def _contrast(pixels: Pixels, value_range: tuple[float, float]) -> tuple[tuple[float, float], float]:
    if not pixels.size:
        return value_range, 1.0
    low, high, bright = (float(value) for value in np.percentile(pixels, [*_PERCENTILES, _BRIGHT]))
    span = max(high - low, 1e-6 * max(1.0, abs(high)))
    return (low, low + span), 0.5 if (bright - low) / span < _DIM else 1.0
