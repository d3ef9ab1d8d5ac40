"""Cells as PNG pictures: all channels in colour, or one in grey, and what changed."""

from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.report.colours import Bytes, Contrast, Pixels, composite, difference, find_contrast, grey
from diffex.report.png import png_address, png_file
from diffex.runs import Explanation

_MOST_MAPS = 3
_FAST = 1  # of 9: pictures go to this machine's own browser


@final
@dataclass(frozen=True)
class Picture:
    """A picture with its name.

    Parameters
    ----------
    name : str
        For example of the channel.
    source : str
        A ``data:image/png`` address.
    """

    name: str
    source: str


def contrast_of(explanation: Explanation) -> Contrast:
    """Choose one contrast for all pictures of a run.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    Contrast
        From its example pictures; where there are none, the whole value range.
    """
    images, examples = explanation.summary["images"], explanation.examples
    names, value_range = tuple(images["channel_names"]), tuple(images["value_range"])
    original, null, edits = examples["original"], examples["null"], examples["edits"]
    if not len(original):
        original = null = np.array(value_range, dtype=np.float32).repeat(len(names)).reshape(2, -1, 1, 1)
        edits = original[None]
    return find_contrast(original, null, edits.reshape(-1, *original.shape), names, value_range)


def paint(pixels: Pixels, contrast: Contrast, channel: int | None) -> str:
    """Draw a cell.

    Parameters
    ----------
    pixels : ndarray, shape (c, h, w)
        Grey values.
    contrast : Contrast
        Of the run.
    channel : int or None
        One channel in grey; None for all in colour.

    Returns
    -------
    str
        A ``data:image/png`` address.
    """
    return _address(composite(pixels, contrast) if channel is None else grey(pixels, contrast, channel))


def paint_change(
    change: Pixels, contrast: Contrast, names: tuple[str, ...], channel: int | None
) -> tuple[Picture, ...]:
    """Draw what changed: red where it is brighter, blue where it is darker.

    Parameters
    ----------
    change : ndarray, shape (c, h, w)
        Edit minus null edit.
    contrast : Contrast
        Of the run.
    names : tuple of str
        Of the channels.
    channel : int or None
        Of one channel; None for up to three that change most (photographs: their mean).

    Returns
    -------
    tuple of Picture
        A map per channel.
    """
    if contrast.is_rgb and channel is None:
        mean = difference(change.mean(axis=0), float(contrast.difference.max()))
        return (Picture("change", _address(mean)),)
    size = np.abs(change).mean(axis=(1, 2)) / contrast.difference
    chosen = sorted(np.argsort(-size)[:_MOST_MAPS].tolist()) if channel is None else [channel]
    return tuple(
        Picture(names[c], _address(difference(change[c], float(contrast.difference[c])))) for c in chosen
    )


def png(pixels: Pixels, contrast: Contrast) -> bytes:
    """Draw a cell in colour as a PNG file.

    Parameters
    ----------
    pixels : ndarray, shape (c, h, w)
        Grey values.
    contrast : Contrast
        Of the run.

    Returns
    -------
    bytes
        The file.
    """
    return png_file(composite(pixels, contrast), _FAST)


def _address(tile: Bytes) -> str:
    return png_address(tile, _FAST)
