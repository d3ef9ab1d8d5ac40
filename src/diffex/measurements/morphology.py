"""Operations on stacks of masks, image by image."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_PLANE = np.zeros((3, 3, 3), dtype=bool)
_PLANE[1] = True
_CROSS = _PLANE & ndimage.generate_binary_structure(3, 1)


def dilate(masks: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Grow masks by an octagon, close to a disc of radius `steps`.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        One mask per image.
    steps : int
        Pixels to grow by; 0 changes nothing.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        The grown masks.
    """
    grown = masks
    for step in range(steps):
        # A cross, then a square, and so on: neither a diamond nor a square in the end.
        grown = _grow_cross(grown) if step % 2 == 0 else _grow_axis(_grow_axis(grown, 1), 2)
    return grown


def erode(masks: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Shrink masks by an octagon; the image border does not eat at them.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        One mask per image.
    steps : int
        Pixels to shrink by.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        The shrunken masks.
    """
    return ~dilate(~masks, steps)


def label(masks: NDArray[np.bool_], *, diagonal: bool = True) -> NDArray[np.int32]:
    """Number connected components over a whole stack; components never span images.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        One mask per image.
    diagonal : bool, default True
        Whether pixels that touch at a corner are connected.

    Returns
    -------
    ndarray of int, shape (n, h, w)
        0 outside, else the number of the component, unique in the stack.
    """
    labels, _ = ndimage.label(masks, structure=_PLANE if diagonal else _CROSS)
    return np.asarray(labels, dtype=np.int32)


def fill_holes(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what a mask encloses.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        One mask per image.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        The masks without holes.
    """
    outside = label(~masks, diagonal=False)
    open_to_border = np.zeros(int(outside.max(initial=0)) + 1, dtype=bool)
    for edge in (outside[:, 0], outside[:, -1], outside[:, :, 0], outside[:, :, -1]):
        open_to_border[edge] = True
    open_to_border[0] = False
    return ~open_to_border[outside]


def _grow_axis(masks: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    grown = masks.copy()
    source, target = np.moveaxis(masks, axis, 0), np.moveaxis(grown, axis, 0)
    target[1:] |= source[:-1]
    target[:-1] |= source[1:]
    return grown


def _grow_cross(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return _grow_axis(masks, 1) | _grow_axis(masks, 2)
