"""What of the shown changes the classifier answers to: maps, and the share of each channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from diffex.report.colours import Pixels
from diffex.report.numbers import percent
from diffex.report.strips import MOST_MAPS
from diffex.runs.examples import ANSWERED

_FULL = 99.5  # percentile that is drawn in full colour
_SMOOTH = 1.5  # pixels: gradients are grainy, and their sum over a few pixels is what counts


@final
@dataclass(frozen=True, eq=False)
class Answered:
    """What the strongest shown edits of a concept do to the classifier, place by place.

    Parameters
    ----------
    maps : ndarray, shape (n, h, w)
        Summed over channels, smoothed; 1 and -1 are drawn in full colour.
    by_channel : ndarray, shape (c,)
        Share of each channel, sum 1.
    """

    maps: Pixels
    by_channel: NDArray[np.float64]

    def caption(self, target: str, names: Sequence[str], *, is_rgb: bool) -> str:
        """Say what the maps show, and how much of it the channels have."""
        said = f"What counts: red where the change speaks for {target}, blue where it speaks against it"
        if len(names) == 1 or is_rgb:
            return f"{said}."
        order = np.argsort(-self.by_channel)[:MOST_MAPS]
        return f"{said}; {', '.join(f'{names[c]} {percent(self.by_channel[c])}' for c in order)} of it."


def open_answered(examples: Mapping[str, NDArray[Any]], place: int, shown: int) -> Answered | None:
    """Prepare the maps of a concept.

    Parameters
    ----------
    examples : mapping of str to ndarray
        Of a run.
    place : int
        Position of the concept.
    shown : int
        Cells that are shown.

    Returns
    -------
    Answered or None
        None where the classifier gave no gradients, or answered to nothing.
    """
    if ANSWERED not in examples or not shown:
        return None
    found = examples[ANSWERED][place][:shown].astype(np.float64)
    sizes = np.abs(found).sum(axis=(0, 2, 3))
    maps = gaussian_filter(found.sum(axis=1), (0, _SMOOTH, _SMOOTH))
    full = np.percentile(np.abs(maps), _FULL)
    return Answered(maps / full, sizes / sizes.sum()) if full > 0 else None
