"""Small bright spots: how many, how bright, how far out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from diffex.measurements.shape import centroids
from diffex.measurements.texture import scale_px, smooth

_NOISE = 5.0  # robust standard deviations of the response that a spot must exceed
_FAINTEST = 0.05  # of the channel's span that a spot's response must exceed
_RIDGE = 0.5  # of the peak's response: more than that on two opposite sides makes a maximum part of an edge
_CIRCLE = 16  # points around a maximum that are looked at


def puncta(
    pixels: NDArray[np.float64],
    fine: NDArray[np.float64],
    objects: NDArray[np.bool_],
    span: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Find bright spots over the whole crop (`spots`) and describe them.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.
    fine : ndarray, shape (n, c, h, w)
        The crops smoothed with s.
    objects : ndarray of bool, shape (n, h, w)
        One object per image; distances are from its centroid.
    span : ndarray, shape (n, c)
        Largest minus smallest value of `fine`.

    Returns
    -------
    dict of str to ndarray, shape (n, c)
        ``puncta_count``, ``puncta_contrast`` (median response, in the unit of the pixels), ``puncta_spread``
        (mean distance in px); all 0 where there is no spot.
    """
    shape = pixels.shape[:2]
    response, where = spots(pixels, fine, span)
    image, _, row, column = where
    rows, columns = centroids(objects)
    distance = np.hypot(row - rows[image], column - columns[image])
    count = tally(where, shape)
    some = np.maximum(count, 1)
    return {
        "puncta_count": count,
        "puncta_contrast": _medians(where, shape, response[where]),
        "puncta_spread": tally(where, shape, distance) / some,
    }


def tally(
    where: Sequence[NDArray[np.intp]], shape: Sequence[int], values: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Sum over the spots of every image and channel.

    Parameters
    ----------
    where : sequence of ndarray of int
        Image and channel of every spot, and more that is not looked at.
    shape : sequence of int
        Images and channels, n and c.
    values : ndarray, optional
        Of every spot; default one each, which counts them.

    Returns
    -------
    ndarray, shape (n, c)
        0 where there is no spot.
    """
    flat = where[0] * shape[1] + where[1]
    return np.bincount(flat, values, shape[0] * shape[1]).astype(np.float64).reshape(shape)


def _medians(
    where: Sequence[NDArray[np.intp]], shape: tuple[int, int], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Take the median over the spots of every image and channel: two that merge do not shine for all."""
    found = pd.Series(values).groupby(where[0] * shape[1] + where[1]).median()
    medians = np.zeros(shape[0] * shape[1])
    medians[found.index] = found
    return medians.reshape(shape)


def spots(
    pixels: NDArray[np.float64], fine: NDArray[np.float64], span: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[NDArray[np.intp], ...]]:
    """Find bright spots.

    A spot is a local maximum of a difference of Gaussians (standard deviations s and 2s, see `scale_px`)
    above 5 robust standard deviations (1.4826 times the median absolute response) and above 5 % of the
    channel's span. At a distance of 3s the response may exceed half of the peak's on one side, but not on the
    opposite one too (to within 45 degrees): that is what an edge looks like.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.
    fine : ndarray, shape (n, c, h, w)
        The crops smoothed with s.
    span : ndarray, shape (n, c)
        Largest minus smallest value of `fine`.

    Returns
    -------
    (ndarray of shape (n, c, h, w), tuple of four ndarrays of int)
        The difference of Gaussians; image, channel, row and column of every spot.
    """
    height, width = pixels.shape[2:]
    response = fine - smooth(pixels, 2 * scale_px(height, width))
    # Every other pixel of every other row is enough for a median, at a quarter of the time.
    noise = 1.4826 * np.median(np.abs(response[:, :, ::2, ::2]), axis=(2, 3))
    threshold = np.maximum(_NOISE * noise, _FAINTEST * span)
    # A slight ramp decides between equal neighbours, so that a symmetric spot counts once.
    ramp = np.arange(height * width).reshape(height, width) / (height * width)
    ranked = response + 1e-7 * span[:, :, None, None] * ramp
    size = 2 * round(1.5 * scale_px(height, width)) + 1
    peaks = ranked == ndimage.maximum_filter(ranked, size, axes=(2, 3))
    peaks &= (response > threshold[:, :, None, None]) & (span > 0)[:, :, None, None]
    peaks[:, :, [0, -1]] = False
    peaks[:, :, :, [0, -1]] = False
    found = np.nonzero(peaks)
    round_enough = _is_round(response, found)
    return response, tuple(index[round_enough] for index in found)


def _is_round(response: NDArray[np.float64], where: tuple[NDArray[np.intp], ...]) -> NDArray[np.bool_]:
    image, channel, row, column = where
    height, width = response.shape[2:]
    radius = 3 * scale_px(height, width)

    def at(angle: float) -> NDArray[np.float64]:
        y = (row + round(radius * np.sin(angle))).clip(0, height - 1)
        x = (column + round(radius * np.cos(angle))).clip(0, width - 1)
        return np.asarray(response[image, channel, y, x])

    circle = np.stack([at(angle) for angle in np.linspace(0, 2 * np.pi, _CIRCLE, endpoint=False)])
    opposite = np.max([np.roll(circle, _CIRCLE // 2 + bend, axis=0) for bend in (-2, -1, 0, 1, 2)], axis=0)
    along_ridge = np.minimum(circle, opposite).max(axis=0)
    return np.asarray(along_ridge < _RIDGE * response[where])
