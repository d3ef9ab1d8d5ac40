"""Factors: the numbers per image that a formula may read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from diffex.effects.arrays import FloatArray

_CONSTANT = 1e-9
_ALIKE = 0.95


@final
@dataclass(frozen=True)
class Factor:
    """What a symbol of a formula is.

    Parameters
    ----------
    name : str
        The symbol.
    words : str
        In a sentence.
    unit : str
        Empty for a pure number.
    """

    name: str
    words: str
    unit: str = ""


@final
@dataclass(frozen=True, eq=False)
class Factors:
    """Factors of a set of images.

    Parameters
    ----------
    meanings : tuple of Factor
        One per column.
    values : ndarray, shape (n, d)
        In their units.
    """

    meanings: tuple[Factor, ...]
    values: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """Symbols, in order."""
        return tuple(meaning.name for meaning in self.meanings)

    def columns(self, names: Sequence[str]) -> "Factors":
        """Keep some factors, in the order given."""
        places = [self.names.index(name) for name in names]
        return Factors(tuple(self.meanings[j] for j in places), self.values[:, places])

    def rows(self, rows: Sequence[int] | NDArray[np.bool_]) -> "Factors":
        """Keep some images."""
        return replace(self, values=self.values[np.asarray(rows)])


def representatives(values: FloatArray, alike: float = _ALIKE) -> tuple[int, ...]:
    """Keep one of each group of factors that say the same.

    Factors whose ranks correlate above `alike`, on average over their group, form a group (average linkage);
    its first column stands for it. Constant columns are left out.

    Parameters
    ----------
    values : ndarray, shape (n, d)
        Factors, in the order of preference.
    alike : float, default 0.95
        Absolute Spearman correlation.

    Returns
    -------
    tuple of int
        Columns kept, ascending.
    """
    moving = np.flatnonzero(values.std(axis=0) > _CONSTANT * np.abs(values).max(axis=0, initial=1e-300))
    if len(moving) < 2:
        return tuple(moving.tolist())
    distance = 1 - np.abs(np.corrcoef(rankdata(values[:, moving], axis=0).T))
    tree = hierarchy.linkage(squareform(np.clip(distance, 0, None), checks=False), "average")
    group = hierarchy.fcluster(tree, 1 - alike, "distance")
    return tuple(sorted(int(moving[np.flatnonzero(group == g)[0]]) for g in np.unique(group)))
