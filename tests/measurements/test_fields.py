"""Fields of several objects: counts, brightness, specks, against what the simulator knows."""

import numpy as np
import pytest
import torch

from diffex.images.planted_scenes import PlantedScenes
from diffex.measurements import measure, quantities

NAMES = ("nucleus", "cytoplasm", "organelle")
SEEDS = list(range(24))


def measured(factors):
    return measure(PlantedScenes().render(factors, SEEDS), NAMES, view="field")


@pytest.fixture(scope="module")
def factors():
    return PlantedScenes().sample_factors(len(SEEDS), 3)


def test_columns_are_the_quantities(factors):
    table = measured(factors)
    assert list(table.columns) == [q.name for q in quantities(NAMES, None, "field")]
    assert np.isfinite(table.to_numpy()).all()


def test_objects_are_counted_wherever_they_lie(factors):
    cells = 2 + np.round(8 * (0.5 + 0.5 * np.tanh(0.8 * factors[:, 0]))) + (factors[:, 1] > 0)
    assert np.corrcoef(measured(factors)["object_count"], cells)[0, 1] > 0.9


@pytest.mark.parametrize(
    ("factor", "column"), [(0, "object_count"), (1, "brightest_cytoplasm"), (2, "speck_contrast_nucleus")]
)
def test_every_cause_of_a_scene_moves_its_measurement_most_surely(factors, factor, column):
    more, less = factors.copy(), factors.copy()
    more[:, factor], less[:, factor] = 1, -1
    change = measured(more) - measured(less)
    assert (change[column] > 0).mean() > 0.8
    spread = measured(factors).std()
    sizes = (change.mean() / spread).abs()
    assert sizes[column] > 2 * sizes.mean()


def test_an_empty_field_has_no_objects():
    empty = torch.rand(2, 1, 64, 64) * 0.02
    table = measure(empty, ["DNA"], view="field")
    assert table["object_count"].tolist() == [0, 0]
    assert table["object_mean_dna"].tolist() == [0, 0]
    assert measure(torch.zeros(1, 1, 64, 64), ["DNA"], view="field")["covered_dna"].tolist() == [0]


def test_areas_are_in_micrometres_where_the_pixel_size_is_known():
    field = torch.zeros(1, 1, 64, 64)
    field[0, 0, 8:18, 8:18] = field[0, 0, 40:50, 30:40] = 1
    table = measure(field, ["DNA"], pixel_size_um=0.5, view="field")
    assert table["object_count"].tolist() == [2]
    assert table["object_area_um2"][0] == pytest.approx(25, rel=0.1)
