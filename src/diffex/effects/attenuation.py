"""How much of the differences between images their renders show, measurement by measurement."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite

_FEWEST = 32
_KNOWN = 0.5
_FOLDS = 8
_NORMAL = 1.96  # standard errors of a 95 % interval
_RIDGES = np.logspace(-1, 4, 12)


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

    @classmethod
    def untold(cls, count: int) -> "Shown":
        """Nothing is known of `count` measurements."""
        return cls(*(np.full(count, np.nan),) * 2)

    def whole(self, change: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Divide changes by the share where it is told.

        Parameters
        ----------
        change : ndarray, shape (m,)
            Of every measurement, as rendered.

        Returns
        -------
        (ndarray, ndarray, ndarray), shape (m,) each
            What was divided by, the whole change, and the 95 % reach that the share's error adds to it.
        """
        share = np.where(np.isnan(self.share), 1.0, self.share)
        whole = change / share
        return share, whole, _NORMAL * np.abs(whole) * np.nan_to_num(self.error) / share


def shown(original: ArrayLike, null: ArrayLike, codes: ArrayLike) -> Shown:
    """Regress the measurements of null edits on what codes tell of those of the images themselves.

    A generator that renders an image again draws fine grains fainter, so that images which differ by 1 differ
    by less in their renders, and an edit of 1 shows less than 1. The slope says how much less. A plain
    regression would also count what no code knows, such as the place of each spot, and which edits do not
    lose; the codes' own prediction of each measurement (ridge, of images left out) serves as an instrument.

    Parameters
    ----------
    original, null : array_like, shape (n, m)
        Measurements of the same images, and of their null edits.
    codes : array_like, shape (n, d)
        Of these images.

    Returns
    -------
    Shown
        Not told for fewer than 32 images, and where codes do not tell a measurement (correlation below 0.5).

    Raises
    ------
    InputError
        If values are not finite or shapes differ.

    References
    ----------
    Fuller 1987, Measurement Error Models (attenuation; instrumental variables).

    Examples
    --------
    >>> images = np.linspace(0, 1, 40)[:, None]
    >>> shown(images, 0.8 * images + 0.1, images[::-1]).share.round(3)
    array([0.8])
    """
    x, y, z = finite(original, "original", 2), finite(null, "null", 2), finite(codes, "codes", 2)
    if x.shape != y.shape or len(z) != len(x):
        raise InputError(
            f"null got shape {y.shape} and codes {z.shape}, expected {x.shape} and as many codes: give the "
            "same images."
        )
    if len(x) < _FEWEST:
        return Shown.untold(x.shape[1])
    ridge = make_pipeline(StandardScaler(), RidgeCV(_RIDGES, alpha_per_target=True))
    told = np.asarray(cross_val_predict(ridge, z, x, cv=KFold(_FOLDS, shuffle=True, random_state=0)))
    x, y, told = (one - one.mean(axis=0) for one in (x, y, told.reshape(x.shape)))
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (told * x).sum(axis=0)
        share = (told * y).sum(axis=0) / along
        left = ((y - share * x) ** 2).mean(axis=0)
        error = np.sqrt(left * (told**2).sum(axis=0)) / along
        known = along / np.sqrt((told**2).sum(axis=0) * (x**2).sum(axis=0)) >= _KNOWN
    known &= share >= _KNOWN
    return Shown(np.where(known, share, np.nan), np.where(known, error, np.nan))
