"""Intervals cover what they say they cover."""

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from diffex.base.errors import InputError
from diffex.effects.intervals import (
    bootstrap_ranks,
    mean_interval,
    mean_intervals,
    spearman_brown,
    split_half_reliability,
    wilson,
)


def _coverage(matrix: NDArray[np.float64], truth: float, groups: NDArray[np.int64] | None = None) -> float:
    found = mean_intervals(matrix, groups)
    return float(((found.low <= truth) & (truth <= found.high)).mean())


def test_paired_t_covers_skewed_effects() -> None:
    effects = np.random.default_rng(1).gamma(2.0, size=(256, 4000))
    assert 0.93 <= _coverage(effects, 2.0) <= 0.97


def test_cluster_t_covers_with_12_unequal_groups() -> None:
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(12), random.integers(12, 31, size=12))
    shared = random.normal(size=(12, 4000))
    effects = shared[groups] + random.normal(size=(len(groups), 4000))
    assert 0.93 <= _coverage(effects, 0.0, groups) <= 0.97
    assert _coverage(effects, 0.0) < 0.6  # images are not independent here


def test_unit_is_groups_from_six_on() -> None:
    values = np.arange(60.0)
    assert mean_interval(values).unit == "images"
    five, six = mean_interval(values, np.arange(60) % 5), mean_interval(values, np.arange(60) % 6)
    assert (five.unit, five.groups, six.unit, six.groups) == ("images", 5, "groups", 6)
    assert (five.low, five.high) == (mean_interval(values).low, mean_interval(values).high)


def test_singleton_groups_are_images() -> None:
    values = np.random.default_rng(3).normal(size=40)
    one, other = mean_interval(values), mean_interval(values, np.arange(40))
    assert one.low == pytest.approx(other.low) and one.high == pytest.approx(other.high)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (77, 256)])
def test_wilson_agrees_with_statsmodels(successes: int, trials: int) -> None:
    low, high = proportion_confint(successes, trials, method="wilson")
    assert wilson(successes, trials) == pytest.approx((successes / trials, low, high))


def test_wilson_without_trials_knows_nothing() -> None:
    rate, low, high = wilson(0, 0)
    assert np.isnan(rate) and (low, high) == (0.0, 1.0)


def test_rank_intervals_cover() -> None:
    means = np.arange(20)[::-1] * 0.05
    random = np.random.default_rng(4)
    covered = []
    for seed in range(60):
        low, high = bootstrap_ranks(means + random.normal(size=(128, 20)), seed, 300, score=np.positive)
        covered.append((low <= np.arange(1, 21)) & (np.arange(1, 21) <= high))
    assert np.mean(covered) >= 0.93


def test_rank_intervals_are_sharp_for_clear_effects() -> None:
    effects = np.array([0.0, -9.0, 3.0]) + np.random.default_rng(5).normal(size=(64, 3))
    low, high = bootstrap_ranks(effects, seed=0)
    assert low.tolist() == high.tolist() == [3, 1, 2]
    low, high = bootstrap_ranks(effects, seed=0, score=np.positive)
    assert low.tolist() == high.tolist() == [2, 3, 1]


def test_rank_intervals_widen_with_groups() -> None:
    random = np.random.default_rng(6)
    groups = np.repeat(np.arange(8), 16)
    effects = random.normal(size=(8, 10))[groups] + 0.1 * random.normal(size=(128, 10))
    by_image, by_group = bootstrap_ranks(effects, 0), bootstrap_ranks(effects, 0, groups=groups)
    assert (by_group[1] - by_group[0]).mean() > (by_image[1] - by_image[0]).mean()


def test_reliability_of_noise_and_of_signal() -> None:
    noise = np.random.default_rng(7).normal(size=(200, 60))
    assert abs(split_half_reliability(noise, seed=0)) < 0.4
    assert split_half_reliability(noise + np.arange(60), seed=0) > 0.99
    assert split_half_reliability(np.ones((10, 4)), seed=0) == 0.0
    assert spearman_brown(1.0) == 1.0


@pytest.mark.parametrize("bad", [np.array([[1.0]]), np.array([[np.nan], [1.0]]), np.ones(3)])
def test_refuses_what_it_cannot_use(bad: NDArray[np.float64]) -> None:
    with pytest.raises(InputError):
        mean_intervals(bad)


def test_refuses_groups_of_another_length() -> None:
    with pytest.raises(InputError, match="groups got 3"):
        mean_interval([1.0, 2.0], np.array(["a", "b", "c"]))
