"""What lies away from the object: uneven light, marked corners."""

import numpy as np
from numpy.typing import NDArray


def gradients(pixels: NDArray[np.float64], outside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure how much the background rises across the crop.

    A plane is fitted by least squares to the pixels outside the object; the value is the length of its slope
    times the crop's side.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.
    outside : ndarray of bool, shape (n, h, w)
        The pixels to fit.

    Returns
    -------
    ndarray, shape (n, c)
        In the unit of the pixels, not negative; 0 where the pixels outside do not span a plane.
    """
    height, width = pixels.shape[2:]
    side = min(height, width)
    rows, columns = np.mgrid[:height, :width]
    plane = np.stack(
        [(rows - (height - 1) / 2) / side, (columns - (width - 1) / 2) / side, np.ones(rows.shape)]
    )
    plane = plane.reshape(3, -1)
    weights = outside.reshape(len(outside), -1).astype(np.float64)
    normal = np.einsum("np,ip,jp->nij", weights, plane, plane)
    flat = pixels.reshape(*pixels.shape[:2], -1)
    levels = flat.mean(axis=-1)
    moments = np.einsum("ncp,np,ip->nic", flat - levels[:, :, None], weights, plane)
    enough = np.linalg.det(normal / np.maximum(normal[:, 2:, 2:], 1)) > 1e-9
    normal[~enough] = np.eye(3)
    slopes = np.linalg.solve(normal, moments)
    return np.where(enough[:, None], np.hypot(slopes[:, 0], slopes[:, 1]), 0.0)


def corner_means(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each channel over the four corners of the crop.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops.

    Returns
    -------
    ndarray, shape (n, c)
        In the unit of the pixels; a corner's side is an eighth of the crop's.
    """
    side = max(1, min(pixels.shape[2:]) // 8)
    ends = (slice(None, side), slice(-side, None))
    corners = [pixels[:, :, rows, columns].mean(axis=(2, 3)) for rows in ends for columns in ends]
    return np.asarray(np.mean(corners, axis=0))
