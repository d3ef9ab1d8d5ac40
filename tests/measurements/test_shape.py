import numpy as np
import pytest
from skimage.measure import perimeter, regionprops

from diffex.measurements.shape import perimeters, shapes


@pytest.mark.parametrize("radius", [6, 10, 20])
def test_a_disc(ellipse, radius):
    values = shapes(ellipse(radius, radius)[None])
    assert values["area"][0] == pytest.approx(np.pi * radius**2, rel=0.03)
    assert values["major_axis"][0] == pytest.approx(2 * radius, rel=0.03)
    assert values["eccentricity"][0] == pytest.approx(0, abs=0.03)
    assert values["form_factor"][0] > 0.9
    assert values["solidity"][0] > 0.9
    assert values["centroid_offset"][0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2, 2.5])
@pytest.mark.parametrize("b", [6, 10, 14])
def test_an_ellipse_at_any_angle(ellipse, angle, b):
    values = shapes(ellipse(18, b, angle)[None])
    assert values["eccentricity"][0] == pytest.approx(np.sqrt(1 - (b / 18) ** 2), abs=0.03)
    assert values["minor_axis"][0] == pytest.approx(2 * b, rel=0.03)


def test_offset_is_the_distance_from_the_centre(ellipse):
    assert shapes(ellipse(8, 8, centre=(3, 4))[None])["centroid_offset"][0] == pytest.approx(5)


def test_agreement_with_skimage(ellipse):
    rng = np.random.default_rng(0)
    masks = np.stack([ellipse(*rng.uniform(6, 20, 2), rng.uniform(0, 3)) for _ in range(20)])
    properties = [regionprops(mask.astype(int))[0] for mask in masks]
    values = shapes(masks)
    assert np.allclose(values["eccentricity"], [p.eccentricity for p in properties], atol=0.01)
    assert np.allclose(values["solidity"], [p.solidity for p in properties], atol=0.07)
    assert np.allclose(perimeters(masks), [perimeter(mask) for mask in masks])


def test_perimeter_of_ragged_masks_is_that_of_skimage():
    masks = np.random.default_rng(1).random((10, 30, 30)) > 0.5
    assert np.allclose(perimeters(masks), [perimeter(mask) for mask in masks])


def test_a_dented_object_is_less_solid(ellipse):
    dented = ellipse(15, 15) & ~ellipse(9, 9, centre=(0, 12))
    values = shapes(np.stack([ellipse(15, 15), dented]))
    assert values["solidity"][1] < values["solidity"][0] - 0.1


def test_degenerate_masks_have_numbers():
    masks = np.zeros((4, 64, 64), dtype=bool)
    masks[1, 5, 5] = True
    masks[2, 5] = True
    masks[3] = True
    values = shapes(masks)
    assert all(np.isfinite(value).all() for value in values.values())
    assert all(value[0] == 0 for value in values.values())
    assert values["eccentricity"][2] > 0.99
