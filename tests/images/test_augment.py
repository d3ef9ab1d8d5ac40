import pytest
import torch

from diffex.images.augment import augment


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x():
    return torch.randn(64, 2, 6, 6, generator=draw(9))


@pytest.mark.parametrize(("symmetry", "views"), [("none", 1), ("mirror", 2), ("dihedral", 8)])
def test_views_of_one_image(x, symmetry, views):
    same = x[:1].expand(200, -1, -1, -1)
    seen = {tuple(image.flatten().tolist()) for image in augment(same, symmetry, draw())}
    assert len(seen) == views


@pytest.mark.parametrize("symmetry", ["none", "mirror", "dihedral"])
def test_pixels_of_each_channel_are_kept(x, symmetry):
    changed = augment(x, symmetry, draw())
    assert changed.shape == x.shape
    assert torch.equal(changed.flatten(2).sort().values, x.flatten(2).sort().values)


def test_the_generator_decides(x):
    assert torch.equal(augment(x, "dihedral", draw(1)), augment(x, "dihedral", draw(1)))
    assert not torch.equal(augment(x, "dihedral", draw(1)), augment(x, "dihedral", draw(2)))


def test_channels_turn_together():
    x = torch.randn(20, 1, 5, 5, generator=draw()).expand(-1, 3, -1, -1)
    changed = augment(x, "dihedral", draw())
    assert torch.equal(changed[:, 0], changed[:, 2])


def test_oblong_images_only_flip():
    x = torch.randn(50, 1, 4, 7, generator=draw())
    changed = augment(x, "dihedral", draw())
    assert changed.shape == x.shape
    for before, after in zip(x, changed, strict=True):
        assert torch.equal(after, before) or torch.equal(after, before.flip(2))
