"""How bright each channel is in the object, around it and away from it."""

from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.measurements.morphology import dilate, erode
from diffex.measurements.segmentation import ring, ring_width

_BACKGROUND = 0.1  # the quantile of a crop that counts as its background
_EPSILON = 0.01  # of the channel's span: keeps a ratio finite where a compartment is dark
_NEGLIGIBLE = 1e-12  # relative variance below which pixels are constant up to rounding


@final
@dataclass(frozen=True, eq=False)
class Compartments:
    """The parts of a crop that intensities are read in.

    Parameters
    ----------
    object, ring, rest : ndarray of bool, shape (n, h, w)
        The object, the ring around it, and everything beyond the ring.
    inner_rim, outer_rim : ndarray of bool, shape (n, h, w)
        The bands on both sides of the object's edge.
    """

    object: NDArray[np.bool_]
    ring: NDArray[np.bool_]
    rest: NDArray[np.bool_]
    inner_rim: NDArray[np.bool_]
    outer_rim: NDArray[np.bool_]


def compartments(objects: NDArray[np.bool_]) -> Compartments:
    """Divide crops into object, ring and rest.

    Parameters
    ----------
    objects : ndarray of bool, shape (n, h, w)
        One object per image.

    Returns
    -------
    Compartments
        The ring is a sixteenth of the crop's side wide, the rims half of that.
    """
    width = ring_width(*objects.shape[1:])
    rim = max(1, width // 2)
    around = ring(objects, width)
    return Compartments(
        object=objects,
        ring=around,
        rest=~dilate(objects, width + 1),
        inner_rim=objects & ~erode(objects, rim),
        outer_rim=dilate(objects, rim) & ~objects,
    )


def background_levels(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the background of each channel: the 10th percentile of the crop.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.

    Returns
    -------
    ndarray, shape (n, c)
        In the unit of the pixels.
    """
    flat = pixels.reshape(*pixels.shape[:2], -1)
    rank = int(_BACKGROUND * (flat.shape[-1] - 1))
    return np.asarray(np.partition(flat, rank, axis=-1)[..., rank])


def means(pixels: NDArray[np.float64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average each channel over a compartment.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.
    masks : ndarray of bool, shape (n, h, w)
        The compartment.

    Returns
    -------
    ndarray, shape (n, c)
        In the unit of the pixels; the mean of the whole crop where the compartment is empty.
    """
    weights = masks.reshape(len(masks), -1).astype(np.float64)
    empty = ~masks.any(axis=(1, 2))
    weights[empty] = 1.0
    flat = pixels.reshape(*pixels.shape[:2], -1)
    return np.asarray(np.einsum("ncp,np->nc", flat, weights) / weights.sum(axis=1)[:, None])


def intensities(
    pixels: NDArray[np.float64], parts: Compartments, span: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    r"""Measure intensities in the compartments.

    With :math:`m^+ = \max(m - b, 0)`, a mean above the background :math:`b` (10th percentile of the crop),
    and :math:`\epsilon` = 1 % of the channel's span, the ratio of object to ring is
    :math:`\log_2 \frac{o^+ + \epsilon}{r^+ + \epsilon}`, and the edge contrast of inner to outer rim is
    :math:`\frac{i^+ - e^+}{i^+ + e^+ + \epsilon}`. The total is the sum over the object of pixel minus
    background.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.
    parts : Compartments
        Where to read.
    span : ndarray, shape (n, c)
        Largest minus smallest value of the smoothed channel.

    Returns
    -------
    dict of str to ndarray, shape (n, c)
        An empty compartment has the mean of the crop and no spread; ratio and contrast of a constant channel
        are 0.
    """
    background = background_levels(pixels)
    mean = {part: means(pixels, getattr(parts, part)) for part in Compartments.__annotations__}
    above = {part: np.maximum(value - background, 0) for part, value in mean.items()}
    epsilon = np.where(span > 0, _EPSILON * span, 1.0)
    inner, outer = above["inner_rim"], above["outer_rim"]
    squares = pixels**2
    return {
        "object_mean": mean["object"],
        "object_sd": _sd(squares, mean["object"], parts.object),
        "total": (mean["object"] - background) * parts.object.sum(axis=(1, 2))[:, None],
        "ring_mean": mean["ring"],
        "ring_sd": _sd(squares, mean["ring"], parts.ring),
        "log2_ratio": np.log2((above["object"] + epsilon) / (above["ring"] + epsilon)),
        "edge_contrast": (inner - outer) / (inner + outer + epsilon),
        "rest_mean": mean["rest"],
        "image_mean": pixels.mean(axis=(2, 3)),
        "background": background,
    }


def correlations(pixels: NDArray[np.float64], objects: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Correlate each pair of channels over the pixels of the object (Pearson).

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.
    objects : ndarray of bool, shape (n, h, w)
        One object per image.

    Returns
    -------
    ndarray, shape (n, c * (c - 1) / 2)
        Pairs in the order of `itertools.combinations`; 0 where a channel is constant or the object empty.
    """
    mean = means(pixels, objects)
    sd = _sd(pixels**2, mean, objects)
    pairs = list(combinations(range(pixels.shape[1]), 2))
    values = np.zeros((len(pixels), len(pairs)))
    for column, (i, j) in enumerate(pairs):
        product = means((pixels[:, i] * pixels[:, j])[:, None], objects)[:, 0]
        covariance, scale = product - mean[:, i] * mean[:, j], sd[:, i] * sd[:, j]
        np.divide(covariance, scale, out=values[:, column], where=scale > 0)
    return np.clip(values, -1, 1)


def _sd(
    squares: NDArray[np.float64], mean: NDArray[np.float64], masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    square = means(squares, masks)
    variance = square - mean**2
    filled = np.asarray(masks.any(axis=(1, 2)))
    there = filled[:, None] & (variance > _NEGLIGIBLE * square)
    return np.sqrt(np.where(there, variance, 0.0))
