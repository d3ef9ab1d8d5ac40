"""Doses: curves, EC50, trend and the first dose of departure are found where planted, absent in noise."""

import numpy as np
import pytest
from scipy import stats

from diffex.base.errors import InputError
from diffex.responses.departure import departures
from diffex.responses.dose_curve import dose_curve
from diffex.responses.doses import check_doses, well_values
from diffex.responses.hill import HillFit, fit_hill, hill
from diffex.responses.trend import dose_trend

DOSES = np.array([0.0, 1, 2, 4, 8, 16, 32, 64])


def _plate(seed: int, wells: int = 3, cells: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give cells that answer with EC50 6, their doses and wells; wells differ a little."""
    random = np.random.default_rng(seed)
    well = np.repeat(np.arange(len(DOSES) * wells), cells)
    dose = np.repeat(DOSES, wells * cells)
    noise = random.normal(0, 0.1, len(DOSES) * wells)[well] + random.normal(0, 0.8, len(well))
    return hill(dose, 0, 3, 6, 1.5) + noise, dose, well


def test_curve_by_well() -> None:
    values, doses, wells = _plate(0)
    found = dose_curve(values, doses, wells, seed=0)
    assert found.table["dose"].tolist() == DOSES.tolist()
    assert (found.table["wells"] == 3).all() and (found.table["unit"] == "wells").all()
    assert found.table["value"].to_numpy() == pytest.approx(hill(DOSES, 0, 3, 6, 1.5), abs=0.5)
    assert (found.table["low"] < found.table["value"]).all()
    assert found.hill.ec50 == pytest.approx(6, rel=0.5) and "EC50" in found.hill.words


def test_one_well_per_dose_gives_intervals_over_cells_and_an_ec50() -> None:
    values, doses, wells = _plate(1, wells=1, cells=60)
    found = dose_curve(values, doses, wells, seed=0)
    assert (found.table["unit"] == "cells").all() and (found.table["wells"] == 1).all()
    assert found.hill.ec50 == pytest.approx(6, rel=0.5)
    bare = dose_curve(values, doses, seed=0)
    assert (bare.table["wells"] == 0).all() and bare.hill.ec50 == pytest.approx(found.hill.ec50)


def test_very_few_cells_leave_the_interval_open() -> None:
    table = dose_curve([1.0, 2.0, 3.0], [0, 1, 1], seed=0).table
    assert np.isinf(table[["low", "high"]].to_numpy()).all()


def test_falling_curves_have_an_ec50_too() -> None:
    values, doses, wells = _plate(2)
    found = dose_curve(-values, doses, wells, seed=0)
    assert found.hill.low < 6 < found.hill.high and found.hill.top < found.hill.bottom


def test_the_interval_covers() -> None:
    hits = 0
    for seed in range(15):
        random, doses = np.random.default_rng(seed), np.repeat(DOSES, 3)
        y = hill(doses, 0, 3, 6, 1.5) + random.normal(0, 0.25, len(doses))
        found = fit_hill(y, doses, seed=seed, repeats=100)
        hits += found.low <= 6 <= found.high
    assert hits >= 12


def test_flat_curves_give_a_reason() -> None:
    random, doses = np.random.default_rng(3), np.repeat(DOSES, 3)
    found = fit_hill(random.normal(size=len(doses)), doses, seed=0)
    assert np.isnan(found.ec50) and "No EC50 can be given: the response is flat" in found.words
    assert "flat" in fit_hill(np.ones(len(doses)), doses, seed=0).reason


def test_half_responses_outside_the_doses_give_a_reason() -> None:
    doses = np.repeat([0.0, 1, 2, 4, 8], 3)
    y = hill(doses, 0, 3, 60, 1.0) + np.random.default_rng(0).normal(0, 0.01, len(doses))
    assert "outside the doses (1 to 8)" in fit_hill(y, doses, seed=0, repeats=20).reason


def test_few_wells_or_doses_give_a_reason() -> None:
    assert "3 wells of 2 doses" in fit_hill([0.0, 1, 1], [0, 8, 8], seed=0).words


def test_without_wells_the_reason_names_none() -> None:
    found = dose_curve([0.0, 1, 1, 2], [0, 4, 4, 8], seed=0)
    assert "3 medians of 3 doses" in found.hill.words


def test_open_ends_and_steps_are_said_in_words() -> None:
    words = HillFit(2.9, 0.0, np.inf, 0.0, 1.0, 12.0, 0.02).words
    assert words.startswith(
        "EC50 2.9 [below all doses, above all doses], Hill slope 12 or more, a step between"
    )
    assert words.endswith("(p = 0.02 against no response).")
    assert HillFit(2.9, 2.0, 4.0, 0.0, 1.0, 2.0, 0.02).words.startswith("EC50 2.9 [2, 4], Hill slope 2 (p")


def test_an_exact_curve_is_returned() -> None:
    doses = np.repeat(DOSES, 2)
    found = fit_hill(hill(doses, 1, 4, 6, 2), doses, seed=0, repeats=5)
    assert (found.ec50, found.bottom, found.top) == pytest.approx((6, 1, 4), rel=1e-3) and found.p == 0


@pytest.mark.parametrize("bad", ["high", "-1", "", "nan", "inf"])
def test_doses_that_are_no_numbers_are_refused(bad: str) -> None:
    with pytest.raises(InputError, match=r"Column dose holds .* expected numbers of 0 or more"):
        check_doses(["0", bad, "2"])


def test_a_well_of_two_doses_is_refused() -> None:
    with pytest.raises(InputError, match="Well A01 has cells of dose 0 and 2"):
        well_values(np.zeros((3, 1)), [0, 2, 2], np.array(["A01", "A01", "A02"]))


def test_trend_is_found_and_its_p_is_uniform_in_noise() -> None:
    values, doses, wells = _plate(4)
    found = dose_trend(values, doses, wells, seed=0, permutations=999)
    assert found.correlation > 0.9 and found.p < 0.01 and (found.n, found.unit) == (24, "wells")
    p = [
        dose_trend(np.random.default_rng(s).normal(size=24), np.repeat(DOSES, 3), seed=s, permutations=199).p
        for s in range(150)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_trend_takes_wells_not_cells_as_observations() -> None:
    wells = np.repeat(np.arange(6), 200)
    values = np.random.default_rng(5).normal(size=6)[wells]
    assert dose_trend(values, np.repeat([0.0, 0, 1, 1, 2, 2], 200), wells, seed=0).p > 0.01


def test_equal_wells_have_no_trend_and_few_are_refused() -> None:
    assert dose_trend(np.ones(8), DOSES, seed=0).p == 1
    with pytest.raises(InputError, match="A trend got 2 cells of 2 doses"):
        dose_trend([1.0, 2.0], [0, 1], seed=0)


def test_the_early_value_departs_first() -> None:
    random = np.random.default_rng(6)
    doses, wells = np.repeat(DOSES, 60), np.repeat(np.arange(24), 20)
    moved = np.stack([3.0 * (doses >= 2), 3.0 * (doses >= 16), 0 * doses], axis=1)
    noise = random.normal(size=(480, 3)) + random.normal(0, 0.2, (24, 3))[wells]
    found = departures(noise + moved, ("early", "late", "still"), doses, wells)
    assert found.lowest == {"early": 2.0, "late": 16.0, "still": None}
    assert found.first == "early" and found.unit == "wells" and len(found.table) == 21


def test_noise_departs_rarely() -> None:
    departed = 0
    for seed in range(100):
        found = departures(np.random.default_rng(seed).normal(size=(24, 5)), "abcde", np.repeat(DOSES, 3))
        departed += found.first is not None
    assert departed <= 10


def test_one_well_per_dose_can_depart_and_no_control_is_refused() -> None:
    doses = np.array([0.0, 0, 0, 0, 1, 2])
    values = np.array([0.1, -0.1, 0.05, -0.05, 0.0, 9.0])[:, None]
    assert departures(values, ["a"], doses).lowest == {"a": 2.0}
    with pytest.raises(InputError, match="give controls dose 0"):
        departures(values, ["a"], doses + 1)
    with pytest.raises(InputError, match="names got 2 for 1 columns"):
        departures(values, ["a", "b"], doses)


def test_variance_is_pooled_up_to_the_dose_tested() -> None:
    doses = np.repeat([0.0, 1, 2], 4)
    values = np.concatenate([[0.1, -0.1, 0.1, -0.1], [0.5, 0.4, 0.6, 0.5], [-20.0, 40.0, 0.0, 60.0]])[:, None]
    low, high = departures(values, ["a"], doses).table["sd"]
    two = departures(values[:8], ["a"], doses[:8]).table["sd"]
    assert low == pytest.approx(two[0]) and low > 4 and high < 2


def test_values_without_any_change_do_not_depart() -> None:
    assert departures(np.ones((6, 1)), ["a"], [0, 0, 0, 1, 1, 2]).first is None
