"""Real cells of bbbc013_fkhr as a table, and planted cells as measured attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from diffex.images import PlantedCells
from diffex.images.planted_factors import CHANNEL_NAMES, FACTORS
from diffex.measurements import measure

RATIO = "gfp_nuc_ring_log2ratio"
"""The set's own log2 ratio of FKHR in the nucleus over the ring around it."""

PLAIN: Mapping[str, str] = {
    "nucleus_area": "area_um2",
    "nucleus_eccentricity": "eccentricity",
    "nucleus_intensity": "nucleus_mean_nucleus",
    "chromatin_granularity": "granularity_nucleus",
    "puncta_number": "puncta_count_organelle",
    "puncta_intensity": "puncta_contrast_organelle",
    "cytoplasm_intensity": "ring_mean_cytoplasm",
    "background_gradient": "rest_mean_nucleus",
}
"""The measurement that follows each planted factor best (rank correlation 0.8 or more on 300 cells)."""


def fkhr_table(folder: Path) -> pd.DataFrame:
    """Read the cells of bbbc013_fkhr.

    Parameters
    ----------
    folder : Path
        Of the set.

    Returns
    -------
    DataFrame
        A row per cell: ``label`` (negative, positive, dose), ``dose`` in nM, ``well``, `RATIO`.
    """
    return pd.read_csv(folder / "cells.csv")


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """Planted cells with shifted factors.

    Parameters
    ----------
    pixels : Tensor, shape (n, 3, h, w)
        Rendered.
    table : DataFrame, n rows
        Every quantity of `measure`.
    """

    pixels: Tensor
    table: pd.DataFrame


def planted_cells(shifts: NDArray[np.float64], seed: int) -> Drawn:
    """Draw planted cells, shift their factors, render and measure them.

    Parameters
    ----------
    shifts : ndarray, shape (n, 12)
        Added to each cell's factors, in standard deviations.
    seed : int
        Of the factors and the cells.

    Returns
    -------
    Drawn
        Pixels and measurements.
    """
    cells = PlantedCells()
    factors = cells.sample_factors(len(shifts), seed) + shifts
    seeds = np.random.default_rng(seed).integers(2**31, size=len(shifts))
    pixels, masks = cells.render(factors, seeds), cells.nucleus_masks(factors, seeds)
    return Drawn(pixels, measure(pixels, CHANNEL_NAMES, masks, cells.pixel_size_um))


def factor_column(name: str) -> int:
    """Give the position of a planted factor.

    Parameters
    ----------
    name : str
        One of `FACTORS`.

    Returns
    -------
    int
        Its column.
    """
    return FACTORS.index(name)
