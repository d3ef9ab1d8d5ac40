"""The planted cell's renderer: an analytic fluorescence scene, the same at any sampling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.images.planted_factors import DETAILS

Plane = NDArray[np.float32]

# Lengths are in scene pixels: the frame is 64 wide whatever the sampling, 0.5 um each.
FRAME = 64.0
SCENE_PIXEL_UM = 0.5
_PUNCTA = 24  # candidates per cell; the factor decides how many of the list are lit
_PUNCTA_SOFTNESS = 0.8
_PUNCTA_INNER = np.float32(8.0)  # where the radial position starts, whatever the nucleus
_RIM = 1.5  # least cytoplasm around the nucleus
# Least and largest radial offset, standard deviation and brightness of a candidate.
_PUNCTA_SPREAD = (np.array([-0.06, 0.9, 0.9]), np.array([0.06, 1.1, 1.1]))
_BUMPS = 8  # angular modes of the cell's edge
_SMOOTH_BUMPS = 2  # the first modes give every cell its own smooth shape, the others are roughness
_TURN = 0.15  # radians to either side
_SHIFT = 0.6  # scene pixels to any side
# Cells share one pattern of grains, streaks, bumps and puncta; each bends it by phases of this spread. Were
# every cell's pattern its own, most of an image would be nuisance and no small code could hold the factors.
_BEND = 0.25
_GRAINS = 40
_GRAIN_PX = (4.5, 10.0)
_STREAKS = 24
_STREAK_PX = (5.0, 18.0)
_BACKGROUND = np.array([0.03, 0.05, 0.04], dtype=np.float32)
_GRADIENT_SHARE = np.array([0.6, 1.0, 0.8], dtype=np.float32)
_DEBRIS_SHARE = np.array([0.7, 0.9, 1.0], dtype=np.float32)
_DEBRIS_BOX = (14.0, 28.0, 26.0, 29.0)  # left, right, top, bottom from the centre: clear of the largest cell
_KNEE = np.float32(0.85)  # above it the camera saturates smoothly, so that no edit is lost in a hard clip
_READ_NOISE = 0.006
_SHOT_NOISE = 0.0004  # variance per unit of signal


@final
@dataclass(frozen=True, eq=False)
class Nuisance:
    """What differs between cells and is no factor; all drawn from the cell's seed.

    Parameters
    ----------
    angle : float
        Rotation of the cell, radians.
    centre : (float, float)
        Position of the nucleus from the frame's centre, x and y in scene pixels.
    psf : float
        Standard deviation of the blur, scene pixels.
    tilt : float
        Direction towards which the background brightens, radians.
    bumps : ndarray of complex, shape (8,)
        Angular modes 1 to 8 of the cell's edge.
    grains, streaks : ndarray, shape (k, 3)
        Plane waves of chromatin and cytoplasm: x and y wave number (radians per scene pixel), phase.
    puncta : ndarray, shape (24, 4)
        Angle (radians), radial offset (share), standard deviation (scene pixels), brightness (share).
    """

    angle: float
    centre: tuple[float, float]
    psf: float
    tilt: float
    bumps: NDArray[np.complex128]
    grains: NDArray[np.float64]
    streaks: NDArray[np.float64]
    puncta: NDArray[np.float64]


def seeded(seed: int) -> tuple[Nuisance, np.random.Generator]:
    """Draw a cell's nuisance.

    Parameters
    ----------
    seed : int
        The cell's seed, not negative.

    Returns
    -------
    (Nuisance, numpy.random.Generator)
        The nuisance, and the generator that goes on to draw the camera noise.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    angle, tilt = rng.uniform(-_TURN, _TURN), rng.uniform(-0.5, 0.5)
    centre = (float(rng.uniform(-_SHIFT, _SHIFT)), float(rng.uniform(-_SHIFT, _SHIFT)))
    psf = float(rng.uniform(0.55, 0.85))
    grains, streaks = (_placed(waves, angle, centre, rng) for waves in (_SHARED_GRAINS, _SHARED_STREAKS))
    nuisance = Nuisance(angle, centre, psf, tilt, _bumps(rng), grains, streaks, _puncta(rng))
    return nuisance, rng


