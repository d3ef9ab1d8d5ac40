from itertools import pairwise

import numpy as np
import pytest

from diffex.rules.expression import Tanh, symbol
from diffex.rules.front import Candidate, Halves, Limits, choose, judged, read_factors, search_front
from diffex.rules.library_engine import LibraryEngine

NAMES = ("a", "b")
A, B, C = symbol("a"), symbol("b"), symbol("c")


class Listed:
    """An engine that knows its formulas beforehand."""

    name = "listed"

    def __init__(self, *formulas):
        self.formulas = formulas

    def search(self, names, x, y, seed):
        return list(self.formulas)


def halves(law, noise=0.3, count=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 2))
    y = law(x[:, 0], x[:, 1]) + noise * random.normal(size=count)
    half = count // 2
    return Halves(NAMES, x[:half], y[:half], x[half:], y[half:])


def candidate(nodes, error, count=100, spread=1.0, wrong=0.0):
    """A formula of about so many nodes and mean squared error, for y of variance 1."""
    formula = sum((symbol(f"s{i}") for i in range(nodes - 1)), start=0 * A)
    wiggle = np.where(np.arange(count) % 2, 1 + spread, 1 - spread)
    return Candidate(formula, "listed", 1 - error, error * wiggle, wrong)


@pytest.mark.parametrize("seed", range(4))
def test_each_formula_of_a_front_is_larger_and_better_than_the_last(seed):
    random = np.random.default_rng(seed)
    law = [lambda a, b: a + b**2, lambda a, b: np.tanh(2 * a) * b, lambda a, b: a * b + a][seed % 3]
    front = search_front(halves(law, random.uniform(0.1, 1), seed=seed), (LibraryEngine(),), Limits(), seed)
    assert len(front) > 1
    assert all(one.nodes < two.nodes and one.r2 < two.r2 for one, two in pairwise(front))


def test_the_front_is_over_all_engines_and_names_who_found_what():
    parts = halves(lambda a, b: 2 * a)
    front = search_front(parts, (Listed(0.5 * A**2 + 0.1, 1.0 * A), Listed(0.3 * B)), Limits(), 0)
    assert [one.expression.free_symbols for one in front][-1] == {A}
    assert {one.engine for one in front} == {"listed"}
    assert not any(B in one.expression.free_symbols for one in front)


@pytest.mark.parametrize("limits", [Limits(5, 1), Limits(9, 2), Limits(20, 1)])
def test_limits_are_kept(limits):
    front = search_front(halves(lambda a, b: a + b**2 + a * b), (LibraryEngine(),), limits, 0)
    assert all(one.nodes <= limits.nodes and len(read_factors([one.expression])) <= limits.factors
               for one in front)  # fmt: skip
    assert len(front) > 1


def test_no_step_lies_inside_a_step():
    inside = Tanh(0.5 * A + 0.3 * Tanh(0.7 * B))
    assert not Limits().allow(inside)
    assert Limits().allow(Tanh(0.5 * A) * Tanh(0.7 * B))
    parts = halves(lambda a, b: 2 * np.tanh(a + 2 * np.tanh(3 * b)), 0.01)
    front = search_front(parts, (Listed(1.0 * A, 1.9 * Tanh(1.0 * A + 2.0 * Tanh(3.0 * B))),), Limits(), 0)
    assert not any(step.args[0].has(Tanh) for one in front for step in one.expression.atoms(Tanh))


def test_formulas_that_are_not_finite_on_the_judging_images_drop_out():
    parts = halves(lambda a, b: a)
    parts = Halves(NAMES, np.abs(parts.x) + 1, parts.y, parts.x_judge * 1e4, parts.y_judge)
    from sympy import exp

    assert not np.isfinite(judged(exp(1.0 * A), "listed", parts).r2)
    front = search_front(parts, (Listed(exp(0.9 * A), 0.5 * A),), Limits(), 0)
    assert front
    assert all(np.isfinite(one.r2) for one in front)


def test_judging_is_on_the_other_images():
    parts = halves(lambda a, b: a, 0.0)
    assert judged(A, "listed", parts).r2 == 1
    turned = Halves(NAMES, parts.x, parts.y, parts.x_judge, -parts.y_judge)
    assert judged(A, "listed", turned).r2 == pytest.approx(-3, abs=0.2)
    assert judged(A, "listed", turned.swapped()).r2 == 1


def test_the_smallest_within_one_percent_of_the_variance_is_chosen():
    front = [candidate(3, 0.5, spread=0), candidate(5, 0.109, spread=0), candidate(9, 0.1, spread=0)]
    assert choose(front) == 1
    assert choose([front[0], candidate(5, 0.111, spread=0), front[2]]) == 2


def test_the_smallest_within_one_standard_error_is_chosen():
    best = candidate(9, 0.5, count=100, spread=1)  # standard error 0.05
    assert choose([candidate(3, 0.54), best]) == 0
    assert choose([candidate(3, 0.56), best]) == 1


def test_a_smaller_formula_that_decides_worse_is_not_chosen():
    best = candidate(9, 0.5, wrong=0.05)  # standard error of the decisions 0.022
    assert choose([candidate(3, 0.54, wrong=0.06), best]) == 0
    assert choose([candidate(3, 0.54, wrong=0.09), best]) == 1
    assert choose([candidate(3, 0.9, wrong=0.0), best]) == 1, "nor one that is far off in its values"


@pytest.mark.parametrize("seed", range(5))
def test_no_smaller_formula_than_the_chosen_is_as_good(seed):
    random = np.random.default_rng(seed)
    errors = np.sort(random.uniform(0.01, 1, 8))[::-1]
    front = [candidate(2 + i, error, spread=0.3) for i, error in enumerate(errors)]
    chosen = choose(front)
    allowed = max(errors[-1] * 0.3 / 10, 0.01)
    assert errors[chosen] <= errors[-1] + allowed + 1e-12
    assert (errors[:chosen] > errors[-1] + allowed - 1e-12).all()


def test_structures_leave_the_constant_out():
    assert Candidate(0.5 * A + 0.1, "listed", 0.0, np.ones(1), 0.0).structure == ("a",)
