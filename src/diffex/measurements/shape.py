"""Size, shape and position of objects, from their masks."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from diffex.measurements.morphology import erode

_DIAGONAL = np.sqrt(2.0)


def shapes(masks: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    r"""Measure size, shape and position of each object.

    Area is the number of pixels. Axes and eccentricity are those of the ellipse with the same second moments,
    :math:`a, b = 4 \sqrt{\lambda_{1,2}}` and :math:`e = \sqrt{1 - \lambda_2 / \lambda_1}`, where a pixel is a
    square (1/12 added to both variances). Perimeter after Benkrid & Crookes (2000), as in
    `skimage.measure.perimeter`. Form factor is :math:`4 \pi A / P^2`, at most 1. Solidity is the area over
    that of the convex hull of the pixels' corners.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        One object per image.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``area`` (px), ``perimeter``, ``major_axis``, ``minor_axis``, ``centroid_offset`` (px, from the crop's
        centre), ``eccentricity``, ``form_factor``, ``solidity``; all 0 for an empty mask.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.zeros((1, 64, 64), dtype=bool)
    >>> square[0, 22:42, 22:42] = True
    >>> values = shapes(square)
    >>> float(values["area"][0]), float(values["eccentricity"][0]), float(values["solidity"][0])
    (400.0, 0.0, 1.0)
    """
    area = masks.sum(axis=(1, 2)).astype(np.float64)
    major, minor, offset = _moments(masks, area)
    perimeter = perimeters(masks)
    squared = np.divide(minor**2, major**2, out=np.ones_like(area), where=major > 0)
    form = np.divide(4 * np.pi * area, perimeter**2, out=np.zeros_like(area), where=perimeter > 0)
    return {
        "area": area,
        "perimeter": perimeter,
        "major_axis": major,
        "minor_axis": minor,
        "eccentricity": np.sqrt(1 - squared),
        "form_factor": np.minimum(form, 1),
        "solidity": np.array([_solidity(mask) for mask in masks]),
        "centroid_offset": offset,
    }


def centroids(masks: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the centre of each object.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        One object per image.

    Returns
    -------
    rows, columns : ndarray, shape (n,)
        In pixels; the crop's centre for an empty mask.
    """
    height, width = masks.shape[1:]
    area = masks.sum(axis=(1, 2)).astype(np.float64)
    rows = masks.sum(axis=2) @ np.arange(height)
    columns = masks.sum(axis=1) @ np.arange(width)
    return (
        np.divide(rows, area, out=np.full(len(area), (height - 1) / 2), where=area > 0),
        np.divide(columns, area, out=np.full(len(area), (width - 1) / 2), where=area > 0),
    )


def perimeters(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure the perimeter of each object through the centres of its border pixels.

    A border pixel counts 1, sqrt(2) or (1 + sqrt(2)) / 2 by how its border neighbours lie: Benkrid & Crookes,
    "Design and FPGA implementation of a perimeter estimator" (2000).

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        One object per image.

    Returns
    -------
    ndarray, shape (n,)
        Pixels; 0 for an empty mask.
    """
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    border = (padded & ~erode(padded, 1)).astype(np.uint8)
    here = border[:, 1:-1, 1:-1]
    straight = border[:, :-2, 1:-1] + border[:, 2:, 1:-1] + border[:, 1:-1, :-2] + border[:, 1:-1, 2:]
    slanted = border[:, :-2, :-2] + border[:, :-2, 2:] + border[:, 2:, :-2] + border[:, 2:, 2:]
    lengths = _PERIMETER[slanted, straight] * here
    return np.asarray(lengths.sum(axis=(1, 2), dtype=np.float64))


def _perimeter_table() -> NDArray[np.float64]:
    # skimage's codes 10 * slanted + 2 * straight + 1, written as (slanted, straight).
    table = np.zeros((5, 5))
    for code, length in {
        **dict.fromkeys((5, 7, 15, 17, 25, 27), 1.0),
        **dict.fromkeys((21, 33), _DIAGONAL),
        **dict.fromkeys((13, 23), (1 + _DIAGONAL) / 2),
    }.items():
        for slanted in range(5):
            straight, odd = divmod(code - 1 - 10 * slanted, 2)
            if not odd and 0 <= straight <= 4:
                table[slanted, straight] = length
    return table


_PERIMETER = _perimeter_table()


def _moments(masks: NDArray[np.bool_], area: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    height, width = masks.shape[1:]
    rows, columns = centroids(masks)
    y = np.arange(height) - rows[:, None]  # (n, h)
    x = np.arange(width) - columns[:, None]  # (n, w)
    some = np.maximum(area, 1)
    weights = masks.astype(np.float64)
    yy = (weights.sum(axis=2) * y**2).sum(axis=1) / some + 1 / 12
    xx = (weights.sum(axis=1) * x**2).sum(axis=1) / some + 1 / 12
    xy = (np.einsum("nhw,nw->nh", weights, x) * y).sum(axis=1) / some
    half, root = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    there = area > 0
    major = np.where(there, 4 * np.sqrt(half + root), 0.0)
    minor = np.where(there, 4 * np.sqrt(np.maximum(half - root, 0)), 0.0)
    return major, minor, np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)


def _solidity(mask: NDArray[np.bool_]) -> float:
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return 0.0
    # The hull of an object is that of the ends of its rows.
    left = mask[rows].argmax(axis=1)
    right = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([left, left, right, right])
    corners = np.stack([np.tile(np.concatenate([rows, rows + 1]), 2), ends], axis=1)
    return float(mask.sum() / ConvexHull(corners).volume)
