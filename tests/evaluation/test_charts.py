"""Charts on logarithmic axes."""

import numpy as np
import pytest
from PIL import Image

from diffex.evaluation.charts import Growth, round_values, save_growths

SIZES = np.array([1.0, 2, 4, 8, 16])


def test_the_law_passes_through_exact_points():
    values = 3 * SIZES**1.5
    assert Growth("", "", "", SIZES, values, 1.5).law() == pytest.approx(values)


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.9), (1, 16), (0.02, 7), (5, 2e6)])
def test_axes_have_some_round_values(low, high):
    values = round_values(low, high)
    assert 1 <= len(values) <= 9 and low <= values[0] <= values[-1] <= high


def test_panels_are_drawn_side_by_side(tmp_path):
    one = Growth("exponent 1", "images N", "CPU seconds", SIZES, SIZES, 1.0)
    flat = Growth("exponent 0", "pixels", "evaluations", SIZES, np.full(5, 33.0), 0.0)
    save_growths([[one, one], [one, flat]], tmp_path / "figures" / "cost.png")
    sheet = np.asarray(Image.open(tmp_path / "figures" / "cost.png").convert("L"))
    height, width = (side // 2 for side in sheet.shape)
    assert (sheet[:height, :width] == sheet[:height, width:]).all()
    assert (sheet[height:, width:] != sheet[:height, :width]).any()
    assert 0.01 < (sheet < 128).mean() < 0.3
