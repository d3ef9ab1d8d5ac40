import numpy as np
import pytest

from diffex.measurements.background import corner_means, gradients
from diffex.measurements.intensity import compartments, correlations, intensities, means


def _image(parts, inside=100.0, around=50.0, elsewhere=10.0):
    plane = np.full(parts.object.shape, elsewhere)
    near = ~parts.rest
    plane[near] = around
    plane[parts.object] = inside
    return plane[:, None]


def test_the_ratio_is_known_exactly(ellipse):
    parts = compartments(ellipse(10, 10)[None])
    span = np.array([[90.0]])
    values = intensities(_image(parts), parts, span)
    assert values["background"][0, 0] == 10
    assert values["log2_ratio"][0, 0] == pytest.approx(np.log2(90.9 / 40.9))
    assert values["edge_contrast"][0, 0] == pytest.approx(50 / 130.9)
    assert values["object_mean"][0, 0] == 100
    assert values["total"][0, 0] == 90 * parts.object.sum()
    assert values["object_sd"][0, 0] == values["ring_sd"][0, 0] == 0


def test_means_and_spreads_are_those_of_numpy(ellipse):
    mask = ellipse(9, 14, 0.3)
    pixels = np.random.default_rng(0).normal(1000, 30, (1, 2, 64, 64))
    parts = compartments(mask[None])
    values = intensities(pixels, parts, np.ptp(pixels, axis=(2, 3)))
    assert values["object_mean"][0] == pytest.approx(pixels[0][:, mask].mean(axis=1))
    assert values["object_sd"][0] == pytest.approx(pixels[0][:, mask].std(axis=1))
    expected = np.corrcoef(*pixels[0][:, mask])[0, 1]
    assert correlations(pixels, mask[None])[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("fill", [False, True])
def test_empty_compartments_have_the_mean_of_the_crop(fill):
    masks = np.full((1, 64, 64), fill)
    pixels = np.random.default_rng(0).random((1, 1, 64, 64))
    assert means(pixels, np.zeros_like(masks))[0, 0] == pytest.approx(pixels.mean())
    parts = compartments(masks)
    values = intensities(pixels, parts, np.ones((1, 1)))
    assert values["ring_mean"][0, 0] == pytest.approx(pixels.mean())
    assert values["ring_sd"][0, 0] == 0
    assert values["log2_ratio"][0, 0] == pytest.approx(0)


def test_a_tilted_background_is_measured(ellipse):
    rows = np.linspace(0, 63, 64)[:, None] * np.ones((64, 64))
    pixels = np.stack([rows * 0.5, np.full((64, 64), 7.0)])[None]
    pixels[0, :, ellipse(10, 10)] = 500
    outside = ~ellipse(12, 12)[None]
    assert gradients(pixels, outside)[0] == pytest.approx([32.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("kept", [0, 1, 64])
def test_too_little_background_has_no_gradient(kept):
    outside = np.zeros((1, 64, 64), dtype=bool)
    outside[0, 0, :kept] = True
    assert gradients(np.random.default_rng(0).random((1, 1, 64, 64)), outside)[0, 0] == 0


def test_a_mark_in_one_corner_is_seen():
    pixels = np.zeros((1, 1, 64, 64))
    pixels[0, 0, :8, -8:] = 40
    assert corner_means(pixels)[0, 0] == 10
