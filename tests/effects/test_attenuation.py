"""What renders show of differences between images is found, and changes are divided by it."""

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.effects.attenuation import shown


def images(count: int = 400) -> np.ndarray:
    return np.random.default_rng(0).normal([5.0, 100.0, 1.0, 3.0], [1.0, 10.0, 0.5, 1.0], (count, 4))


def renders(x: np.ndarray) -> np.ndarray:
    """A faithful measurement, one that fades, one followed loosely, one that renders do not vary in."""
    noise = np.random.default_rng(1).normal(size=x.shape)
    faded, loose = 0.7 * x[:, 1] + 40 + 2 * noise[:, 1], x[:, 2] + 0.4 * noise[:, 2]
    return np.stack([x[:, 0], faded, loose, np.ones(len(x))], axis=1)


def test_the_share_that_renders_show_is_found() -> None:
    found = shown(images(), renders(images()))
    assert found.share[:2] == pytest.approx([1.0, 0.7], abs=0.05)
    assert np.isnan(found.share[2:]).all() and np.isnan(found.error[2:]).all()


def test_its_error_is_that_of_repeated_samples() -> None:
    x = np.random.default_rng(2).normal(size=(4000, 1))
    y = 0.8 * x + 0.2 * np.random.default_rng(3).normal(size=x.shape)
    shares = [shown(a, b).share[0] for a, b in zip(x.reshape(80, 50, 1), y.reshape(80, 50, 1), strict=True)]
    assert np.std(shares) == pytest.approx(shown(x[:50], y[:50]).error[0], rel=0.3)


def test_few_images_tell_nothing() -> None:
    assert np.isnan(shown(images(15), images(15)).share).all()


def test_other_images_are_refused() -> None:
    with pytest.raises(InputError, match="measure the same images"):
        shown(images(20), images(21))
