"""The rows of biology run on little, and their simulations plant what they say."""

import pytest
import torch

from diffex.evaluation.bench import Bench
from diffex.evaluation.biology import BIOLOGY
from diffex.evaluation.biology.cells import fkhr_table
from diffex.evaluation.biology.doses import measure_doses
from diffex.evaluation.biology.mixtures import mixtures
from diffex.evaluation.biology.plates import planted_plates
from diffex.evaluation.suite import SUITES


def test_the_suite_is_known() -> None:
    assert SUITES["biology"] == BIOLOGY
    assert {task.id for task in BIOLOGY} >= {"B1", "B2", "B3", "B5", "B6"}


def test_the_ratio_answers_to_the_dose(data_set, data_dir, tmp_path) -> None:
    data_set("bbbc013_fkhr")
    found = list(measure_doses(Bench(data_dir, tmp_path, 0, True, torch.device("cpu"))))
    assert found[0].value > 0.9
    assert found[1].value == pytest.approx(10.8, rel=0.1) and found[1].low < found[1].value < found[1].high


def test_mixtures_of_real_cells(data_set) -> None:
    found = mixtures(fkhr_table(data_set("bbbc013_fkhr")), "positive", 0.2, 2, seed=0)
    assert found["fraction"].to_numpy() == pytest.approx(0.2, abs=0.04)
    assert (found["verdict"] == "mixture").all() and (found["auroc"] > 0.95).all()


def test_planted_plates_are_flagged() -> None:
    assert "cytoplasm_intensity" in planted_plates(1, 0.8).flagged
