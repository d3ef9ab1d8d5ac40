import numpy as np
import pytest

from diffex.rules.factor_choice import choose_factors
from diffex.rules.factors import Factor, Factors, representatives


def table(count=300, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width))


def named(values):
    return Factors(tuple(Factor(f"f{i}", f"factor {i}", "um") for i in range(values.shape[1])), values)


def test_one_of_near_copies_stays_the_first():
    x = table()
    x[:, 3] = np.exp(x[:, 1])  # the same ranks
    x[:, 4] = -x[:, 1] + 0.01 * x[:, 5]
    assert representatives(x) == (0, 1, 2, 5)
    assert representatives(x[:, ::-1]) == (0, 1, 3, 5)


def test_factors_that_are_only_alike_stay():
    x = table()
    x[:, 1] = x[:, 0] + 0.6 * x[:, 1]
    assert representatives(x) == tuple(range(6))
    assert representatives(x, alike=0.7) == (0, 2, 3, 4, 5)


@pytest.mark.parametrize("value", [0.0, 1.0, -1e6, 0.1])
def test_constants_are_dropped(value):
    x = table()
    x[:, [0, 3]] = value
    assert representatives(x) == (1, 2, 4, 5)
    assert representatives(x[:, [0, 1]]) == (1,)
    assert representatives(x[:, [0, 3]]) == ()


@pytest.mark.parametrize("seed", range(5))
def test_units_do_not_matter(seed):
    x = table(seed=seed)
    x[:, 5] = x[:, 2] + 0.05 * x[:, 5]
    units = 10.0 ** np.random.default_rng(seed).integers(-6, 7, 6)
    assert representatives(x * units + units) == representatives(x) == (0, 1, 2, 3, 4)


def test_columns_and_rows_are_taken_by_name_and_place():
    factors = named(table())
    some = factors.columns(["f4", "f1"]).rows([3, 0])
    assert some.names == ("f4", "f1")
    np.testing.assert_array_equal(some.values, factors.values[[3, 0]][:, [4, 1]])
    mask = factors.values[:, 0] > 0
    np.testing.assert_array_equal(factors.rows(mask).values, factors.values[mask])
    assert factors.rows(mask).meanings == factors.meanings


def test_planted_factors_are_chosen():
    factors = named(table(400, 12) * 10.0 ** np.arange(-6, 6))
    z = factors.values / factors.values.std(axis=0)
    margin = z[:, 3] - 0.8 * z[:, 7] + 0.1 * z[:, 0] * z[:, 1]
    assert set(choose_factors(factors, margin, None, 2, 0).names) == {"f3", "f7"}
    assert len(choose_factors(factors, margin, None, 1, 0).names) == 1


def test_of_noise_one_factor_is_left():
    factors = named(table(200, 8))
    margin = np.random.default_rng(9).normal(size=200)
    assert len(choose_factors(factors, margin, None, 5, 0).names) >= 1


def test_factors_that_act_only_together_are_chosen():
    factors = named(table(400, 8))
    margin = 1.5 * factors.values[:, 2] * factors.values[:, 5] + 0.3 * table(400, 1, 3)[:, 0]
    assert set(choose_factors(factors, margin, None, 5, 0).names) >= {"f2", "f5"}


def test_a_factor_that_is_constant_in_most_halves_does_no_harm():
    values = table(200, 6)
    values[:, 4] = 0
    values[7, 4] = 1
    margin = values[:, 0] - values[:, 2] + 0.2 * table(200, 1, 3)[:, 0]
    assert set(choose_factors(named(values), margin, None, 3, 0).names) >= {"f0", "f2"}
