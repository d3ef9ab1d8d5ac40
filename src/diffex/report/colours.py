"""From pixels to colours: one contrast per channel for the whole run, composites, and difference maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating]
Bytes = NDArray[np.uint8]

RGB_NAMES = ("red", "green", "blue")
# Green and magenta stay apart for nearly all readers; more channels take further hues.
HUES: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("green", (0.1, 1.0, 0.25)),
    ("magenta", (1.0, 0.15, 0.95)),
    ("blue", (0.25, 0.5, 1.0)),
    ("yellow", (1.0, 0.85, 0.1)),
    ("cyan", (0.1, 0.9, 1.0)),
    ("red", (1.0, 0.25, 0.15)),
)
DIVERGING = np.array(
    [
        [5, 48, 97],
        [33, 102, 172],
        [103, 169, 207],
        [247, 247, 247],
        [239, 138, 98],
        [178, 24, 43],
        [103, 0, 31],
    ]
)
_PERCENTILES = (0.5, 99.8)
# A channel is dim where all but this share of pixels stay below a quarter of the range, as with a few puncta.
_BRIGHT, _DIM = 97.0, 0.25


@final
@dataclass(frozen=True, eq=False)
class Contrast:
    """How grey values become brightness: one setting per channel, the same for all pictures of a run.

    Parameters
    ----------
    low, high : ndarray, shape (c,)
        Grey values shown as black and as full.
    root : ndarray of bool, shape (c,)
        Whether brightness is the square root, for dim channels.
    difference : ndarray, shape (c,)
        Grey-value change shown in full blue or red.
    is_rgb : bool
        Whether the channels are the colours of a photograph.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    root: NDArray[np.bool_]
    difference: NDArray[np.float64]
    is_rgb: bool


def find_contrast(
    original: Pixels,
    null: Pixels,
    edits: Pixels,
    channel_names: tuple[str, ...],
    value_range: tuple[float, float],
) -> Contrast:
    """Choose the contrast: percentiles 0.5 and 99.8 of the originals, per channel.

    Parameters
    ----------
    original, null : ndarray, shape (n, c, h, w)
        Images and null edits.
    edits : ndarray, shape (m, n, c, h, w)
        Edits whose difference from the null edit is shown.
    channel_names : tuple of str
        ``("red", "green", "blue")`` are shown as they are, in the whole value range.
    value_range : (float, float)
        Of the images.

    Returns
    -------
    Contrast
        One setting per channel.
    """
    count = original.shape[1]
    is_rgb = tuple(name.lower() for name in channel_names) == RGB_NAMES
    low, high = np.percentile(np.moveaxis(original, 1, 0).reshape(count, -1), _PERCENTILES, axis=1)
    if is_rgb:
        low, high = (np.full(count, float(value)) for value in value_range)
    span = np.maximum(high - low, 1e-9)
    bright = np.percentile(np.moveaxis(original, 1, 0).reshape(count, -1), _BRIGHT, axis=1)
    root = ((bright - low) / span < _DIM) & (not is_rgb)
    change = np.abs(edits - null[None]) if edits.size else np.zeros((1, 1, count, 1, 1))
    limit = np.percentile(np.moveaxis(change, 2, 0).reshape(count, -1), 99.5, axis=1)
    return Contrast(low, low + span, root, np.maximum(limit, 0.02 * span), is_rgb)


def brightness(pixels: Pixels, contrast: Contrast) -> NDArray[np.float64]:
    """Scale grey values to 0..1.

    Parameters
    ----------
    pixels : ndarray, shape (..., c, h, w)
        Grey values.
    contrast : Contrast
        Of the run.

    Returns
    -------
    ndarray, shape (..., c, h, w)
        Clipped to 0..1; the square root for dim channels.
    """
    low, high = contrast.low[:, None, None], contrast.high[:, None, None]
    level = np.clip((pixels - low) / (high - low), 0.0, 1.0)
    return np.where(contrast.root[:, None, None], np.sqrt(level), level)


def composite(pixels: Pixels, contrast: Contrast) -> Bytes:
    """Show all channels in one colour picture.

    Parameters
    ----------
    pixels : ndarray, shape (..., c, h, w)
        Grey values.
    contrast : Contrast
        Of the run.

    Returns
    -------
    ndarray of uint8, shape (..., h, w, 3)
        Photographs as they are, one channel as grey, more as the sum of their hues.
    """
    level = brightness(pixels, contrast)
    count = level.shape[-3]
    if contrast.is_rgb or count == 1:
        picture = np.moveaxis(level, -3, -1)
        return _bytes(np.repeat(picture, 3, axis=-1) if count == 1 else picture)
    hues = np.array([HUES[i % len(HUES)][1] for i in range(count)])
    return _bytes(np.einsum("...chw,ck->...hwk", level, hues))


def hue_names(count: int) -> tuple[str, ...]:
    """Name the colours of a composite.

    Parameters
    ----------
    count : int
        Number of channels, 2 or more.

    Returns
    -------
    tuple of str
        A colour per channel.
    """
    return tuple(HUES[i % len(HUES)][0] for i in range(count))


def colour_words(names: Sequence[str], contrast: Contrast) -> str:
    """Say what the colours of a composite are.

    Parameters
    ----------
    names : sequence of str
        Of the channels.
    contrast : Contrast
        Of the run.

    Returns
    -------
    str
        A sentence.
    """
    if contrast.is_rgb:
        return "Colours as in the image."
    if len(names) == 1:
        return f"{names[0]} in grey."
    pairs = zip(names, hue_names(len(names)), strict=True)
    return "; ".join(f"{name} in {hue}" for name, hue in pairs) + "."


def grey(pixels: Pixels, contrast: Contrast, channel: int) -> Bytes:
    """Show one channel in grey.

    Parameters
    ----------
    pixels : ndarray, shape (..., c, h, w)
        Grey values of all channels.
    contrast : Contrast
        Of the run.
    channel : int
        Which one.

    Returns
    -------
    ndarray of uint8, shape (..., h, w, 3)
        Red, green and blue alike.
    """
    level = brightness(pixels, contrast)[..., channel, :, :]
    return _bytes(np.repeat(level[..., None], 3, axis=-1))


def difference(change: Pixels, limit: float) -> Bytes:
    """Show a change: blue where it fell, white where nothing happened, red where it rose.

    Parameters
    ----------
    change : ndarray, shape (..., h, w)
        Edit minus null edit.
    limit : float
        Change shown in full colour.

    Returns
    -------
    ndarray of uint8, shape (..., h, w, 3)
        The colours.
    """
    place = np.clip(change / limit, -1.0, 1.0)
    stops = np.linspace(-1.0, 1.0, len(DIVERGING))
    return np.stack([np.interp(place, stops, DIVERGING[:, k]) for k in range(3)], axis=-1).astype(np.uint8)


def _bytes(level: NDArray[np.float64]) -> Bytes:
    return np.round(np.clip(level, 0.0, 1.0) * 255).astype(np.uint8)
