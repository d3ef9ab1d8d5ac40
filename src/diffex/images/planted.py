"""Planted cells: simulated microscopy in which every factor, and every edit of it, is known exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.hashing import hash_value
from diffex.base.noise import derive_seed
from diffex.images.images import Images
from diffex.images.planted_factors import CHANNEL_NAMES, FACTORS, check_factors, factor_index
from diffex.images.planted_labels import LabelRule
from diffex.images.planted_render import (
    FRAME,
    SCENE_PIXEL_UM,
    add_noise,
    clean_scene,
    nucleus_mask,
    seeded,
)

CLASS_NAMES = ("control", "treated")
MASK_EPS = 0.02
_SIZES = (32, 256)
_RENDERER = "planted-3"  # raise it when the pixels of a given cell change: fingerprints hang on it


@final
@dataclass(frozen=True, eq=False)
class PlantedCells:
    """A simulator of fluorescence cells with twelve known factors.

    Three channels (nucleus, cytoplasm, organelle) in 0..1. Each factor is N(0, 1) and goes through a monotone
    map to a physical value (`diffex.images.planted_factors.DETAILS`). Pose, blur, shape, the bend of textures
    and camera noise come from the cell's seed, so rendering changed factors with the same seed is an exact
    counterfactual.

    Parameters
    ----------
    size : int, default 64
        Height and width in pixels, 32 to 256. The scene is 32 um wide at any size, only the sampling differs.
    correlation : ndarray, shape (12, 12), optional
        Correlation of the factors, in the order of `FACTORS`. Default: independent.

    Raises
    ------
    InputError
        If the size is out of range or the matrix is no correlation matrix.

    Examples
    --------
    >>> cells = PlantedCells()
    >>> factors = cells.sample_factors(2, seed=0)
    >>> bigger = cells.do(factors, "nucleus_area", delta=1.0)
    >>> tuple(cells.render(bigger, [1, 2]).shape)
    (2, 3, 64, 64)
    """

    size: int = 64
    correlation: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        if not _SIZES[0] <= self.size <= _SIZES[1]:
            raise InputError(f"size got {self.size}, expected {_SIZES[0]} to {_SIZES[1]} pixels.")
        if self.correlation is not None:
            _check_correlation(np.asarray(self.correlation, dtype=np.float64))

    @property
    def pixel_size_um(self) -> float:
        """Micrometres per pixel: 0.5 at 64 px."""
        return SCENE_PIXEL_UM * FRAME / self.size

    def sample_factors(self, n: int, seed: int) -> NDArray[np.float64]:
        """Draw factors, standard normal with the simulator's correlation.

        Parameters
        ----------
        n : int
            Number of cells.
        seed : int
            The first rows do not depend on `n`.

        Returns
        -------
        ndarray, shape (n, 12)
            A column per factor, in the order of `FACTORS`.
        """
        normal = np.random.default_rng(derive_seed("planted factors", seed)).standard_normal(
            (n, len(FACTORS))
        )
        if self.correlation is None:
            return normal
        values, vectors = np.linalg.eigh(np.asarray(self.correlation, dtype=np.float64))
        return np.asarray(normal @ (vectors * np.sqrt(np.clip(values, 0, None))).T)

    def do(
        self,
        factors: ArrayLike,
        factor_name: str,
        value: ArrayLike | None = None,
        *,
        delta: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Intervene on one factor and leave the others as they are.

        Parameters
        ----------
        factors : array_like, shape (n, 12)
            Factor values, in standard deviations.
        factor_name : str
            One of `FACTORS`.
        value : float or array_like, shape (n,), optional
            Set the factor to this.
        delta : float or array_like, shape (n,), optional
            Or add this to it.

        Returns
        -------
        ndarray, shape (n, 12)
            A changed copy; render it with the same seeds for the exact counterfactual.

        Raises
        ------
        InputError
            If the factor is unknown, or not exactly one of `value` and `delta` is given.
        """
        changed, column = check_factors(factors).copy(), factor_index(factor_name)
        if (value is None) == (delta is None):
            raise InputError("do() got both or neither of value and delta: give exactly one.")
        changed[:, column] = value if delta is None else changed[:, column] + np.asarray(delta)
        return changed

    def render(
        self, factors: ArrayLike, seeds: Sequence[int] | NDArray[np.int64], *, noise: bool = True
    ) -> Tensor:
        """Render cells.

        One cell at a time: a cell's pixels depend on its factors and seed alone, bit for bit.

        Parameters
        ----------
        factors : array_like, shape (n, 12)
            Factor values, in standard deviations.
        seeds : sequence of int, shape (n,)
            A seed per cell: pose, blur, textures, places of puncta, camera noise.
        noise : bool, default True
            Whether the camera adds its noise.

        Returns
        -------
        Tensor
            ``(n, 3, h, w)``, float32, in 0..1.

        Raises
        ------
        InputError
            If shapes disagree or a seed is negative.
        """
        table, numbers = _check_cells(factors, seeds)
        pixels = np.empty((len(table), len(CHANNEL_NAMES), self.size, self.size), dtype=np.float32)
        for row, (cell, seed) in enumerate(zip(table, numbers, strict=True)):
            nuisance, rng = seeded(seed)
            scene = clean_scene(cell, nuisance, self.size)
            pixels[row] = add_noise(scene, rng) if noise else scene
        return torch.from_numpy(pixels)

    def masks(
        self,
        factors: ArrayLike,
        seeds: Sequence[int] | NDArray[np.int64],
        factor_name: str,
        delta: float = 1.0,
        eps: float = MASK_EPS,
    ) -> Tensor:
        """Find the pixels that a factor changes.

        Parameters
        ----------
        factors : array_like, shape (n, 12)
            Factor values, in standard deviations.
        seeds : sequence of int, shape (n,)
            A seed per cell.
        factor_name : str
            One of `FACTORS`.
        delta : float, default 1.0
            The factor goes from minus to plus this, around its own value, without noise.
        eps : float, default 0.02
            Smallest change of any channel that counts, in the value range 0..1.

        Returns
        -------
        Tensor
            ``(n, h, w)``, bool.

        Raises
        ------
        InputError
            If shapes disagree or the factor is unknown.
        """
        up = self.render(self.do(factors, factor_name, delta=delta), seeds, noise=False)
        down = self.render(self.do(factors, factor_name, delta=-delta), seeds, noise=False)
        return (up - down).abs().amax(1) > eps

    def nucleus_masks(self, factors: ArrayLike, seeds: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Give the true nuclei.

        Parameters
        ----------
        factors : array_like, shape (n, 12)
            Factor values, in standard deviations.
        seeds : sequence of int, shape (n,)
            A seed per cell.

        Returns
        -------
        Tensor
            ``(n, h, w)``, bool.

        Raises
        ------
        InputError
            If shapes disagree or a seed is negative.
        """
        table, numbers = _check_cells(factors, seeds)
        masks = np.empty((len(table), self.size, self.size), dtype=bool)
        for row, (cell, seed) in enumerate(zip(table, numbers, strict=True)):
            masks[row] = nucleus_mask(cell, seeded(seed)[0], self.size)
        return torch.from_numpy(masks)

    def images(self, n: int, seed: int, *, rule: LabelRule | None = None, wells: int = 12) -> Images:
        """Make a set of cells, rendered when read.

        Parameters
        ----------
        n : int
            Number of cells.
        seed : int
            Of factors, cells and labels; another seed gives other cells.
        rule : LabelRule, optional
            Gives the labels, class names ``control`` and ``treated``, and may tie a shortcut to them.
        wells : int, default 12
            Number of synthetic wells, the groups; cells are dealt to them in turn.

        Returns
        -------
        Images
            With nucleus masks and a column ``factor_<name>`` per factor.
        """
        factors = self.sample_factors(n, seed)
        labels = None if rule is None else rule.labels(factors, seed)
        factors = factors if rule is None else rule.apply(factors, seed)
        seeds = np.array([derive_seed("planted cell", seed, i) for i in range(n)], dtype=np.int64)
        return self.images_of(factors, seeds, labels=labels, wells=wells, prefix=f"planted-{seed}")

    def images_of(
        self,
        factors: ArrayLike,
        seeds: Sequence[int] | NDArray[np.int64],
        *,
        labels: NDArray[np.int64] | None = None,
        wells: int = 12,
        prefix: str = "planted",
    ) -> Images:
        """Make a set of the cells given, rendered when read.

        Parameters
        ----------
        factors : array_like, shape (n, 12)
            Factor values, in standard deviations, for example from `do`.
        seeds : sequence of int, shape (n,)
            A seed per cell.
        labels : ndarray of int, shape (n,), optional
            0 (``control``) or 1 (``treated``).
        wells : int, default 12
            Number of synthetic wells, the groups.
        prefix : str, default "planted"
            Start of the ids.

        Returns
        -------
        Images
            With nucleus masks and a column ``factor_<name>`` per factor.

        Raises
        ------
        InputError
            If shapes disagree or a seed is negative.
        """
        table, numbers = _check_cells(factors, seeds)
        count = len(table)
        return Images(
            source=PlantedSource(self, table, tuple(numbers)),
            rows=np.arange(count),
            ids=tuple(f"{prefix}-{i:06d}" for i in range(count)),
            channel_names=CHANNEL_NAMES,
            value_range=(0.0, 1.0),
            size=(self.size, self.size),
            labels=labels,
            class_names=CLASS_NAMES if labels is not None else (),
            groups=np.array([f"well-{i % wells + 1:02d}" for i in range(count)], dtype=np.str_),
            table=pd.DataFrame(table, columns=[f"factor_{name}" for name in FACTORS]),
            pixel_size_um=self.pixel_size_um,
            has_masks=True,
        )


@final
@dataclass(frozen=True, eq=False)
class PlantedSource:
    """Pixels and nucleus masks of planted cells, rendered when read.

    Parameters
    ----------
    cells : PlantedCells
        The simulator.
    factors : ndarray, shape (n, 12)
        Factor values, in standard deviations.
    seeds : tuple of int
        A seed per cell.
    """

    cells: PlantedCells
    factors: NDArray[np.float64]
    seeds: tuple[int, ...]

    def read(self, index: int) -> NDArray[np.float32]:
        """Render cell `index`, ``(3, h, w)``."""
        pixels = self.cells.render(self.factors[index : index + 1], self.seeds[index : index + 1])
        return np.asarray(pixels[0].numpy())

    def read_mask(self, index: int) -> NDArray[np.bool_]:
        """Give the nucleus of cell `index`, ``(h, w)``."""
        masks = self.cells.nucleus_masks(self.factors[index : index + 1], self.seeds[index : index + 1])
        return np.asarray(masks[0].numpy())

    def fingerprint(self, index: int) -> str:
        """Hash what the pixels of cell `index` follow from."""
        return hash_value([_RENDERER, self.cells.size, self.seeds[index], self.factors[index]])


def _check_cells(
    factors: ArrayLike, seeds: Sequence[int] | NDArray[np.int64]
) -> tuple[NDArray[np.float64], list[int]]:
    table, numbers = check_factors(factors), [int(seed) for seed in seeds]
    if len(table) != len(numbers):
        raise InputError(f"seeds got {len(numbers)} values, expected {len(table)}: one per row of factors.")
    if numbers and min(numbers) < 0:
        raise InputError(f"seeds got {min(numbers)}, expected whole numbers of 0 or more.")
    return table, numbers


def _check_correlation(matrix: NDArray[np.float64]) -> None:
    count = len(FACTORS)
    if matrix.shape != (count, count):
        raise InputError(f"correlation got shape {matrix.shape}, expected ({count}, {count}).")
    if not (np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1)):
        raise InputError("correlation is not symmetric with ones on its diagonal: give a correlation matrix.")
    if np.linalg.eigvalsh(matrix).min() < -1e-8:
        raise InputError("correlation has a negative eigenvalue: bring its entries closer to 0.")
