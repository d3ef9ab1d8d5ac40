"""How rough each channel is inside the object, at two scales."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffex.measurements.intensity import background_levels, means

_FLAT = 1e-6  # relative range below which pixels are constant up to rounding
_EPSILON = 0.05  # of the channel's span: a dim object has no texture worth a large number


def scale_px(height: int, width: int) -> float:
    """Give the finest scale that is looked at: a sixty-fourth of the crop's side.

    Parameters
    ----------
    height, width : int
        Size of the crop in pixels.

    Returns
    -------
    float
        Pixels, at least 1.
    """
    return max(1.0, min(height, width) / 64)


def smooth(pixels: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Blur the last two axes with a Gaussian.

    Parameters
    ----------
    pixels : ndarray, shape (..., h, w)
        Images.
    sigma : float
        Standard deviation in pixels.

    Returns
    -------
    ndarray, shape (..., h, w)
        Blurred images; borders are mirrored.
    """
    axes = (pixels.ndim - 2, pixels.ndim - 1)
    return np.asarray(ndimage.gaussian_filter(pixels, sigma, truncate=3, axes=axes))


def spans(fine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the span of each channel.

    Parameters
    ----------
    fine : ndarray, shape (n, c, h, w)
        Smoothed crops.

    Returns
    -------
    ndarray, shape (n, c)
        Largest minus smallest value; 0 for a channel that is constant up to rounding.
    """
    span = np.ptp(fine, axis=(2, 3))
    return np.where(span <= _FLAT * np.abs(fine).max(axis=(2, 3)), 0.0, span)


def textures(
    pixels: NDArray[np.float64], objects: NDArray[np.bool_], span: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    r"""Measure granularity (fine) and coarse texture inside the object.

    The root mean square over the object of a difference of Gaussians (standard deviations s and 2s, and 2s
    and 4s, with s from `scale_px`), over the object's mean above background plus 5 % of the channel's span.
    The Gaussians see the object alone (normalised convolution, Knutsson & Westin 1993), so that its edge is
    no texture.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.
    objects : ndarray of bool, shape (n, h, w)
        One object per image.
    span : ndarray, shape (n, c)
        Largest minus smallest value of the smoothed channel.

    Returns
    -------
    dict of str to ndarray, shape (n, c)
        ``granularity`` and ``coarse``, pure numbers; 0 for a constant channel or an empty object.
    """
    mean = means(pixels, objects)
    weights = objects[:, None].astype(np.float64)
    deviations = (pixels - mean[:, :, None, None]) * weights
    scale = scale_px(*pixels.shape[2:])
    levels = [_inside(deviations, weights, sigma * scale) for sigma in (1, 2, 4)]
    level = np.maximum(mean - background_levels(pixels), 0) + np.where(span > 0, _EPSILON * span, 1.0)
    return {
        "granularity": _rms(levels[0] - levels[1], objects) / level,
        "coarse": _rms(levels[1] - levels[2], objects) / level,
    }


def _inside(
    deviations: NDArray[np.float64], weights: NDArray[np.float64], sigma: float
) -> NDArray[np.float64]:
    support = smooth(weights, sigma)
    # Where the object has a pixel, the support is at least the Gaussian's peak.
    blurred = smooth(deviations, sigma)
    return np.divide(blurred, support, out=np.zeros_like(blurred), where=weights > 0)


def _rms(values: NDArray[np.float64], objects: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.sqrt(means(values**2, objects))
