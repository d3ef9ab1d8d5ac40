"""Does a map point where it should: five scores against a mask, with intervals over images."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray
from diffex.effects.intervals import Interval
from diffex.evaluation.resampling import bootstrap_mean

MEASURES: Final = ("auroc", "average_precision", "mass_accuracy", "rank_accuracy", "pointing_game")
"""Columns of `Localisation.images`."""


@final
@dataclass(frozen=True, eq=False)
class Localisation:
    """How well maps find masks.

    Parameters
    ----------
    images : DataFrame, n rows
        `MEASURES`, and ``area``: the mask's share of the image, which is what all but AUROC reach by chance.
    table : DataFrame
        ``value``, ``low`` and ``high`` of each measure: mean over images with a 95 % bootstrap interval.
    """

    images: pd.DataFrame
    table: pd.DataFrame

    def __repr__(self) -> str:
        """Give the table."""
        return f"{len(self.images)} images\n{self.table.round(3)}"

    def interval(self, measure: str = "auroc") -> Interval:
        """Give one measure with its interval.

        Parameters
        ----------
        measure : str, default "auroc"
            One of `MEASURES`.

        Returns
        -------
        Interval
            Over images.
        """
        value, low, high = (float(self.table[end].loc[measure]) for end in self.table)
        return Interval(value, low, high, len(self.images), len(self.images), "images")


def localise(map: ArrayLike, mask: ArrayLike, *, seed: int = 0, repeats: int = 1000) -> Localisation:
    r"""Score maps against masks of what should matter.

    Of a map the absolute values count, summed over channels. Per image, with `M` pixels in the mask:

    * AUROC: chance that a pixel of the mask is above one outside; ties count half.
    * average precision: area under precision against recall.
    * mass accuracy: share of :math:`\sum |map|` within the mask.
    * rank accuracy: share of the `M` highest pixels within the mask.
    * pointing game: whether the highest pixel is in the mask.

    Pixels that tie share a place, and a map that is 0 everywhere counts as flat, so a map that says nothing
    scores as chance does.

    Parameters
    ----------
    map : array_like, shape (n, h, w) or (n, c, h, w)
        Saliency, or the change made by an edit, of any sign and scale.
    mask : array_like of bool, shape (n, h, w)
        True (or 1) where the map should be high; neither empty nor full in any image.
    seed : int, default 0
        Of the bootstrap over images.
    repeats : int, default 1000
        Resamples.

    Returns
    -------
    Localisation
        Scores per image, and their means with 95 % intervals.

    Raises
    ------
    InputError
        If shapes disagree, a value is not finite, or a mask is empty, full, or not of 0 and 1.

    References
    ----------
    Arras, Osman & Samek 2022, "CLEVR-XAI" (mass and rank accuracy); Zhang et al. 2016, "Top-down neural
    attention by excitation backprop" (pointing game).

    Examples
    --------
    >>> found = localise([[[4.0, 2.0], [1.0, 1.0]]], [[[True, True], [False, False]]])
    >>> found.interval("mass_accuracy").value
    0.75
    """
    maps = checked_maps(map)
    masks = checked_masks(mask, maps.shape)
    flat, inside = maps.reshape(len(maps), -1), masks.reshape(len(masks), -1)
    images = pd.DataFrame({name: score(flat, inside) for name, score in _SCORES.items()})
    rows = [bootstrap_mean(images[name].to_numpy(), seed, repeats) for name in MEASURES]
    table = pd.DataFrame(rows, index=list(MEASURES), columns=["value", "low", "high"])
    return Localisation(images.assign(area=inside.mean(axis=1)), table)


def checked_maps(map: ArrayLike) -> FloatArray:
    """Turn maps into sums of absolute values over channels.

    Parameters
    ----------
    map : array_like, shape (n, h, w) or (n, c, h, w)
        Of any sign.

    Returns
    -------
    ndarray, shape (n, h, w)
        Zero or more.

    Raises
    ------
    InputError
        If the shape is another, there is no image, or a value is NaN or infinite.
    """
    array = np.asarray(map, dtype=np.float64)
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise InputError(
            f"map got shape {array.shape}, expected (n, h, w) or (n, c, h, w): reshape it first."
        )
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if bad.any():
        raise InputError(
            f"map {int(bad.argmax())} holds NaN or infinite values, expected finite: leave the image out."
        )
    absolute = np.abs(array)
    return absolute if array.ndim == 3 else np.asarray(absolute.sum(axis=1))


def checked_masks(mask: ArrayLike, shape: tuple[int, ...]) -> BoolArray:
    """Check masks against maps.

    Parameters
    ----------
    mask : array_like, shape (n, h, w)
        Of 0 and 1.
    shape : tuple of int
        ``(n, h, w)`` of the maps.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        The masks.

    Raises
    ------
    InputError
        If the shape differs, values are not 0 and 1, or a mask is empty or full.
    """
    array = np.asarray(mask)
    if array.shape != shape:
        raise InputError(
            f"mask got shape {array.shape}, expected {shape} as the maps have: resize the masks."
        )
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise InputError("mask got values other than 0 and 1, expected a mask: compare it with a threshold.")
    shares = array.astype(bool).reshape(len(array), -1).mean(axis=1)
    for share, word in ((0.0, "empty"), (1.0, "full")):
        if (shares == share).any():
            image = int((shares == share).argmax())
            raise InputError(
                f"mask {image} is {word}, expected pixels both inside and outside: leave the image out."
            )
    return array.astype(bool)


def auroc(maps: FloatArray, inside: BoolArray) -> FloatArray:
    """Chance that a pixel inside is above one outside, per image.

    Parameters
    ----------
    maps : ndarray, shape (n, p)
        Values of pixels.
    inside : ndarray of bool, shape (n, p)
        The masks.

    Returns
    -------
    ndarray, shape (n,)
        0.5 by chance.
    """
    count = inside.sum(axis=1)
    ranks = (rankdata(maps, axis=1) * inside).sum(axis=1)
    return np.asarray((ranks - count * (count + 1) / 2) / (count * (inside.shape[1] - count)))


def _average_precision(maps: FloatArray, inside: BoolArray) -> FloatArray:
    return np.array([average_precision_score(truth, one) for one, truth in zip(maps, inside, strict=True)])


def mass_accuracy(maps: FloatArray, inside: BoolArray) -> FloatArray:
    """Share of the map within the mask, per image; the mask's area for a map of zeros.

    Parameters
    ----------
    maps : ndarray, shape (n, p)
        Zero or more.
    inside : ndarray of bool, shape (n, p)
        The masks.

    Returns
    -------
    ndarray, shape (n,)
        0 to 1.
    """
    some = np.where(maps.sum(axis=1, keepdims=True) > 0, maps, 1.0)
    return np.asarray((some * inside).sum(axis=1) / some.sum(axis=1))


def _rank_accuracy(maps: FloatArray, inside: BoolArray) -> FloatArray:
    return np.array([_inside_top(m, t, int(t.sum())) for m, t in zip(maps, inside, strict=True)])


def _pointing_game(maps: FloatArray, inside: BoolArray) -> FloatArray:
    return np.array([_inside_top(m, t, 1) for m, t in zip(maps, inside, strict=True)])


def _inside_top(values: FloatArray, inside: BoolArray, count: int) -> float:
    """Share of the `count` highest pixels that are inside; those that tie for the last places share them."""
    last = np.partition(values, -count)[-count]
    above, tied = values > last, values == last
    places = count - int(above.sum())
    return float(((above & inside).sum() + places * inside[tied].mean()) / count)


_SCORES = dict(
    zip(MEASURES, (auroc, _average_precision, mass_accuracy, _rank_accuracy, _pointing_game), strict=True)
)
