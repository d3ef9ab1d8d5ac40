import pytest
import torch

from diffex.effects.answering import integrated_gradients


def bent(x):
    return torch.tanh(x[:, 0].mean(dim=(1, 2))) * (1 + x[:, 1, :2].sum(dim=(1, 2)) ** 2)


@pytest.fixture
def ends():
    made = torch.Generator().manual_seed(0)
    return torch.rand(70, 3, 8, 8, generator=made), torch.rand(70, 3, 8, 8, generator=made)


def test_pixels_add_up_to_the_change(ends):
    found = integrated_gradients(bent, *ends, 8)
    assert found.shape == ends[0].shape
    torch.testing.assert_close(found.sum(dim=(1, 2, 3)), bent(ends[1]) - bent(ends[0]), rtol=1e-4, atol=1e-4)


def test_what_is_not_read_or_not_changed_adds_nothing(ends):
    start, end = ends
    end = torch.where(torch.arange(8) < 4, end, start)
    found = integrated_gradients(bent, start, end, 4)
    assert (found[:, 2] == 0).all() and (found[..., 4:] == 0).all() and (found[:, 1, 2:] == 0).all()
    assert (found[:, 0, :, :4] != 0).any()


def test_batches_and_points_are_those_of_captum(ends):
    captum = pytest.importorskip("captum.attr")
    expected = captum.IntegratedGradients(bent).attribute(
        ends[1].clone().requires_grad_(True), baselines=ends[0], n_steps=8
    )
    torch.testing.assert_close(integrated_gradients(bent, *ends, 8), expected.detach(), rtol=1e-4, atol=1e-6)
