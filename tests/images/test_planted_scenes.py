"""The simulator of fields: exact counterfactuals, determinism, what it refuses."""

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.images.planted_scenes import SCENE_FACTORS, PlantedScenes

SCENES = PlantedScenes()
SEEDS = np.arange(40, 52)
FEW, MANY = -2.0, 2.0


def scenes(crowding=0.0, dividing=-1.0, debris=-3.0, seeds=SEEDS):
    return SCENES.render(np.tile([crowding, dividing, debris], (len(seeds), 1)), seeds)


def test_pixels_are_float32_in_range_and_the_same_every_time():
    pixels = scenes()
    assert pixels.shape == (len(SEEDS), 3, 64, 64)
    assert pixels.dtype == torch.float32
    assert float(pixels.min()) >= 0
    assert float(pixels.max()) <= 1
    assert torch.equal(scenes(), pixels)


def test_a_scene_depends_on_its_own_seed_alone():
    together = scenes()
    alone = torch.cat([scenes(seeds=SEEDS[i : i + 1]) for i in range(len(SEEDS))])
    assert torch.equal(together, alone)
    assert len({row.numpy().tobytes() for row in together}) == len(SEEDS)


def test_more_crowding_adds_cells_and_leaves_those_that_stay():
    """Cells are laid over each other, the brighter wins: more of them never make a place darker."""
    few, more = scenes(FEW), scenes(MANY)
    change = more - few
    assert float(change.min()) > -0.06  # grain of the noise where a brighter cell replaces another
    untouched = (change.abs() < 1e-6).all(dim=1).float().mean(dim=(1, 2))
    assert float(untouched.min()) > 0.05
    assert float(change.mean(dim=(1, 2, 3)).min()) > 0.02


def test_crowding_goes_in_whole_cells():
    values = np.linspace(-3, 3, 61)
    pixels = SCENES.render(np.stack([values, 0 * values - 1, 0 * values - 3], axis=1), np.full(61, 7))
    steps = (pixels[1:] - pixels[:-1]).abs().amax(dim=(1, 2, 3)) > 1e-6
    assert 7 <= int(steps.sum()) <= 8  # from 2 cells to 10


def test_a_division_changes_the_middle_alone():
    change = (scenes(dividing=0.5) - scenes(dividing=-0.5)).abs().amax(dim=1) > 1e-6
    middle = torch.zeros(64, 64, dtype=torch.bool)
    middle[20:44, 20:44] = True
    assert not change[:, ~middle].any()
    assert bool(change[:, middle].any(dim=1).all())
    assert torch.equal(scenes(dividing=0.5), scenes(dividing=3.0))


def test_debris_brightens_a_few_specks_of_two_by_two():
    change = (scenes(debris=3.0) - scenes(debris=-3.0)).abs().amax(dim=1) > 1e-6
    counts = change.sum(dim=(1, 2))
    assert int(counts.min()) >= 12
    assert int(counts.max()) <= 8 * 4
    assert bool((scenes(debris=3.0).amax(dim=1)[change] > 0.8).all())


def test_images_carry_factors_labels_and_read_alike():
    labels = np.arange(12) % 2
    images = SCENES.images(12, seed=3, labels=labels)
    assert images.table.columns.tolist() == [f"factor_{name}" for name in SCENE_FACTORS]
    assert images.class_names == ("control", "treated")
    assert torch.equal(images.read(np.array([5])), images.read()[5:6])
    assert images.fingerprint() == SCENES.images(12, seed=3, labels=labels).fingerprint()
    assert images.fingerprint() != SCENES.images(12, seed=4, labels=labels).fingerprint()
    with pytest.raises(InputError, match="no object mask"):
        images.source.read_mask(0)


def test_factors_are_standard_normal_and_the_first_rows_do_not_depend_on_the_count():
    factors = SCENES.sample_factors(4000, seed=1)
    assert np.abs(factors.mean(0)).max() < 0.07
    np.testing.assert_array_equal(SCENES.sample_factors(10, seed=1), factors[:10])


def test_wrong_factors_are_refused():
    with pytest.raises(InputError, match=r"shape \(1, 2\), expected \(1, 3\)"):
        SCENES.render([[0.0, 1.0]], [1])
    with pytest.raises(InputError, match="NaN or Inf"):
        SCENES.render([[0.0, np.nan, 1.0]], [1])
