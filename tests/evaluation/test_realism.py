import numpy as np
import pytest
import torch
from torch.nn import functional

from diffex.effects.manifold import discriminate, image_statistics
from diffex.evaluation.attributes.ablation import psnr
from diffex.evaluation.attributes.realism import auroc_interval, power_ratio, upper_power

SD = (1.0, 1.0)


def pictures(seed, count=60):
    return torch.randn(count, 2, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_identical_images_cannot_be_told_apart():
    real = image_statistics(pictures(0), SD)
    assert discriminate(real, real, np.arange(60)) == pytest.approx(0.5, abs=0.01)


def test_images_of_one_kind_are_hardly_told_apart():
    real, other = (image_statistics(pictures(seed), SD) for seed in (0, 1))
    low, high = auroc_interval(discriminate(real, other, np.arange(60)), 60, 60)
    assert low < 0.6
    assert high > 0.4


def test_blur_is_told_and_takes_power_away():
    x = pictures(0)
    blurred = functional.avg_pool2d(x, 3, 1, 1)
    assert discriminate(image_statistics(x, SD), image_statistics(blurred, SD), np.arange(60)) > 0.95
    assert power_ratio(upper_power(blurred)[:, 0], upper_power(x)[:, 0]) < 0.5
    assert power_ratio(upper_power(x)[:, 1], upper_power(x)[:, 1]) == pytest.approx(1.0)


@pytest.mark.parametrize("auroc", [0.0, 0.5, 0.8, 1.0])
def test_interval_of_auroc_holds_it(auroc):
    low, high = auroc_interval(auroc, 40, 40)
    assert 0 <= low <= auroc <= high <= 1


def test_psnr():
    x = torch.zeros(2, 1, 4, 4)
    assert psnr(x, x + 0.1, (0.0, 1.0)) == pytest.approx(20.0)
