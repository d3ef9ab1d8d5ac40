import numpy as np
import pytest
import torch
from torch.nn import functional

from diffex.effects.manifold import discriminate, image_statistics, match_on_logit, radial_spectrum

SD = (1.0, 2.0)


def pictures(count, seed, size=32):
    """Smooth blobs on noise."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 2, 6, 6, generator=g)
    noise = torch.randn(count, 2, size, size, generator=g)
    return functional.interpolate(coarse, size=(size, size), mode="bilinear") + 0.3 * noise


def test_statistics_have_the_documented_width_and_units():
    x = pictures(5, 0)
    statistics = image_statistics(x, SD)
    assert statistics.shape == (5, 2 * (4 + 5 + 12 + 16))
    assert statistics.dtype == np.float64
    assert np.isfinite(statistics).all()
    assert np.isfinite(image_statistics(torch.zeros(2, 2, 28, 28), SD)).all(), (
        "an empty picture has statistics"
    )
    scaled = image_statistics(x * torch.tensor(SD).view(-1, 1, 1), SD)
    np.testing.assert_allclose(scaled, image_statistics(x, (1.0, 1.0)), atol=1e-3)


@pytest.mark.parametrize("size", [28, 33, 64])
def test_white_noise_has_a_flat_spectrum(size):
    noise = 3 * torch.randn(200, 1, size, size, generator=torch.Generator().manual_seed(0))
    power = radial_spectrum(noise).mean((0, 1))
    assert power.shape == (12,)
    # the lowest ring holds the mean, which is taken out
    assert torch.allclose(power[1:], torch.tensor(9.0), rtol=0.06)
    assert 0 < float(power[0]) < 9.5


def test_blur_takes_the_high_frequencies():
    x = pictures(50, 0)
    ratio = radial_spectrum(functional.avg_pool2d(x, 3, 1, 1)).mean((0, 1)) / radial_spectrum(x).mean((0, 1))
    assert ratio[8] < 0.3 < ratio[1]


def test_alike_sets_cannot_be_told_apart():
    """Two samples of one population; identical sets would be paired in the folds and fall below 0.5."""
    found = [
        discriminate(
            image_statistics(pictures(60, seed), SD),
            image_statistics(pictures(60, seed + 50), SD),
            np.arange(60),
        )
        for seed in range(4)
    ]
    assert 0.35 < np.mean(found) < 0.65


def test_identical_sets_score_one_half():
    same = image_statistics(pictures(60, 0), SD)
    assert discriminate(same, same, np.arange(60)) == pytest.approx(0.5, abs=0.02)


def test_a_blurred_set_is_found():
    x = pictures(60, 0)
    blurred = functional.avg_pool2d(pictures(60, 1), 3, 1, 1)
    assert discriminate(image_statistics(x, SD), image_statistics(blurred, SD), np.arange(60)) > 0.9


def test_an_image_is_never_in_both_parts():
    """With one image behind all pairs of a side there would be nothing to hold out."""
    x = image_statistics(pictures(40, 0), SD)
    with pytest.raises(ValueError, match="number of splits"):
        discriminate(x, x, np.zeros(40, dtype=np.int64))


def test_match_takes_the_nearest_and_each_cell_once():
    matched, good = match_on_logit(np.array([0.0, 0.1, 5.0]), np.array([5.1, 0.0, 9.0, 0.2]), 0.5)
    assert matched.tolist() == [1, 3, 0]
    assert good.all()


def test_match_respects_the_caliper():
    wanted, have = np.array([0.0, 0.0, 0.0, 100.0]), np.array([0.05, 0.3, 4.0, 7.0, -9.0])
    matched, good = match_on_logit(wanted, have, 0.25)
    assert len(set(matched.tolist())) == 4
    assert good.sum() == 1
    assert have[matched[good]] == 0.05


def test_match_with_more_edits_than_cells_leaves_some_out():
    matched, good = match_on_logit(np.array([0.0, 1.0, 2.0]), np.array([2.0, 0.0]), 0.5)
    assert good.tolist() == [True, False, True]
    assert matched[good].tolist() == [1, 0]
