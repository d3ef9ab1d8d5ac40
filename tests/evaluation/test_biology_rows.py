"""The rows of biology run on little, and their simulations plant what they say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.evaluation.bench import Bench
from diffex.evaluation.biology import BIOLOGY
from diffex.evaluation.biology.cells import RATIO, fkhr_table
from diffex.evaluation.biology.doses import beside_the_ratio, measure_doses
from diffex.evaluation.biology.first import planted_readers, read_cells
from diffex.evaluation.biology.many import differ, repeated
from diffex.evaluation.biology.mixtures import mixtures
from diffex.evaluation.biology.organelles import CHANGES, covers, exact_pairs, tells
from diffex.evaluation.biology.plates import planted_plates
from diffex.evaluation.rows import REPORTED, meets
from diffex.evaluation.suite import SUITES
from diffex.images import PlantedCells, images_from_arrays, open_images
from diffex.images.store_writing import write_store


def test_the_suite_is_known() -> None:
    assert SUITES["biology"] == BIOLOGY
    assert {task.id for task in BIOLOGY} >= {"B1", "B2", "B3", "B4", "B5", "B6", "B7"}


def test_the_ratio_answers_to_the_dose(data_set, data_dir, tmp_path) -> None:
    data_set("bbbc013_fkhr")
    found = list(measure_doses(Bench(data_dir, tmp_path, 0, True, torch.device("cpu"))))
    assert found[0].value > 0.9
    assert found[1].value == pytest.approx(10.8, rel=0.1) and found[1].low < found[1].value < found[1].high


def test_a_score_is_set_beside_the_ratio(data_set) -> None:
    table = fkhr_table(data_set("bbbc013_fkhr"))
    table = table[table["label"].isin(["negative", "dose"])]
    random, ratio = np.random.default_rng(0), table[RATIO].to_numpy()

    def met(score) -> list[bool]:
        rows = [row for row in beside_the_ratio(table, score, "", 0) if row.target != REPORTED]
        return [meets(row.value, row.target) for row in rows]

    assert met(3 * ratio + random.normal(0, 0.3, len(ratio))) == [True] * 4
    assert met(random.normal(0, 1, len(ratio))) == [False] * 4


def test_mixtures_of_real_cells(data_set) -> None:
    found = mixtures(fkhr_table(data_set("bbbc013_fkhr")), "positive", 0.2, 2, seed=0)
    assert found["fraction"].to_numpy() == pytest.approx(0.2, abs=0.04)
    assert (found["verdict"] == "mixture").all() and (found["auroc"] > 0.95).all()


def test_planted_plates_are_flagged() -> None:
    assert "cytoplasm_intensity" in planted_plates(1, 0.8).flagged


def test_an_early_factor_answers_before_a_late_one(tmp_path) -> None:
    readers = planted_readers(Bench(None, tmp_path, 1, True, torch.device("cpu")))
    moved, still = (read_cells(readers, 5, effect) for effect in (3.0, 0.0))
    found = moved.beside_score(moved.attributes).lowest
    assert found["puncta_intensity"] <= found["score"] and found["puncta_intensity"] < found["nucleus_area"]
    nothing = still.beside_score(still.attributes).lowest
    assert nothing["puncta_intensity"] is None and nothing["nucleus_area"] is None


@pytest.fixture(scope="module")
def pairs():
    return exact_pairs(24, seed=3)


def test_planted_changes_are_told_where_they_are(pairs) -> None:
    assert len(pairs) == 2 * len(CHANGES)
    for factor in ("nucleus_intensity", "cytoplasm_intensity", "puncta_intensity"):
        assert tells(pairs[factor, 1], factor) == {"right": True, "form": False}
    assert not tells(pairs["nucleus_intensity", 1], "puncta_intensity")["right"]
    nothing = replace(pairs["nucleus_intensity", 1], after=pairs["nucleus_intensity", 1].before)
    assert not tells(nothing, "nucleus_intensity")["right"]


def test_intervals_of_sizes_mostly_cover(pairs) -> None:
    covered = covers(pairs["nucleus_intensity", 1], "nucleus_mean_nucleus", 60, seed=0)
    assert covered.shape == (60,) and 0.8 < covered.mean() <= 1


def test_many_cells_are_few_repeated(tmp_path) -> None:
    cells = images_from_arrays(PlantedCells(32).images(3, 0).read().half().float())
    again = open_images(write_store(repeated(cells, 8), tmp_path / "many.zarr"))
    assert len(set(again.ids)) == 8 and again.dtype == "float16"
    assert again.read([0, 4, 7]).equal(cells.read([0, 1, 1]))


def test_differences_are_seen_at_both_ends() -> None:
    few = pd.DataFrame({"score_a": [0.0, 1.0, 2.0], "label": "x"})
    many = pd.DataFrame({"score_a": np.resize([0.0, 1.0, 2.0], 8), "label": "x"})
    assert differ(few, many) == 0
    assert differ(few, many.assign(score_a=many["score_a"] + [0, 0, 0, 0, 0, 0, 0, 0.5])) == 0.5
    assert differ(few, many.assign(score_a=many["score_a"] + [0, 0.25, 0, 0, 0, 0, 0, 0])) == 0.25
