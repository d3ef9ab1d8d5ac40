import numpy as np
from scipy import ndimage

from diffex.measurements.morphology import dilate, erode, fill_holes, label


def test_dilation_is_close_to_a_disc():
    point = np.zeros((1, 41, 41), dtype=bool)
    point[0, 20, 20] = True
    for steps in (2, 4, 8):
        assert 0.9 < dilate(point, steps).sum() / (np.pi * (steps + 0.5) ** 2) < 1.2


def test_images_of_a_stack_do_not_touch(ellipse):
    masks = np.stack([ellipse(), np.zeros((64, 64), dtype=bool), ellipse(20, 20)])
    assert not dilate(masks, 5)[1].any()
    assert len(np.unique(label(masks))) == 3


def test_erosion_undoes_dilation_of_a_disc(ellipse):
    masks = ellipse(12, 12)[None]
    assert (erode(dilate(masks, 4), 4) ^ masks).mean() < 0.005


def test_holes_are_filled_as_scipy_does():
    masks = np.random.default_rng(0).random((6, 40, 40)) > 0.4
    expected = np.stack([ndimage.binary_fill_holes(mask) for mask in masks])
    assert np.array_equal(fill_holes(masks), expected)
