"""Confounds: planted plate effects are named, and nothing else."""

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.responses.balance import balanced_rows
from diffex.responses.confounds import Confounds, find_confounds

NAMES = ("condition", "plate", "nothing")


def _screen(seed: int, plate_effect: float, names: str = "well") -> Confounds:
    """Four plates of eight wells, half of them treated; wells differ, the second value by plate too."""
    random = np.random.default_rng(seed)
    wells = np.repeat(np.arange(32), 15)
    plates, treated = wells // 8, wells % 2
    values = random.normal(size=(len(wells), 3)) + random.normal(0, 0.3, (32, 3))[wells]
    values[:, 0] += treated
    values[:, 1] += plate_effect * np.linspace(-1, 1, 4)[plates]
    return find_confounds(values, NAMES, treated, plates, wells, seed=seed, permutations=499)


def test_a_plate_effect_is_named() -> None:
    flagged = [_screen(seed, 0.8).flagged for seed in range(10)]
    assert sum(found == ("plate",) for found in flagged) >= 9
    found = _screen(0, 0.8)
    assert found.table["separates"].tolist() == ["condition", "batch", "neither"]
    assert "plate separates plates rather than the condition" in found.words


def test_wells_that_differ_are_no_plate_effect() -> None:
    assert sum(bool(_screen(seed, 0.0).flagged) for seed in range(20)) <= 2
    assert _screen(0, 0.0).words == "No attribute separates plates."


def test_an_attribute_may_separate_both() -> None:
    random = np.random.default_rng(0)
    plates, treated = np.repeat(np.arange(4), 20), np.arange(80) % 2
    values = (3.0 * treated + 0.8 * np.linspace(-1, 1, 4)[plates])[:, None] + 0.5 * random.normal(
        size=(80, 1)
    )
    found = find_confounds(values, ["a"], treated, plates, seed=0, permutations=999)
    assert found.table["separates"].tolist() == ["both"] and "as well as the condition" in found.words


def test_condition_and_plate_that_coincide_are_said() -> None:
    plates = np.arange(40) % 2
    found = find_confounds(
        np.random.default_rng(0).normal(size=(40, 1)), ["a"], plates, plates, seed=0, permutations=20
    )
    assert found.confounded and not found.flagged and "cannot be told apart" in found.words


def test_values_that_do_not_vary_are_not_flagged() -> None:
    found = find_confounds(
        np.ones((8, 1)), ["a"], np.arange(8) % 2, np.arange(8) // 4, seed=0, permutations=20
    )
    assert found.table["separates"].tolist() == ["neither"]


def test_bad_designs_are_refused() -> None:
    values, two = np.zeros((8, 1)), np.arange(8) % 2
    with pytest.raises(InputError, match="got 1 plates, 2 conditions"):
        find_confounds(values, ["a"], two, np.zeros(8), seed=0)
    with pytest.raises(InputError, match="Unit 0 lies in two plates or conditions"):
        find_confounds(values, ["a"], two, np.arange(8) // 4, np.zeros(8, dtype=int), seed=0)
    with pytest.raises(InputError, match="names got 2 for 1"):
        find_confounds(values, ["a", "b"], two, two, seed=0)


def test_balanced_rows_hold_equally_many_of_each() -> None:
    random = np.random.default_rng(0)
    condition, plate = random.choice(list("aab"), 200), random.choice([1, 2, 3], 200)
    rows = balanced_rows(condition, plate, seed=0)
    for one in (1, 2, 3):
        here = condition[rows][plate[rows] == one]
        assert (
            (here == "a").sum()
            == (here == "b").sum()
            == min(((condition == kind) & (plate == one)).sum() for kind in "ab")
        )
    with pytest.raises(InputError, match="no batch with all 2 conditions"):
        balanced_rows(np.array(["a", "b"]), np.array([1, 2]), seed=0)
