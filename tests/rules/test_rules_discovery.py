"""From raw factors to rules, on planted margins."""

from dataclasses import replace

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.rules.discovery import Search, discover, in_units
from diffex.rules.expression import numeric, symbol
from diffex.rules.factors import Factor, Factors
from diffex.rules.library_engine import LibraryEngine

QUICK = Search(engines=(LibraryEngine(3),), halves=0)
SPREAD = np.array([120, 0.05, 3, 1e3, 1, 1e-3, 0.5, 40, 7, 0.1, 9, 2])
MEAN = np.array([400, 0.5, 10, 5e3, 0, 0, 2, 100, 30, 1, 50, 4])
UNITS = ("um2", "", "um", "grey levels", "", "um", "", "um", "um2", "", "px", "log2")
LAWS = {
    2: lambda z: [-z[:, 0] + 0.8 * z[:, 3] - 0.2, z[:, 0] - 0.8 * z[:, 3] + 0.2],
    3: lambda z: [1.2 * z[:, 0], 1.5 * z[:, 2] - 0.4 * z[:, 0], np.tanh(2 * z[:, 5]) - z[:, 2]],
}
READ = {2: [{"q0", "q3"}], 3: [{"q0"}, {"q0", "q2"}, {"q2", "q5"}]}


def table(count=400, seed=0):
    z = np.random.default_rng(seed).normal(size=(count, 12))
    meanings = tuple(Factor(f"q{i}", f"quantity {i}", unit) for i, unit in enumerate(UNITS))
    return Factors(meanings, MEAN + SPREAD * z), z


def margins(z, classes, noise=0.1, seed=1):
    exact = np.stack(LAWS[classes](z), axis=1)
    shaken = exact + noise * np.random.default_rng(seed).normal(size=exact.shape)
    return np.stack([-shaken[:, 1], shaken[:, 1]], axis=1) if classes == 2 else shaken


@pytest.mark.parametrize("classes", [2, 3])
def test_planted_margins_are_found_in_units(classes):
    factors, z = table()
    names = ("no", "yes", "maybe")[:classes]
    rules = discover(factors, margins(z, classes), names, None, QUICK)
    assert [rule.class_name for rule in rules.rules] == (["yes"] if classes == 2 else list(names))
    assert [set(rule.names) for rule in rules.rules] == READ[classes]
    for rule in rules.rules:
        for factor in rule.factors:
            assert factor == factors.meanings[factors.names.index(factor.name)], "units and words are carried"
    new, z_new = table(500, seed=2)
    exact = margins(z_new, classes, noise=0)
    found = rules.margins(new)
    assert found.shape == exact.shape
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.95
    assert ((found - exact).std(axis=0) < 0.25 * exact.std(axis=0)).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_the_front_is_in_units_and_the_rule_is_its_chosen_row(classes):
    factors, z = table()
    rules = discover(factors, margins(z, classes), ("no", "yes", "maybe")[:classes], None, QUICK)
    for rule, margin in zip(rules.rules, margins(z, classes).T[classes == 2 :], strict=True):
        assert [row.expression for row in rule.front if row.chosen] == [rule.expression]
        for row in rule.front:
            predicted = numeric(row.expression, factors.names)(factors.values)
            r2 = 1 - np.mean((predicted - margin) ** 2) / margin.var()
            assert r2 == pytest.approx(row.r2, abs=0.15)


def test_the_constants_of_a_rule_lie_in_their_intervals():
    factors, z = table()
    rule = discover(factors, margins(z, 2), ("no", "yes"), None, QUICK).rules[0]
    assert len(rule.constants) == 3
    assert all(low <= value <= high for value, low, high in rule.constants)
    slope = next(c for c in rule.constants if abs(c[0] - 1 / 120) < 1e-3)
    assert slope[1] < 1 / 120 < slope[2]


def test_the_order_of_images_and_a_near_copy_do_not_change_the_factors():
    factors, z = table()
    values = np.concatenate([factors.values, factors.values[:, :1] * 1.5 + 1e-3 * z[:, 1:2]], axis=1)
    doubled = Factors((*factors.meanings, Factor("copy", "a copy")), values)
    assert set(discover(doubled, margins(z, 2), ("no", "yes"), None, QUICK).rules[0].names) == READ[2][0]


def test_the_same_seed_gives_the_same_rules():
    factors, z = table(200)
    search = replace(QUICK, halves=4)
    groups = np.repeat([f"g{i}" for i in range(20)], 10)
    first, second = (discover(factors, margins(z, 2), ("no", "yes"), groups, search) for _ in range(2))
    assert first.as_dict() == second.as_dict()
    assert first.rules[0].stability["q0"] == 1.0


def test_margins_that_no_factor_explains_get_a_rule_all_the_same():
    factors, _ = table(200)
    noise = np.random.default_rng(5).normal(size=200)
    rules = discover(factors, np.stack([-noise, noise], axis=1), ("no", "yes"), None, QUICK)
    assert rules.rules[0].nodes <= 9
    assert np.isfinite(rules.margins(factors)).all()
    assert "Rule(margin of 'yes'" in repr(rules)


def test_formulas_are_rewritten_in_units():
    a, b = symbol("a"), symbol("b")
    scale = np.array([4.0, 0.25])
    x = np.random.default_rng(0).normal(size=(10, 2))
    expression = 0.5 * a**2 - 1.5 * a * b + 0.25
    rewritten = in_units(expression, ("a", "b"), scale)
    np.testing.assert_allclose(
        numeric(rewritten, ("a", "b"))(x * scale), numeric(expression, ("a", "b"))(x), rtol=1e-12
    )


def test_too_few_images_for_the_factors_are_refused():
    factors, z = table(40)
    with pytest.raises(InputError, match="Got 40 images and 12 factors that differ, expected at least 44 im"):
        discover(factors, margins(z, 2), ("no", "yes"), None, QUICK)


def test_a_class_with_a_handful_of_images_is_refused():
    factors, z = table(200)
    order = np.argsort(margins(z, 2)[:, 1])
    few = np.concatenate([order[:60], order[-9:]])
    with pytest.raises(
        InputError, match="says 'yes' for 9 of 69 images, a rule needs at least 10: add images"
    ):
        discover(factors.rows(few), margins(z, 2)[few], ("no", "yes"), None, QUICK)
    with pytest.raises(InputError, match="says 'maybe' for 0 of 200 images"):
        discover(factors, np.c_[margins(z, 2), np.full(200, -99.0)], ("no", "yes", "maybe"), None, QUICK)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    factors, z = table(100)
    holed = factors.values.copy()
    holed[3, 4] = bad
    with pytest.raises(InputError, match="hold NaN or Inf: rules need finite numbers"):
        discover(replace(factors, values=holed), margins(z, 2), ("no", "yes"), None, QUICK)
    said = margins(z, 2)
    said[5, 0] = bad
    with pytest.raises(InputError, match="hold NaN or Inf: rules need finite numbers"):
        discover(factors, said, ("no", "yes"), None, QUICK)
