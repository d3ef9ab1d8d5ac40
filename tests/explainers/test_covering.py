"""Few attributes together, and the best for each image, from a matrix with dropped rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diffex.effects.matrix import EffectMatrix
from diffex.explainers.covering import best_columns, coverage, usable

TARGET = 1
HALF = np.arange(12) < 6
ALONG, OTHER, ALREADY = np.arange(12) % 3 == 0, np.arange(12) % 3 == 1, np.arange(12) % 6 == 5


@pytest.fixture
def sample(prepared):
    return replace(prepared, half=HALF, target=TARGET)


@pytest.fixture
def matrix():
    """Row a+ flips every third image, b- the next ones and more weakly; c is dropped, and d is a control."""
    edits = np.zeros((12, 4, 2, 2))
    edits[..., 0] = 1.0
    edits[ALREADY, :, :, 1] = 2.0
    edits[ALONG, 0, 0, 1], edits[OTHER, 1, 1, 1], edits[:, 2:, :, 1] = 4.0, 3.0, 9.0
    edits[3:, 2] = np.nan
    null = np.tile([1.0, 0.0], (12, 1))
    null[ALREADY, 1] = 2.0
    return EffectMatrix(tuple(map(str, range(12))), tuple("abcd"), null, edits, np.ones((4, 2)))


TABLE = pd.DataFrame(
    {"concept": ["a", "b", "c", "d", "a"], "sign": [1, -1, 1, 1, -1],
     "kind": ["latent", "latent", "latent", "random", "latent"],
     "significant": [True, True, True, True, False]}
)  # fmt: skip
NAMES = {name: f"name of {name}" for name in "abcd"}


def test_only_significant_rows_rendered_everywhere_are_used(matrix):
    rows = usable(TABLE, matrix)
    assert np.argwhere(rows).tolist() == [[0, 0], [1, 1]]


def test_few_rows_cover_the_images_of_the_other_half(sample, matrix):
    found = coverage(sample, matrix, usable(TABLE, matrix), NAMES)
    assert found["images"] == 5, "one of the half is the target already"
    assert found["attributes"] == [
        {"concept": "a", "sign": 1, "name": "name of a", "flipped": 2},
        {"concept": "b", "sign": -1, "name": "name of b", "flipped": 4},
    ]


def test_coverage_is_counted_on_images_that_did_not_choose(sample, matrix):
    edits = matrix.edits.copy()
    edits[~HALF, 0, 0, 1] = 0.0  # a+ flips images of the selecting half alone
    found = coverage(sample, replace(matrix, edits=edits), usable(TABLE, matrix), NAMES)
    assert [one["flipped"] for one in found["attributes"]] == [0, 2]


def test_the_best_row_of_each_image(sample, matrix):
    found = best_columns(sample, matrix, usable(TABLE, matrix))
    best = np.array(found["best_concept"])
    assert set(best[ALONG]) == {"a"} and set(best[OTHER & ~ALREADY]) == {"b"}
    assert set(found["best_sign"][ALONG]) == {1} and set(found["best_sign"][OTHER]) == {-1}


def test_where_nothing_is_significant_nothing_is_best(sample, matrix):
    rows = usable(TABLE.assign(significant=False), matrix)
    assert best_columns(sample, matrix, rows) == {"best_concept": [None] * 12, "best_sign": 0}
    assert coverage(sample, matrix, rows, NAMES) == {"images": 5, "attributes": []}


def test_a_run_tells_both(explained):
    covered, cells = explained.summary["coverage"], explained.cells
    good = explained.effects[explained.effects["significant"] & (explained.effects["kind"] != "random")]
    significant = set(zip(good["concept"], good["sign"], strict=True))
    assert covered["images"] <= len(explained.summary["splits"]["estimation"])
    assert {(one["concept"], one["sign"]) for one in covered["attributes"]} <= significant
    if significant:
        assert set(zip(cells["best_concept"], cells["best_sign"], strict=True)) <= significant
