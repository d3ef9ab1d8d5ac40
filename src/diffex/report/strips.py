"""Rows of pictures as PNG data URIs: original, null edit, edits, and what changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from PIL import Image

from diffex.report.colours import Bytes, Contrast, Pixels, composite, difference, grey
from diffex.report.numbers import short
from diffex.report.png import png_address
from diffex.report.scales import round_length

MOST_MAPS, MOST_EDITS = 3, 5
_COLUMNS = 10
_GAP = 2
_LARGEST_SIDE = 192
_BUDGET_BYTES = 8_000_000
_FACTORS = (3.0, 2.0, 1.0, 0.5, 0.25, 0.125, 0.0625)


@final
@dataclass(frozen=True, eq=False)
class CellPictures:
    """One cell before and after.

    Parameters
    ----------
    original, null : ndarray, shape (c, h, w)
        The image, and its null edit.
    edits : ndarray, shape (s, c, h, w)
        One per strength.
    strongest : int
        Which of them the difference is taken of.
    answered : ndarray, shape (h, w), optional
        What each place of that difference does to the classifier; 1 and -1 are drawn in full colour.
    """

    original: Pixels
    null: Pixels
    edits: Pixels
    strongest: int
    answered: Pixels | None = None

    def row(self) -> Pixels:
        """Stack original, null edit and edits, ``(2 + s, c, h, w)``."""
        return np.concatenate([self.original[None], self.null[None], self.edits])

    def change(self) -> Pixels:
        """Subtract the null edit from the strongest edit, ``(c, h, w)``."""
        return np.asarray(self.edits[self.strongest] - self.null)


def composite_strip(
    cell: CellPictures, contrast: Contrast, channels: Sequence[int], bar: int, factor: float
) -> str:
    """Draw a cell in colour, with a difference map per channel and what the classifier answers to.

    Parameters
    ----------
    cell : CellPictures
        The cell.
    contrast : Contrast
        Of the run.
    channels : sequence of int
        Whose differences are shown; for photographs, one map of the mean.
    bar : int
        Length of the scale bar in image pixels.
    factor : float
        Enlargement.

    Returns
    -------
    str
        A ``data:image/png`` address.
    """
    tiles = list(composite(cell.row(), contrast))
    change = cell.change()
    if contrast.is_rgb:
        maps = [difference(change.mean(axis=0), float(contrast.difference.max()))]
    else:
        maps = [difference(change[c], float(contrast.difference[c])) for c in channels]
    if cell.answered is not None:
        maps.append(difference(cell.answered, 1.0))
    return _data_uri(_with_bar(tiles, bar) + maps, factor)


def channel_strip(cell: CellPictures, contrast: Contrast, channel: int, bar: int, factor: float) -> str:
    """Draw one channel of a cell in grey, with its difference map.

    Parameters
    ----------
    cell : CellPictures
        The cell.
    contrast : Contrast
        Of the run.
    channel : int
        Which one.
    bar : int
        Length of the scale bar in image pixels.
    factor : float
        Enlargement.

    Returns
    -------
    str
        A ``data:image/png`` address.
    """
    tiles = list(grey(cell.row(), contrast, channel))
    change = difference(cell.change()[channel], float(contrast.difference[channel]))
    return _data_uri([*_with_bar(tiles, bar), change], factor)


def plain_strip(pixels: Pixels, contrast: Contrast, bar: int, factor: float) -> str:
    """Draw pictures in colour side by side.

    Parameters
    ----------
    pixels : ndarray, shape (s, c, h, w)
        From left to right.
    contrast : Contrast
        Of all of them.
    bar : int
        Length of the scale bar in image pixels.
    factor : float
        Enlargement.

    Returns
    -------
    str
        A ``data:image/png`` address.
    """
    return _data_uri(_with_bar(list(composite(pixels, contrast)), bar), factor)


def enlargement(size: tuple[int, int], tiles: int) -> float:
    """Choose how much to enlarge, so that the file stays small.

    Parameters
    ----------
    size : (int, int)
        Height and width of an image.
    tiles : int
        How many are drawn in the whole report, counting a colour picture as 3.

    Returns
    -------
    float
        3 down to 1/16: the largest that fits the budget of bytes and needs no more than 192 pixels.
    """
    for factor in _FACTORS:
        fits = tiles * size[0] * size[1] * factor**2 <= _BUDGET_BYTES
        if fits and (factor <= 1 or max(size) * factor <= _LARGEST_SIDE):
            return factor
    return _FACTORS[-1]


def most_edits(contrast: Contrast, *, with_answer: bool) -> int:
    """Count the edits that leave room for the maps beside them.

    Parameters
    ----------
    contrast : Contrast
        Of the run.
    with_answer : bool
        Whether what the classifier answers to is shown, too.

    Returns
    -------
    int
        5, or fewer where there are many maps.
    """
    maps = 1 if contrast.is_rgb else min(len(contrast.low), MOST_MAPS)
    return min(MOST_EDITS, _COLUMNS - 2 - maps - with_answer)


def scale_bar(width: int, pixel_size_um: float | None) -> tuple[int, str]:
    """Choose a scale bar of about a third of the image.

    Parameters
    ----------
    width : int
        Of the image, in pixels.
    pixel_size_um : float or None
        Micrometres per pixel.

    Returns
    -------
    (int, str)
        Length in pixels, and in words: in micrometres, or in pixels where their size is unknown.

    Examples
    --------
    >>> scale_bar(64, 0.5), scale_bar(64, None)
    ((20, '10 µm'), (20, '20 px'))
    """
    unit = pixel_size_um or 1.0
    length = round_length(width * unit / 3)
    return max(1, round(length / unit)), f"{short(length)} {'µm' if pixel_size_um else 'px'}"


def _with_bar(tiles: list[Bytes], bar: int) -> list[Bytes]:
    """Draw the scale bar into the first picture, in the shade that stands out."""
    first = tiles[0].copy()
    height = first.shape[0]
    thick, margin = max(2, height // 40), max(2, height // 16)
    place = np.s_[height - margin - thick : height - margin, margin : margin + bar]
    first[place] = 255 if first[place].mean() < 140 else 0
    return [first, *tiles[1:]]


def _data_uri(tiles: Sequence[Bytes], factor: float) -> str:
    height, width = tiles[0].shape[:2]
    side = (max(1, round(width * factor)), max(1, round(height * factor)))
    scaled = [np.asarray(Image.fromarray(tile).resize(side, Image.Resampling.BICUBIC)) for tile in tiles]
    alpha = np.full((*scaled[0].shape[:2], 1), 255, dtype=np.uint8)
    gap = np.zeros((side[1], _GAP * max(1, round(factor)), 4), dtype=np.uint8)
    parts = [part for tile in scaled for part in (gap, np.concatenate([tile, alpha], axis=2))][1:]
    return png_address(np.concatenate(parts, axis=1))
