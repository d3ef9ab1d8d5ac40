import numpy as np
import pytest
from scipy import ndimage

from diffex.measurements.puncta import puncta
from diffex.measurements.texture import scale_px, smooth, textures


def _span(pixels):
    return np.ptp(smooth(pixels, scale_px(*pixels.shape[2:])), axis=(2, 3))


def _puncta(pixels, masks):
    fine = smooth(pixels, scale_px(*pixels.shape[2:]))
    return puncta(pixels, fine, masks, np.ptp(fine, axis=(2, 3)))


def _spots(positions, size=64, sigma=1.5, height=60.0):
    y, x = np.mgrid[:size, :size]
    plane = np.full((size, size), 10.0)
    for row, column in positions:
        plane += height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
    return plane


@pytest.mark.parametrize("count", [0, 1, 5, 12])
@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_planted_spots_are_counted(ellipse, count, noise):
    grid = [(8 + 14 * i, 9 + 15 * j) for i in range(4) for j in range(4)][:count]
    plane = _spots(grid) + 60 * ndimage.gaussian_filter(ellipse(20, 20).astype(float), 6)
    plane += np.random.default_rng(0).normal(0, noise, plane.shape)
    values = _puncta(plane[None, None], ellipse(20, 20)[None])
    assert values["puncta_count"][0, 0] == count


def test_distance_and_contrast_of_spots(ellipse):
    near, far = (_spots([(31.5 + d, 31.5), (31.5 - d, 31.5)]) for d in (6.5, 20.5))
    values = _puncta(np.stack([[near, far]]), ellipse(10, 10)[None])
    assert values["puncta_count"].tolist() == [[2, 2]]
    assert values["puncta_spread"][0] == pytest.approx([6.5, 20.5], abs=0.6)
    assert values["puncta_contrast"][0, 0] == pytest.approx(values["puncta_contrast"][0, 1], rel=0.05)


def test_a_symmetric_spot_counts_once(ellipse):
    plane = np.zeros((64, 64))
    plane[20:22, 30:32] = 5.0
    assert _puncta(plane[None, None], ellipse()[None])["puncta_count"][0, 0] == 1


def test_two_spots_that_merge_do_not_shine_for_all(ellipse):
    apart = [(12, 12), (12, 44), (44, 12)]
    merged = _spots([*apart, (44, 44), (44, 44)])
    contrast = _puncta(np.stack([[_spots(apart), merged]]), ellipse(10, 10)[None])["puncta_contrast"][0]
    assert contrast[1] == pytest.approx(contrast[0], rel=0.05)


def test_edges_and_discs_are_no_spots(ellipse):
    planes = np.stack([ellipse(14, 14) * 100.0, ndimage.gaussian_filter(ellipse(14, 9, 0.4) * 100.0, 1)])
    values = _puncta(planes[:, None], np.stack([ellipse(14, 14)] * 2))
    assert values["puncta_count"].tolist() == [[0], [0]]


def test_fine_and_coarse_texture_are_told_apart(ellipse):
    mask = ellipse(16, 16)
    x = np.arange(64) * np.ones((64, 1))
    fine, coarse = (mask * (100 + 20 * np.sin(2 * np.pi * x / period)) for period in (6, 16))
    pixels = np.stack([fine, coarse, mask * 100.0])[None]
    values = textures(pixels, mask[None], _span(pixels))
    assert values["granularity"][0, 0] > 2 * values["granularity"][0, 1]
    assert values["coarse"][0, 1] > 2 * values["coarse"][0, 0]
    # An even object has no texture although its edge is sharp.
    assert values["granularity"][0, 2] == values["coarse"][0, 2] == pytest.approx(0, abs=1e-9)


def test_texture_does_not_depend_on_gain(ellipse):
    mask = ellipse(12, 12)
    plane = mask * np.random.default_rng(0).normal(100, 10, (64, 64))
    pixels = np.stack([plane, 7 * plane])[None]
    values = textures(pixels, mask[None], _span(pixels))
    assert values["granularity"][0, 0] == pytest.approx(values["granularity"][0, 1])
