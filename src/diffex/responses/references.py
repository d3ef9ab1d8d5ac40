"""What responders are compared with: control cells, treated cells, and control cells that have moved."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite
from diffex.effects.replication import Units, replication_units
from diffex.responses.mixture import smoothed_shares

FEWEST_CELLS = 20
"""Fewer cells than this carry no distribution."""

LEAST_SHIFT = 1.0
"""Control standard deviations that a responder has moved at least, where no treated cells are given."""

_BINS = 40
_SPREADS = (0.75, 1.0, 1.35, 1.8)
_STEPS = 48


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """Values of cells, and the wells they lie in.

    Parameters
    ----------
    values : ndarray, shape (n,)
        One number per cell: a score, a logit, a measurement.
    units : Units
        Wells where there are 6 or more, else cells.
    """

    values: FloatArray
    units: Units

    def resamples(self, repeats: int, seed: int) -> Iterator[FloatArray]:
        """Draw units with repetition, whole.

        Parameters
        ----------
        repeats : int
            How many resamples.
        seed : int
            Of the draws.

        Yields
        ------
        ndarray
            Values of one resample.
        """
        for rows in self.units.resamples(repeats, seed):
            yield self.values[rows]

    def splits(self, wells: int, repeats: int, seed: int) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Set some cells apart at random, whole wells where there are 6 or more.

        Parameters
        ----------
        wells : int
            How many wells to set apart, at most half of them; half of the cells where there are fewer wells.
        repeats : int
            Splits.
        seed : int
            Of the splits.

        Yields
        ------
        (ndarray, ndarray)
            Values of the cells set apart, and of the others.
        """
        random, count = np.random.default_rng(seed), len(self.units.sizes)
        apart = count // 2 if self.units.unit == "images" else min(wells, count // 2)
        for _ in range(repeats):
            first = np.isin(self.units.codes, random.permutation(count)[:apart])
            yield self.values[first], self.values[~first]


def as_cells(values: ArrayLike, name: str, wells: NDArray[np.generic] | None) -> Cells:
    """Check the values of some cells.

    Parameters
    ----------
    values : array_like, shape (n,)
        One number per cell.
    name : str
        What they are called in an error.
    wells : ndarray, shape (n,), optional
        Well of each cell.

    Returns
    -------
    Cells
        With wells where there are 6 or more.

    Raises
    ------
    InputError
        If there are fewer than 20 cells, values are not finite, or wells do not match.
    """
    array = finite(values, name, 1)
    if len(array) < FEWEST_CELLS:
        raise InputError(f"{name} got {len(array)} cells, expected {FEWEST_CELLS} or more: give more cells.")
    return Cells(array, replication_units(len(array), wells))


def inner_edges(*values: FloatArray) -> FloatArray:
    """Cut the number line into bins that hold equally many of all cells.

    Parameters
    ----------
    *values : ndarray, shape (n,)
        Sets of cells.

    Returns
    -------
    ndarray, shape (k - 1,)
        Ascending, distinct; up to 40 bins, fewer for few cells or few distinct values.
    """
    pooled = np.concatenate(values)
    bins = int(np.clip(np.sqrt(len(pooled)), 6, _BINS))
    return np.unique(np.quantile(pooled, np.arange(1, bins) / bins))


def spread_of(values: FloatArray) -> float:
    """Measure the spread without its tails.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Of cells.

    Returns
    -------
    float
        Standard deviation of a normal set with the same quartiles; the plain one if that is 0, 1 if both are.
    """
    low, high = np.quantile(values, (0.25, 0.75))
    return float((high - low) / 1.349) or float(values.std()) or 1.0


@final
@dataclass(frozen=True, eq=False)
class Moves:
    """Ways in which a whole set of control cells can move: by so much, and spread out so much.

    Parameters
    ----------
    shifts : ndarray, shape (j,)
        In control standard deviations.
    spreads : ndarray, shape (j,)
        Factor on the distance from the median.
    """

    shifts: FloatArray
    spreads: FloatArray

    def ratios(self, control: FloatArray, edges: FloatArray, shares: FloatArray) -> FloatArray:
        """Give the density of moved controls over that of controls, by bin.

        Parameters
        ----------
        control : ndarray, shape (n,)
            Values.
        edges : ndarray, shape (k - 1,)
            Of the bins.
        shares : ndarray, shape (k,)
            Of controls by bin, from `smoothed_shares`.

        Returns
        -------
        ndarray, shape (j, k)
            Positive.
        """
        centre, unit = float(np.median(control)), spread_of(control)
        back = (edges - centre - self.shifts[:, None] * unit) / self.spreads[:, None] + centre  # (j, k - 1)
        ranks = (np.arange(len(control)) + 0.5) / len(control)
        below = np.interp(back, np.sort(control), ranks, left=0.0, right=1.0)
        ends = np.zeros((len(back), 1)), np.ones((len(back), 1))
        moved = np.diff(np.concatenate([ends[0], below, ends[1]], axis=1), axis=1)
        return np.asarray(smoothed_shares(moved * len(control)) / shares)

    def apply(self, which: int, values: FloatArray, control: FloatArray) -> FloatArray:
        """Move cells.

        Parameters
        ----------
        which : int
            Row of the moves.
        values : ndarray
            Of the cells.
        control : ndarray, shape (n,)
            Whose median and spread are the measure.

        Returns
        -------
        ndarray
            Of the shape of `values`.
        """
        centre, unit = float(np.median(control)), spread_of(control)
        moved = centre + self.shifts[which] * unit + self.spreads[which] * (values - centre)
        return np.asarray(moved, dtype=np.float64)


def moves_between(control: FloatArray, *others: FloatArray) -> Moves:
    """List moves that reach as far as any of the other cells.

    Parameters
    ----------
    control : ndarray, shape (n,)
        Values.
    *others : ndarray
        Values of cells that may have moved.

    Returns
    -------
    Moves
        48 shifts by 4 spreads, and no move at all first.
    """
    unit = spread_of(control)
    far = np.quantile(np.concatenate(others), (0.005, 0.995)) - np.median(control)
    low, high = min(far[0] / unit, -2.0), max(far[1] / unit, 2.0)
    pairs = np.array([(0.0, 1.0), *product(np.linspace(low, high, _STEPS), _SPREADS)])
    return Moves(pairs[:, 0], pairs[:, 1])