def clean_scene(factors: NDArray[np.float64], nuisance: Nuisance, size: int) -> Plane:
    """Render one cell without camera noise.

    Parameters
    ----------
    factors : ndarray, shape (12,)
        Factor values, in standard deviations.
    nuisance : Nuisance
        From `seeded`.
    size : int
        Height and width in pixels.

    Returns
    -------
    ndarray, shape (3, size, size)
        Signal in 0..1.
    """
    value = physical(factors)
    x, y = _axes(size)
    at = _position(x, y, nuisance)
    nucleus = _nucleus(at, value, nuisance)
    cell, depth = _cell(at, value, nuisance)
    scene = np.stack(
        [
            _chromatin(nucleus, x, y, value, nuisance),
            _cytoplasm(nucleus, cell, depth, x, y, value, nuisance),
            0.10 * cell * (1 - 0.4 * nucleus) + _spots(x, y, value, nuisance),
        ]
    )
    return _saturated(_surroundings(scene, x, y, value, nuisance))


def add_noise(scene: Plane, rng: np.random.Generator) -> Plane:
    """Add camera noise and clip to 0..1.

    Gaussian with variance ``read**2 + shot * signal``, the large-count limit of Poisson noise, so that one
    fixed noise field serves every edit of the cell.

    Parameters
    ----------
    scene : ndarray, shape (3, h, w)
        From `clean_scene`.
    rng : numpy.random.Generator
        From `seeded`, fresh.

    Returns
    -------
    ndarray, shape (3, h, w)
        In 0..1.
    """
    field = rng.standard_normal(scene.shape, dtype=np.float32)
    spread = np.sqrt(np.float32(_READ_NOISE**2) + np.float32(_SHOT_NOISE) * scene)
    return np.asarray(np.clip(scene + spread * field, 0, 1), dtype=np.float32)


def nucleus_mask(factors: NDArray[np.float64], nuisance: Nuisance, size: int) -> NDArray[np.bool_]:
    """Give the pixels inside the nucleus's outline.

    Parameters
    ----------
    factors : ndarray, shape (12,)
        Factor values, in standard deviations.
    nuisance : Nuisance
        From `seeded`.
    size : int
        Height and width in pixels.

    Returns
    -------
    ndarray of bool, shape (size, size)
        True inside.
    """
    at = _position(*_axes(size), nuisance)
    major, minor = _half_axes(physical(factors))
    return np.asarray((at.real / major) ** 2 + (at.imag / minor) ** 2 <= 1)


def physical(factors: NDArray[np.float64]) -> dict[str, float]:
    """Map one cell's factors to physical values.

    Parameters
    ----------
    factors : ndarray, shape (12,)
        Factor values, in standard deviations.

    Returns
    -------
    dict of str to float
        By factor name, in the factor's unit.
    """
    return {factor.name: float(factor.value(f)) for factor, f in zip(DETAILS, factors, strict=True)}


def _waves(rng: np.random.Generator, count: int, lengths: tuple[float, float]) -> NDArray[np.float64]:
    length = np.exp(rng.uniform(np.log(lengths[0]), np.log(lengths[1]), count))
    direction, phase = rng.uniform(0, 2 * np.pi, (2, count))
    number = 2 * np.pi / length
    return np.stack([number * np.cos(direction), number * np.sin(direction), phase], axis=1)


_PATTERN = np.random.default_rng(12)
_SHARED_GRAINS = _waves(_PATTERN, _GRAINS, _GRAIN_PX)
_SHARED_STREAKS = _waves(_PATTERN, _STREAKS, _STREAK_PX)
_SHARED_BUMPS = _PATTERN.uniform(0.6, 1.0, _BUMPS) * np.exp(1j * _PATTERN.uniform(0, 2 * np.pi, _BUMPS))


