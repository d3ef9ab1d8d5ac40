"""Planted cells with the true place of every factor."""

from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from diffex.effects.arrays import BoolArray
from diffex.evaluation.bench import Bench
from diffex.evaluation.sets import in_memory
from diffex.images import Images, PlantedCells
from diffex.images.planted_factors import FACTORS

SMALLEST, LARGEST = 0.01, 0.5
"""Share of the image that a mask must have to be scored."""


@final
@dataclass(frozen=True, eq=False)
class Scene:
    """Cells and the pixels that each factor changes.

    Parameters
    ----------
    images : Images
        n cells.
    masks : ndarray of bool, shape (n, 12, h, w)
        Where the exact renderer changes a pixel when the factor goes from one standard deviation below to one
        above.
    """

    images: Images
    masks: BoolArray

    def union(self, active: BoolArray) -> BoolArray:
        """Give the pixels that any active factor changes, ``(n, h, w)``."""
        return np.asarray(self.masks[:, active].any(axis=1))


def scene(bench: Bench, count: int, seed: int) -> Scene:
    """Simulate cells with their masks.

    Parameters
    ----------
    bench : Bench
        Its seed.
    count : int
        Cells.
    seed : int
        Of the cells, to which the bench's is added.

    Returns
    -------
    Scene
        In memory.
    """
    cells = PlantedCells()
    factors = cells.sample_factors(count, seed + bench.seed)
    seeds = (seed + bench.seed) * 1_000_000 + np.arange(count)
    found = [cells.masks(factors, seeds, name).numpy() for name in FACTORS]
    return Scene(in_memory(cells.images_of(factors, seeds, prefix=f"scene-{seed}")), np.stack(found, axis=1))


def scorable(masks: BoolArray) -> BoolArray:
    """Mark the masks that are neither too small nor too large to be scored.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        Of one factor, or a union.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for 1 % to 50 % of the image.
    """
    shares = masks.mean(axis=(1, 2))
    return np.asarray((shares >= SMALLEST) & (shares <= LARGEST))


def summed(maps: Tensor) -> "np.ndarray[tuple[int, int, int], np.dtype[np.float64]]":
    """Sum absolute maps over channels.

    Parameters
    ----------
    maps : Tensor, shape (n, c, h, w)
        Of any sign.

    Returns
    -------
    ndarray, shape (n, h, w)
        Zero or more.
    """
    return np.asarray(maps.abs().sum(dim=1).double().numpy())
