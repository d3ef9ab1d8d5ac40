import numpy as np
import pytest
from scipy import ndimage

from diffex.measurements import channel_scores, choose_channel, ring, ring_width, segment


def _overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def _noisy(mask, high=100.0, low=20.0, seed=0):
    clean = ndimage.gaussian_filter(np.where(mask, high, low), 1)
    return clean + np.random.default_rng(seed).normal(0, 5, mask.shape)


@pytest.mark.parametrize("size", [28, 64, 128])
@pytest.mark.parametrize("levels", [(100.0, 20.0), (20.0, 100.0)], ids=["bright", "dark"])
def test_the_central_object_is_found(ellipse, size, levels):
    truth = ellipse(size / 5, size / 7, 0.5, size)
    masks, found = segment(_noisy(truth, *levels)[None, None], 0)
    assert found.all()
    assert _overlap(masks[0], truth) > 0.85


def test_neighbours_are_left_out_and_holes_filled(ellipse):
    truth = ellipse(12, 10)
    pixels = _noisy((truth & ~ellipse(4, 4)) | ellipse(9, 9, centre=(-24, 24)))
    masks, _ = segment(pixels[None, None], 0)
    assert _overlap(masks[0], truth) > 0.85


@pytest.mark.parametrize("value", [0.0, 255.0, -3.0])
def test_nothing_found_falls_back_to_a_disc(value):
    masks, found = segment(np.full((2, 1, 64, 64), value), 0)
    assert not found.any()
    assert masks[:, 32, 32].all()
    assert not masks[:, 0].any()


def test_a_seed_picks_its_own_object_and_sees_it_change(ellipse):
    left, right = ellipse(8, 8, centre=(0, -12)), ellipse(11, 11, centre=(0, 14))
    pixels = _noisy(left | right)[None, None]
    seeds = ellipse(8, 8, centre=(0, 14))[None]
    masks, found = segment(pixels, 0, seeds)
    assert found.all()
    assert _overlap(masks[0], right) > 0.85


def test_where_a_seed_finds_nothing_it_stays(ellipse):
    seeds = np.stack([ellipse(6, 6, centre=(5, 5)), np.zeros((64, 64), dtype=bool)])
    pixels = np.stack([np.zeros((64, 64)), _noisy(ellipse(10, 10))])[:, None]
    masks, found = segment(pixels, 0, seeds)
    assert np.array_equal(masks[0], seeds[0])
    assert found.tolist() == [False, True]
    assert _overlap(masks[1], ellipse(10, 10)) > 0.85


def test_a_channel_per_image(ellipse):
    noise = np.random.default_rng(1).normal(0, 1, (64, 64))
    object_image = _noisy(ellipse(10, 10))
    pixels = np.stack([[noise, object_image], [object_image, noise]])
    masks, _ = segment(pixels, np.array([1, 0]))
    assert np.array_equal(masks[0], masks[1])


@pytest.mark.parametrize("given", [True, False])
def test_the_channel_that_shows_the_object_is_chosen(ellipse, given):
    truth = ellipse(10, 10)
    noise = np.random.default_rng(2).normal(20, 5, (64, 64))
    pixels = np.stack([noise, _noisy(truth), _noisy(truth, 30.0)])[None]
    masks = truth[None] if given else None
    assert choose_channel(pixels, masks) == 1
    assert ((channel_scores(pixels, masks) >= 0) & (channel_scores(pixels, masks) <= 1)).all()


def test_an_empty_stack_is_fine():
    masks, found = segment(np.zeros((0, 1, 64, 64)), 0)
    assert masks.shape == (0, 64, 64)
    assert found.shape == (0,)
    assert choose_channel(np.zeros((0, 2, 64, 64))) == 0


def test_the_ring_leaves_a_gap_and_has_its_width(ellipse):
    mask = ellipse(10, 10)[None]
    around = ring(mask, ring_width(64, 64))
    distance = ndimage.distance_transform_edt(~mask[0])
    assert ring_width(64, 64) == 4
    assert distance[around[0]].min() > 1
    assert 4 <= distance[around[0]].max() <= 6
    assert not ring(np.ones((1, 64, 64), dtype=bool), 4).any()
    assert not ring(np.zeros((1, 64, 64), dtype=bool), 4).any()
