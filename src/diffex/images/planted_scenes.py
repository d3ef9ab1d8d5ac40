"""Planted scenes: simulated fields of several cells, with crowding, division and debris known exactly."""

from collections.abc import Sequence
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
from diffex.images.planted_factors import CHANNEL_NAMES, FACTORS
from diffex.images.planted_render import Plane, add_noise, clean_scene, seeded

SCENE_FACTORS = ("crowding", "dividing", "debris")
SCENE_SIZE = 64
_TILE = 24  # pixels of one cell's frame
_MOST_CELLS, _MOST_SPECKS = 10, 8
_EMPTY = np.array([0.03, 0.05, 0.04], dtype=np.float32)
_SPECK = np.array([0.75, 0.95, 1.0], dtype=np.float32)
_RENDERER = "scenes-1"  # raise it when the pixels of a given scene change


@final
class PlantedScenes:
    """A simulator of fields with three known factors.

    Three channels (nucleus, cytoplasm, organelle) in 0..1, 64 px. Factors are N(0, 1): ``crowding`` gives 2
    to 10 cells, ``dividing`` shows a dividing cell in the middle where it is positive, ``debris`` gives 0 to
    8 bright specks. Places, shapes and noise come from the scene's seed, so rendering changed factors with
    the same seed is an exact counterfactual.

    Examples
    --------
    >>> scenes = PlantedScenes()
    >>> tuple(scenes.render([[0.0, 1.0, 0.0]], [7]).shape)
    (1, 3, 64, 64)
    """

    def sample_factors(self, n: int, seed: int) -> NDArray[np.float64]:
        """Draw factors, independent standard normal, ``(n, 3)`` in the order of `SCENE_FACTORS`."""
        rng = np.random.default_rng(derive_seed("scene factors", seed))
        return rng.standard_normal((n, len(SCENE_FACTORS)))

    def render(self, factors: ArrayLike, seeds: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Render scenes, one at a time.

        Parameters
        ----------
        factors : array_like, shape (n, 3)
            Factor values, in standard deviations.
        seeds : sequence of int, shape (n,)
            A seed per scene.

        Returns
        -------
        Tensor
            ``(n, 3, 64, 64)``, float32, in 0..1.

        Raises
        ------
        InputError
            If shapes disagree or a factor is not finite.
        """
        table = check_scene_factors(factors, len(seeds))
        scenes = [_scene(row, int(seed)) for row, seed in zip(table, seeds, strict=True)]
        return torch.from_numpy(np.stack(scenes))

    def images(self, n: int, seed: int, *, labels: NDArray[np.int64] | None = None) -> Images:
        """Make a set of scenes, rendered when read.

        Parameters
        ----------
        n : int
            Number of scenes.
        seed : int
            Of factors and scenes.
        labels : ndarray of int, shape (n,), optional
            0 (``control``) or 1 (``treated``).

        Returns
        -------
        Images
            With a column ``factor_<name>`` per factor.
        """
        factors = self.sample_factors(n, seed)
        seeds = tuple(derive_seed("planted scene", seed, i) for i in range(n))
        return Images(
            source=SceneSource(self, factors, seeds),
            rows=np.arange(n),
            ids=tuple(f"scene-{seed}-{i:06d}" for i in range(n)),
            channel_names=CHANNEL_NAMES,
            value_range=(0.0, 1.0),
            size=(SCENE_SIZE, SCENE_SIZE),
            labels=labels,
            class_names=("control", "treated") if labels is not None else (),
            groups=np.array([f"well-{i % 12 + 1:02d}" for i in range(n)], dtype=np.str_),
            table=pd.DataFrame(factors, columns=[f"factor_{name}" for name in SCENE_FACTORS]),
            pixel_size_um=None,
            has_masks=False,
        )


@final
class SceneSource:
    """Pixels of planted scenes, rendered when read.

    Parameters
    ----------
    scenes : PlantedScenes
        The simulator.
    factors : ndarray, shape (n, 3)
        Factor values, in standard deviations.
    seeds : tuple of int
        A seed per scene.
    """

    def __init__(self, scenes: PlantedScenes, factors: NDArray[np.float64], seeds: tuple[int, ...]) -> None:
        self.scenes, self.factors, self.seeds = scenes, factors, seeds

    def read(self, index: int) -> NDArray[np.float32]:
        """Render scene `index`, ``(3, 64, 64)``."""
        pixels = self.scenes.render(self.factors[index : index + 1], self.seeds[index : index + 1])
        return np.asarray(pixels[0].numpy())

    def read_mask(self, index: int) -> NDArray[np.bool_]:
        """Refuse: a scene has many objects."""
        raise InputError(f"scene {index} has no object mask: a scene holds several cells.")

    def fingerprint(self, index: int) -> str:
        """Hash what the pixels of scene `index` follow from."""
        return hash_value([_RENDERER, self.seeds[index], self.factors[index]])


def check_scene_factors(factors: ArrayLike, count: int) -> NDArray[np.float64]:
    """Check a table of scene factors.

    Parameters
    ----------
    factors : array_like, shape (count, 3)
        In standard deviations.
    count : int
        Scenes.

    Returns
    -------
    ndarray, shape (count, 3)
        In float64.

    Raises
    ------
    InputError
        If the shape is another or a value is not finite.
    """
    table = np.asarray(factors, dtype=np.float64)
    if table.shape != (count, len(SCENE_FACTORS)):
        raise InputError(f"factors got shape {table.shape}, expected ({count}, {len(SCENE_FACTORS)}).")
    if not np.isfinite(table).all():
        raise InputError("factors hold NaN or Inf: give finite numbers of standard deviations.")
    return table


def _share(factor: float) -> float:
    return float(0.5 + 0.5 * np.tanh(0.8 * factor))


def _scene(factors: NDArray[np.float64], seed: int) -> Plane:
    crowding, dividing, debris = (float(f) for f in factors)
    rng = np.random.default_rng(derive_seed("scene", seed))
    corners = _corners(rng)
    looks = rng.standard_normal((_MOST_CELLS, len(FACTORS))) * 0.5
    looks[:, -2:] = -6.0  # no gradient, no debris of a single cell's own
    specks = rng.uniform(3, SCENE_SIZE - 4, (_MOST_SPECKS, 2)).astype(int)
    angle = rng.uniform(0, np.pi)
    scene = np.tile(_EMPTY[:, None, None], (1, SCENE_SIZE, SCENE_SIZE))
    if dividing > 0:
        _lay(scene, _division(angle), (SCENE_SIZE - _TILE) // 2, (SCENE_SIZE - _TILE) // 2)
    for i in range(2 + round((_MOST_CELLS - 2) * _share(crowding))):
        tile = clean_scene(looks[i], seeded(derive_seed("scene cell", seed, i))[0], _TILE)
        _lay(scene, tile, *corners[i])
    for top, left in specks[: round(_MOST_SPECKS * _share(debris))]:
        scene[:, top : top + 2, left : left + 2] = _SPECK[:, None, None]
    return add_noise(scene, rng)


def _corners(rng: np.random.Generator) -> list[tuple[int, int]]:
    """Places of cells: each is the freest of a few random ones; the middle is kept for a division."""
    chosen = [(SCENE_SIZE - _TILE) / 2 * np.ones(2)]
    for _ in range(_MOST_CELLS):
        tried = rng.uniform(-4, SCENE_SIZE - _TILE + 4, (12, 2))
        free = np.min([np.linalg.norm(tried - at, axis=1) for at in chosen], axis=0)
        chosen.append(tried[int(free.argmax())])
    return [(int(at[0]), int(at[1])) for at in chosen[1:]]


def _division(angle: float) -> Plane:
    """Draw two small bright nuclei in one rounded, pinched cell."""
    axis = np.arange(_TILE) - (_TILE - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    along, across = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    halves = [np.hypot(along - side * 3.6, across) for side in (-1, 1)]
    body = np.max([1 / (1 + np.exp(1.6 * (h - 5.6))) for h in halves], axis=0)
    nuclei = np.max(
        [np.exp(-0.5 * ((along - s * 3.6) ** 2 / 1.4 + across**2 / 6.0)) for s in (-1, 1)], axis=0
    )
    return np.stack([0.9 * nuclei, 0.75 * body, 0.3 * body]).astype(np.float32)


def _lay(scene: Plane, tile: Plane, top: int, left: int) -> None:
    """Lay a tile over the scene, in place, the brighter of both."""
    rows = slice(max(top, 0), min(top + _TILE, SCENE_SIZE))
    columns = slice(max(left, 0), min(left + _TILE, SCENE_SIZE))
    part = tile[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    np.maximum(scene[:, rows, columns], part, out=scene[:, rows, columns])