def _placed(
    waves: NDArray[np.float64], angle: float, centre: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Turn and shift plane waves with the cell, and bend them."""
    number = (waves[:, 0] + 1j * waves[:, 1]) * np.exp(1j * angle)
    phase = waves[:, 2] + rng.normal(0, _BEND, len(waves))
    moved = phase - number.real * centre[0] - number.imag * centre[1]
    return np.stack([number.real, number.imag, moved], axis=1)


def _bumps(rng: np.random.Generator) -> NDArray[np.complex128]:
    """Draw the edge's modes: a smooth shape of fixed size, and roughness whose largest bump is 1."""
    order = np.arange(1, _BUMPS + 1)
    modes = _SHARED_BUMPS * np.exp(1j * rng.normal(0, _BEND, _BUMPS))
    modes[:_SMOOTH_BUMPS] = 0.04 * rng.uniform(0.6, 1.0, _SMOOTH_BUMPS)
    modes[:_SMOOTH_BUMPS] *= np.exp(1j * rng.uniform(0, 2 * np.pi, _SMOOTH_BUMPS))
    rough = modes[_SMOOTH_BUMPS:] / np.sqrt(order[_SMOOTH_BUMPS:])
    around = np.exp(1j * np.outer(np.linspace(0, 2 * np.pi, 128, endpoint=False), order[_SMOOTH_BUMPS:]))
    modes[_SMOOTH_BUMPS:] = rough / np.abs((around @ rough).real).max()
    return np.asarray(modes, dtype=np.complex128)


def _puncta(rng: np.random.Generator) -> NDArray[np.float64]:
    # The golden angle keeps candidates apart, so that each lit spot adds its own light.
    angle = np.arange(_PUNCTA) * 2.39996 + rng.normal(0, 0.3 * _BEND, _PUNCTA)
    offset, width, shine = rng.uniform(*_PUNCTA_SPREAD, (_PUNCTA, 3)).T
    return np.stack([angle, offset, width, shine], axis=1)


def _axes(size: int) -> tuple[Plane, Plane]:
    """Give the pixels' x and y in scene pixels from the frame's centre."""
    line = ((np.arange(size) + 0.5) * (FRAME / size) - FRAME / 2).astype(np.float32)
    return line, line


def _position(x: Plane, y: Plane, nuisance: Nuisance) -> NDArray[np.complex64]:
    """Give each pixel's place in the cell's own frame, ``x + iy``, the nucleus's long axis along x."""
    left, top = nuisance.centre
    place = (x[None, :] - np.float32(left)) + np.complex64(1j) * (y[:, None] - np.float32(top))
    return place * np.complex64(np.exp(-1j * nuisance.angle))  # (h, w)


def _soft(distance: Plane, width: float) -> Plane:
    """Give a blurred step: 1 deep inside (positive distance), 0 outside; close to a Gaussian's integral."""
    inverse = 1 + np.exp(np.clip(distance * np.float32(-1.702 / width), -30, 30))
    return np.asarray(1 / inverse, dtype=np.float32)


def _half_axes(value: Mapping[str, float]) -> tuple[float, float]:
    radius = np.sqrt(value["nucleus_area"] / np.pi) / SCENE_PIXEL_UM
    stretch = (1 - value["nucleus_eccentricity"] ** 2) ** 0.25
    return float(radius / stretch), float(radius * stretch)


def _nucleus(at: NDArray[np.complex64], value: Mapping[str, float], nuisance: Nuisance) -> Plane:
    """Give the nucleus's blurred outline, from the ellipse's first-order distance."""
    major, minor = _half_axes(value)
    x, y = at.real / major, at.imag / minor
    level, slope = np.hypot(x, y), np.hypot(x / major, y / minor) + 1e-6
    distance = np.asarray((1 - level) * level / slope, dtype=np.float32)
    return _soft(distance, float(np.hypot(nuisance.psf, 0.5)))


def _nucleus_edge(direction: NDArray[np.complex64], value: Mapping[str, float]) -> Plane:
    """Give the nucleus's radius in the directions given as unit complex numbers."""
    major, minor = _half_axes(value)
    return np.asarray(1 / np.hypot(direction.real / major, direction.imag / minor), dtype=np.float32)


def _at_least(length: Plane, floor: Plane) -> Plane:
    """Give the larger of two lengths, rounded where they meet so that effects stay smooth."""
    gap = length - floor
    return floor + np.float32(0.5) * (gap + np.sqrt(gap * gap + np.float32(0.5)))


def _edge(direction: NDArray[np.complex64], value: Mapping[str, float], nuisance: Nuisance) -> Plane:
    """Give the cell's radius in the directions given as unit complex numbers.

    The area is the planted one, except where the nucleus reaches the edge and pushes it out.
    """
    modes = nuisance.bumps.copy()
    modes[_SMOOTH_BUMPS:] *= value["cell_roughness"]
    radius = np.sqrt(value["cell_area"] / np.pi / (1 + 0.5 * (np.abs(modes) ** 2).sum())) / SCENE_PIXEL_UM
    total = np.full_like(direction, modes[-1])
    for mode in modes[-2::-1]:
        total = total * direction + np.complex64(mode)
    free = np.float32(radius) * (1 + (total * direction).real)
    return _at_least(free, _nucleus_edge(direction, value) + np.float32(_RIM))


def _cell(at: NDArray[np.complex64], value: Mapping[str, float], nuisance: Nuisance) -> tuple[Plane, Plane]:
    """Give the cell's blurred outline, and its thickness: 1 at the nucleus, 0 at the edge."""
    radius = np.abs(at) + np.float32(1e-6)
    edge = _edge(at / radius, value, nuisance)
    depth = np.clip(1 - (radius / edge) ** 2, 0, 1)
    return _soft(edge - radius, float(np.hypot(nuisance.psf, 0.8))), depth


def _texture(x: Plane, y: Plane, waves: NDArray[np.float64], psf: float) -> Plane:
    """Sum plane waves, blurred by the PSF, into a field of about unit variance."""
    size = np.exp(-0.5 * psf**2 * (waves[:, 0] ** 2 + waves[:, 1] ** 2)) * np.sqrt(2 / len(waves))
    along_x = np.exp(1j * (np.outer(waves[:, 0], x) + waves[:, 2:])).astype(np.complex64)  # (k, w)
    along_y = (np.exp(1j * np.outer(y, waves[:, 1])) * size).astype(np.complex64)  # (h, k)
    return np.ascontiguousarray((along_y @ along_x).real)


def _chromatin(nucleus: Plane, x: Plane, y: Plane, value: Mapping[str, float], nuisance: Nuisance) -> Plane:
    grains = np.tanh(_texture(x, y, nuisance.grains, nuisance.psf) * np.float32(1.5))
    contrast = np.float32(value["chromatin_granularity"])
    stain = np.float32(value["nucleus_intensity"]) * (1 + contrast * grains)
    return np.asarray(stain * nucleus, dtype=np.float32)


def _cytoplasm(
    nucleus: Plane,
    cell: Plane,
    depth: Plane,
    x: Plane,
    y: Plane,
    value: Mapping[str, float],
    nuisance: Nuisance,
) -> Plane:
    streaks = np.tanh(_texture(x, y, nuisance.streaks, nuisance.psf))
    stain = (np.float32(0.5) + np.float32(0.5) * depth) * (1 + np.float32(0.16) * streaks)
    room = cell * (1 - np.float32(0.45) * nucleus)
    return np.asarray(np.float32(value["cytoplasm_intensity"]) * stain * room, dtype=np.float32)


def _spots(x: Plane, y: Plane, value: Mapping[str, float], nuisance: Nuisance) -> Plane:
    """Add up Gaussian puncta on rays to the cell's edge; a nucleus that reaches a punctum pushes it out."""
    angle, offset, width, shine = nuisance.puncta.T
    direction = np.exp(1j * angle).astype(np.complex64)
    outer = _edge(direction, value, nuisance) - np.float32(1.5)
    share = np.clip(value["puncta_radius"] + offset, 0, 1).astype(np.float32)
    radius = _at_least(_PUNCTA_INNER + share * (outer - _PUNCTA_INNER), _nucleus_edge(direction, value))
    place = radius * np.exp(1j * (angle + nuisance.angle))
    lit = 1 / (1 + np.exp((np.arange(_PUNCTA) + 0.5 - value["puncta_number"]) / _PUNCTA_SOFTNESS))
    spread = np.hypot(width, nuisance.psf)
    height = value["puncta_intensity"] * shine * lit
    left, top = place.real + nuisance.centre[0], place.imag + nuisance.centre[1]
    across = np.exp(-0.5 * ((x[None, :] - left[:, None]) / spread[:, None]) ** 2)  # (24, w)
    down = np.exp(-0.5 * ((y[:, None] - top) / spread) ** 2) * height  # (h, 24)
    return np.asarray(down @ across, dtype=np.float32)


def _surroundings(scene: Plane, x: Plane, y: Plane, value: Mapping[str, float], nuisance: Nuisance) -> Plane:
    """Add background light and lay the debris over everything."""
    ramp = 0.5 + (np.cos(nuisance.tilt) * x[None, :] + np.sin(nuisance.tilt) * y[:, None]) / FRAME
    light = np.float32(value["background_gradient"]) * ramp.astype(np.float32)
    scene = scene + _BACKGROUND[:, None, None] + _GRADIENT_SHARE[:, None, None] * light
    left, right, top, bottom = _DEBRIS_BOX
    across = _soft(x - np.float32(left), 0.8) * _soft(np.float32(right) - x, 0.8)
    down = _soft(y - np.float32(top), 0.8) * _soft(np.float32(bottom) - y, 0.8)
    opacity = np.float32(value["debris"]) * down[:, None] * across[None, :]
    covered = scene * (1 - opacity) + _DEBRIS_SHARE[:, None, None] * opacity
    return np.asarray(covered, dtype=np.float32)


def _saturated(scene: Plane) -> Plane:
    """Bend what is above the knee so that it approaches 1."""
    bright, room = scene > _KNEE, 1 - _KNEE
    scene[bright] = _KNEE + room * np.tanh((scene[bright] - _KNEE) / room)
    return scene
