"""One measured quantity that tells a class by itself, from the labels alone."""

from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.effects.arrays import BoolArray, FloatArray
from diffex.rules.factors import Factor, Factors


@final
@dataclass(frozen=True)
class Yardstick:
    """A threshold on one quantity.

    Parameters
    ----------
    factor : Factor
        The quantity.
    threshold : float
        In its unit.
    above : bool
        Whether the class lies above it.
    accuracy : float
        Balanced, on the images that it was found on.
    """

    factor: Factor
    threshold: float
    above: bool
    accuracy: float

    def tells(self, factors: Factors) -> BoolArray:
        """Whether images are of the class, ``(n,)``."""
        values = factors.columns([self.factor.name]).values[:, 0]
        return np.asarray((values > self.threshold) == self.above)


def find_yardstick(factors: Factors, is_class: BoolArray, name: str | None = None) -> Yardstick:
    """Find the quantity, and the threshold, that tells a class best.

    Parameters
    ----------
    factors : Factors
        Measured on labelled images.
    is_class : ndarray of bool, shape (n,)
        True labels; both values occur.
    name : str, optional
        The quantity, where it is known.

    Returns
    -------
    Yardstick
        Halfway between the two neighbouring values with the largest balanced accuracy.

    Examples
    --------
    >>> measured = Factors((Factor("area", "area"),), np.array([[1.0], [2.0], [4.0], [5.0]]))
    >>> find_yardstick(measured, np.array([False, False, True, True])).threshold
    3.0
    """
    chosen = factors if name is None else factors.columns([name])
    found = [_best(chosen.meanings[j], chosen.values[:, j], is_class) for j in range(len(chosen.names))]
    return max(found, key=lambda one: one.accuracy)


def _best(factor: Factor, values: FloatArray, is_class: BoolArray) -> Yardstick:
    order = np.argsort(values, kind="stable")
    at, hit = values[order], is_class[order]
    above = 1 - np.cumsum(hit) / hit.sum()
    below = np.cumsum(~hit) / (~hit).sum()
    score = np.where(np.diff(at, append=at[-1]) > 0, (above + below) / 2, 0.5)
    place = int(np.abs(score - 0.5).argmax())
    middle = float((at[place] + at[min(place + 1, len(at) - 1)]) / 2)
    return Yardstick(factor, middle, bool(score[place] >= 0.5), float(max(score[place], 1 - score[place])))
