"""How much of the differences between images their renders show, measurement by measurement."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite

_FEWEST = 16
_FAITHFUL = 0.9


@final
@dataclass(frozen=True, eq=False)
class Shown:
    """What renders show of the differences between images.

    Parameters
    ----------
    share : ndarray, shape (m,)
        Of each measurement; NaN where it cannot be told.
    error : ndarray, shape (m,)
        Its standard error.
    """

    share: FloatArray
    error: FloatArray


def shown(original: ArrayLike, null: ArrayLike) -> Shown:
    """Regress the measurements of null edits on those of the images themselves.

    A generator that renders an image again draws fine grains fainter and moves small spots, so that images
    which differ by 1 differ by less in their renders, and an edit of 1 shows less than 1. The slope says how
    much less. It holds for edits that move a measurement as images differ in it.

    Parameters
    ----------
    original, null : array_like, shape (n, m)
        Measurements of the same images, and of their null edits.

    Returns
    -------
    Shown
        Not told for fewer than 16 images, where a measurement does not vary, or where renders follow images
        loosely (correlation below 0.9): then the slope is lowered by what the code does not know of single
        images, such as the place of each spot, and edits are not.

    Raises
    ------
    InputError
        If values are not finite or shapes differ.

    References
    ----------
    Fuller 1987, Measurement Error Models (attenuation).

    Examples
    --------
    >>> images = np.linspace(0, 1, 20)[:, None]
    >>> shown(images, 0.8 * images + 0.1).share.round(3)
    array([0.8])
    """
    x, y = finite(original, "original", 2), finite(null, "null", 2)
    if x.shape != y.shape:
        raise InputError(f"null got shape {y.shape}, expected {x.shape}: measure the same images.")
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    varied, count = (x**2).sum(axis=0), len(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (x * y).sum(axis=0) / varied
        left = ((y - share * x) ** 2).sum(axis=0)
        error = np.sqrt(left / max(count - 2, 1) / varied)
        follows = share * np.sqrt(varied / (y**2).sum(axis=0)) >= _FAITHFUL
    told = follows & (count >= _FEWEST)
    return Shown(np.where(told, share, np.nan), np.where(told, error, np.nan))
