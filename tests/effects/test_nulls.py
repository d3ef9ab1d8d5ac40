"""p values are uniform where nothing is there, and small where something is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.calibration import curvature_weight, fit_calibration, widening
from diffex.effects.intervals import mean_intervals
from diffex.effects.nulls import (
    RandomDirectionNull,
    draws_needed,
    random_direction_null,
    random_directions,
    rise_p,
)
from diffex.effects.prediction import Predicted, linear_effects, predict


def test_rise_is_uniform() -> None:
    effects = np.random.default_rng(0).normal(size=(256, 3000))
    assert stats.kstest(rise_p(effects), "uniform").pvalue > 0.01


def test_rise_is_uniform_with_groups() -> None:
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(12), 20)
    effects = random.normal(size=(12, 3000))[groups] + random.normal(size=(240, 3000))
    assert stats.kstest(rise_p(effects, groups), "uniform").pvalue > 0.01
    assert (rise_p(effects) < 0.05).mean() > 0.2  # images are not independent here


def test_rise_agrees_with_scipy_and_with_the_interval() -> None:
    effects = np.random.default_rng(2).normal(0.1, 1.0, size=(100, 200))
    p, found = rise_p(effects), mean_intervals(effects)
    assert p == pytest.approx(stats.ttest_1samp(effects, 0.0, alternative="greater").pvalue)
    assert ((p < 0.025) == (found.low > 0)).all()


def test_rise_of_constants() -> None:
    assert rise_p(np.array([[0.0, 1.0, -1.0]] * 5)).tolist() == [0.5, 0.0, 1.0]


def test_random_directions_have_the_size_asked_for(make_world: Callable[..., Any]) -> None:
    world = make_world(0, images=10)
    drawn = random_directions(world.metric, world.covariance, 2.5, 5000, seed=1)
    sizes = np.sqrt(np.einsum("rd,de,re->r", drawn, world.metric, drawn))
    assert drawn.shape == (5000, 32) and sizes == pytest.approx(2.5)
    assert (drawn == random_directions(world.metric, world.covariance, 2.5, 5000, seed=1)).all()


def flat(world: Any) -> NDArray[np.float64]:
    return np.zeros_like(world.metric)


def test_null_is_what_its_directions_give(make_world: Callable[..., Any]) -> None:
    world = make_world(1, images=10)
    null = random_direction_null(
        world.gradients, 2 * world.curvature, world.metric, world.covariance, [2.0], seed=2, draws=100
    )
    drawn = random_directions(world.metric, world.covariance, 2.0, 100, seed=2)
    assert null.predicted.linear == pytest.approx(linear_effects(world.gradients, drawn))
    assert null.effects == pytest.approx(world.effects(drawn).mean(axis=0))


def test_lengths_are_dealt(make_world: Callable[..., Any]) -> None:
    world = make_world(1, images=10)
    null = random_direction_null(
        world.gradients, flat(world), world.metric, world.covariance, [1.0, 3.0], seed=2, draws=1000
    )
    drawn = random_directions(world.metric, world.covariance, 1.0, 1000, seed=2)
    ratios = null.predicted.linear / linear_effects(world.gradients, drawn)
    assert set(ratios.round(6)) == {1.0, 3.0} and 1.8 < ratios.mean() < 2.2


def test_prediction_of_opposites_shares_the_curved_part(make_world: Callable[..., Any]) -> None:
    world = make_world(1, images=10)
    drawn = world.random(20, seed=3)
    both = predict(world.gradients, 2 * world.curvature, drawn).signed(1.0)
    assert both[:, 0] == pytest.approx(world.effects(drawn).mean(axis=0))
    assert both[:, 1] == pytest.approx(world.effects(-drawn).mean(axis=0))


def test_random_directions_have_uniform_p(make_world: Callable[..., Any]) -> None:
    world, half = make_world(2, images=20), np.ones(20, dtype=bool)
    effects = world.effects(world.random(1000, seed=9)).mean(axis=0)
    linear = random_direction_null(
        world.gradients, flat(world), world.metric, world.covariance, [1.0], seed=3
    )
    straight = world.gradients.mean(axis=0) @ world.random(1000, seed=9).T
    assert stats.kstest(linear.p(straight), "uniform").pvalue > 0.01
    p = world.null(half, seed=4).p(effects)
    assert (p <= 0.05).mean() <= 0.07 and p.min() >= 1 / 20001
    assert stats.kstest(world.null(half, seed=4, known=1.0).p(effects), "uniform").pvalue > 0.01


def test_known_curvature_sharpens_the_null(make_world: Callable[..., Any]) -> None:
    world, half = make_world(2, images=20, curve=1.0), np.ones(20, dtype=bool)
    effects = world.effects(world.random(2000, seed=9)).mean(axis=0)
    sure, part, blind = (world.null(half, seed=4, known=share) for share in (1.0, 0.5, 0.0))
    for null in (sure, part):  # the weight of what is known is fitted
        assert np.std(null.effects) == pytest.approx(np.std(effects), rel=0.1)
        assert np.quantile(null.effects, 0.999) == pytest.approx(np.quantile(effects, 0.999), rel=0.2)
    scatter = [1 - np.corrcoef(n.effects, n.predicted.signed(1.0)[:, 0])[0, 1] ** 2 for n in (sure, blind)]
    assert scatter[0] < 0.01 and scatter[1] > 0.3


def test_opposed_or_unrelated_curvature_has_no_weight() -> None:
    curved = np.random.default_rng(0).normal(size=50)
    assert curvature_weight(-curved, curved) == 0.0
    assert curvature_weight(curved, np.zeros(50)) == 0.0
    assert curvature_weight(2 * curved + 1, curved) == pytest.approx(2.0)


def test_p_counts_exceeding_draws() -> None:
    nothing = Predicted(np.zeros(4), np.zeros(4))
    null = RandomDirectionNull(nothing, np.array([-3.0, 1.0, -2.0, 0.5]))
    assert null.p([0.0, 1.0, -2.5, 9.0]).tolist() == [0.6, 0.4, 0.8, 0.2]


@pytest.mark.parametrize(("bend", "sign"), [(np.tanh, 1), (np.sinh, -1), (np.copy, 0)])
def test_calibration_finds_the_bend(bend: np.ufunc, sign: int) -> None:
    random = np.random.default_rng(5)
    predicted = 1.5 * random.normal(size=64)
    found = fit_calibration(bend(predicted) + 0.05 * random.normal(size=64), predicted, 1.0)
    assert np.sign(found.bend) == sign and found.slope > 0


def test_unrelated_gradients_give_a_null_of_scatter_alone() -> None:
    random = np.random.default_rng(6)
    linear = RandomDirectionNull(Predicted(random.normal(size=20_000), np.zeros(20_000)), np.zeros(20_000))
    predicted = random.normal(size=20)
    effects = np.stack([-predicted, predicted], axis=1)
    opposed = linear.calibrated((effects, Predicted(predicted, np.zeros(20))), seed=0)
    assert abs(np.corrcoef(opposed.effects, opposed.predicted.linear)[0, 1]) < 0.05
    assert np.std(opposed.effects) >= np.std(predicted)


def test_widening_only_widens_and_spares_most_right_nulls() -> None:
    random = np.random.default_rng(7)
    null = random.normal(size=20_000)

    def pairs(scale: float) -> NDArray[np.float64]:
        return scale * random.normal(size=(64, 1)) * np.array([1.0, -1.0])

    assert widening(pairs(0.5), null, 0) == 1.0
    assert widening(pairs(3.0), null, 0) > 2.5
    widened = [widening(pairs(1.0), null, seed) > 1 for seed in range(200)]
    assert 0.1 <= np.mean(widened) <= 0.35


def test_draws_needed_resolve_a_table() -> None:
    assert draws_needed(200) == 20_000
    assert 1 / (1 + draws_needed(2000)) < 0.05 / 2000


def test_refuses_what_it_cannot_use() -> None:
    eye = np.eye(3)
    with pytest.raises(InputError, match="calibrate the concepts"):
        random_directions(eye, eye, 0.0, 5, seed=0)
    with pytest.raises(InputError, match="no size"):
        random_directions(np.zeros((3, 3)), eye, 1.0, 5, seed=0)
    with pytest.raises(InputError, match="expected both"):
        random_directions(np.eye(2), eye, 1.0, 5, seed=0)
    null = random_direction_null(np.ones((4, 3)), eye, eye, eye, [1.0], seed=0, draws=10)
    with pytest.raises(InputError, match="expected 4 or more"):
        null.calibrated((np.ones((3, 2)), Predicted(np.ones(3), np.ones(3))), seed=0)
