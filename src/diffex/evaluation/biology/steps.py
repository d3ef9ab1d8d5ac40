"""One planted factor changed exactly, and what that does to codes."""

import numpy as np
import torch
from torch import Tensor

from diffex.effects.arrays import FloatArray, IntArray
from diffex.generators import DiffusionAutoencoder
from diffex.images import PlantedCells

STEP_SD = 1.0
"""Of a change, in standard deviations of the factor."""


def drawn(count: int, seed: int) -> tuple[PlantedCells, FloatArray, IntArray]:
    """Draw what planted cells are rendered from.

    Parameters
    ----------
    count : int
        Cells.
    seed : int
        Of them.

    Returns
    -------
    (PlantedCells, ndarray, ndarray)
        The simulator, factors ``(count, 12)``, and a seed per cell ``(count,)``.
    """
    seeds = np.random.default_rng(seed).integers(2**31, size=count)
    cells = PlantedCells()
    return cells, cells.sample_factors(count, seed), seeds


def moved(cells: PlantedCells, factors: FloatArray, factor: str, sign: int) -> FloatArray:
    """Change one factor by `STEP_SD`.

    Parameters
    ----------
    cells : PlantedCells
        The simulator.
    factors : ndarray, shape (n, 12)
        Of the cells.
    factor : str
        Which.
    sign : int
        +1 or -1.

    Returns
    -------
    ndarray, shape (n, 12)
        Factors after the change.
    """
    return cells.do(factors, factor, delta=sign * STEP_SD)


@torch.no_grad()
def mean_step(generator: DiffusionAutoencoder, before: Tensor, after: Tensor) -> Tensor:
    """Give the direction in code space along which cells went.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Encodes.
    before, after : Tensor, shape (n, c, h, w)
        The same cells.

    Returns
    -------
    Tensor, shape (d,)
        Mean change of the codes.
    """
    return (generator.encode(after) - generator.encode(before)).mean(dim=0)
