"""A small world where effects of latent directions are known: linear plus curved, different in each image."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from diffex.effects.nulls import RandomDirectionNull, random_direction_null, random_directions
from diffex.effects.prediction import predict

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class World:
    """Gradients (n, d), curvature, metric and covariance (d, d)."""

    gradients: FloatArray
    curvature: FloatArray
    metric: FloatArray
    covariance: FloatArray

    def effects(self, directions: FloatArray) -> FloatArray:
        """Effect per image and direction, ``(n, r)``."""
        curved = np.einsum("rd,de,re->r", directions, self.curvature, directions)
        return self.gradients @ directions.T + curved

    def steepest(self) -> FloatArray:
        """Direction ``(1, d)`` of size 1 with the largest linear effect."""
        mean = self.gradients.mean(axis=0)
        direction = np.linalg.solve(self.metric, mean)
        return (direction / np.sqrt(direction @ self.metric @ direction))[None]

    def random(self, count: int, seed: int) -> FloatArray:
        """Random directions of size 1, ``(count, d)``."""
        return random_directions(self.metric, self.covariance, 1.0, count, seed)

    def null(
        self, half: NDArray[np.bool_], seed: int, rendered: int = 64, known: float = 0.0
    ) -> RandomDirectionNull:
        """Null of random directions for the images in `half`; a share of the curvature is known to it."""
        gradients, bend = self.gradients[half], 2 * known * self.curvature
        null = random_direction_null(gradients, bend, self.metric, self.covariance, [1.0], seed=seed)
        tried = self.random(rendered, seed + 1)
        effects = np.stack([self.effects(v)[half].mean(axis=0) for v in (tried, -tried)], axis=1)
        return null.calibrated((effects, predict(gradients, bend, tried)), seed + 2)


def _make_world(seed: int, images: int, latents: int = 32, curve: float = 0.3) -> World:
    """Build a world whose random directions have linear effects of sd 1 and curved ones of sd `curve`."""
    random = np.random.default_rng(seed)
    square = (latents, latents)
    mixing, loading, bend = (random.normal(size=square) / np.sqrt(latents) for _ in range(3))
    metric = mixing @ mixing.T + 0.3 * np.eye(latents)
    covariance = loading @ loading.T + 0.1 * np.eye(latents)
    gradients = random.normal(size=latents) + 0.5 * random.normal(size=(images, latents))
    bend = bend + bend.T
    tried = random_directions(metric, covariance, 1.0, 500, seed)
    gradients /= np.std(tried @ gradients.mean(axis=0))
    bend *= curve / np.std(np.einsum("rd,de,re->r", tried, bend, tried))
    return World(gradients, bend, metric, covariance)


@pytest.fixture
def make_world() -> Callable[..., World]:
    """Give the builder of worlds."""
    return _make_world
