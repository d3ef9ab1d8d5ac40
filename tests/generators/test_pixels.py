import numpy as np
import pytest
import torch

from diffex.generators import PixelTransform
from diffex.images import images_from_arrays


@pytest.fixture(scope="module")
def images():
    """A dim channel (most pixels near 0), an even one, and one without any contrast."""
    rng = np.random.default_rng(0)
    dim, even = 4000 * rng.random((6, 32, 32)) ** 6, rng.uniform(100, 900, (6, 32, 32))
    pixels = np.stack([dim, even, np.full_like(dim, 7.0)], axis=1).astype(np.float32)
    return images_from_arrays(pixels, value_range=(0, 4095))


@pytest.fixture(scope="module")
def transform(images):
    return PixelTransform.fit(images)


def test_contrast_is_chosen_per_channel(transform):
    assert transform.gamma[:2] == (0.5, 1.0)
    assert transform.low[1] == pytest.approx(100, abs=5)
    assert transform.high[1] == pytest.approx(900, abs=5)
    assert all(high > low for low, high in zip(transform.low, transform.high, strict=True))


def test_round_trip_inside_the_quantiles(images, transform):
    x = images.read()
    low, high = (torch.tensor(v).view(-1, 1, 1) for v in (transform.low, transform.high))
    inside = x.clamp(min=low).clamp(max=high)
    y = transform.to_model(inside)
    torch.testing.assert_close(transform.to_images(y), inside, rtol=1e-3, atol=0.1)


def test_the_model_sees_channels_of_one_spread(images, transform):
    y = transform.to_model(images.read())[:, :2].transpose(0, 1).flatten(1)
    torch.testing.assert_close(y.mean(1), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(y.std(1), torch.full((2,), 0.5), rtol=1e-3, atol=0)


def test_bright_pixels_survive_and_the_value_range_holds(transform):
    bright = torch.full((1, 3, 4, 4), 3900.0)
    torch.testing.assert_close(transform.to_images(transform.to_model(bright)), bright, rtol=1e-3, atol=0.1)
    wild = transform.to_images(torch.linspace(-50, 50, 48).view(1, 3, 4, 4))
    assert wild.min() >= 0 and wild.max() <= 4095


def test_gradients_flow_even_below_black(transform):
    y = torch.zeros((1, 3, 2, 2), requires_grad=True)
    transform.to_images(y).sum().backward()
    assert (y.grad[:, :2] > 0).all()
    below = torch.full((1, 3, 2, 2), -50.0, requires_grad=True)
    transform.to_images(below).sum().backward()
    assert torch.isfinite(below.grad).all()


def test_size_is_root_mean_square_in_units_of_spread(transform):
    difference = torch.randn(5, 2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    sd = torch.tensor(transform.sd)
    by_hand = ((difference[1, 0] / sd.view(3, 1, 1)) ** 2).mean().sqrt()
    assert transform.size(difference).shape == (5, 2)
    torch.testing.assert_close(transform.size(difference)[1, 0], by_hand)
    one = torch.zeros(3, 6, 7)
    one[1] = transform.sd[1]
    assert transform.size(one) == pytest.approx((1 / 3) ** 0.5)


def test_json_round_trip(transform):
    assert PixelTransform.from_dict(transform.as_dict()) == transform
