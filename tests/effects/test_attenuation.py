"""What renders show of differences between images is found, and nothing is told without grounds."""

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.effects.attenuation import shown


def drawn(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, images, renders: a faithful measurement, a fading one, one half unknown to codes, pure noise."""
    random = np.random.default_rng(seed)
    codes = random.normal(size=(count, 8))
    known = codes[:, :4]
    alone, anew = random.normal(size=(2, count, 4)) * [0.05, 0.05, 1.0, 5.0]
    images = known + alone
    return codes, images, known * [1.0, 0.7, 0.9, 0.0] + anew


def test_the_share_that_renders_show_is_found() -> None:
    codes, images, renders = drawn()
    found = shown(images, renders, codes)
    assert found.share[:3] == pytest.approx([1.0, 0.7, 0.9], abs=0.1)
    slope = (images[:, 2] * renders[:, 2]).sum() / (images[:, 2] ** 2).sum()
    assert slope < 0.6, "a plain regression counts what codes do not know"
    assert np.isnan(found.share[3]) and np.isnan(found.error[3])


def test_its_error_is_that_of_repeated_samples() -> None:
    parts = [drawn(64, seed) for seed in range(60)]
    found = [shown(images, renders, codes) for codes, images, renders in parts]
    shares = np.array([one.share[:2] for one in found])
    assert shares.std(axis=0) == pytest.approx(np.mean([one.error[:2] for one in found], axis=0), rel=0.35)


def test_few_images_and_constant_measurements_tell_nothing() -> None:
    codes, images, renders = drawn(31)
    assert np.isnan(shown(images, renders, codes).share).all()
    assert np.isnan(shown(np.ones((40, 1)), np.ones((40, 1)), np.eye(40)).share).all()


def test_other_images_are_refused() -> None:
    codes, images, renders = drawn(40)
    with pytest.raises(InputError, match="give the same images"):
        shown(images, renders[1:], codes)
    with pytest.raises(InputError, match="give the same images"):
        shown(images, renders, codes[1:])
