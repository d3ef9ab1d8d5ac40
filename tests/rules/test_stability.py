import numpy as np
import pytest
import sympy

from diffex.rules.expression import Tanh, symbol
from diffex.rules.factors import Factor, Factors
from diffex.rules.front import Candidate, Halves, Limits
from diffex.rules.library_engine import LibraryEngine
from diffex.rules.stability import half_sample_choices, refitted, steadiest, term_shares

ENGINE, LIMITS = LibraryEngine(2), Limits(12, 2)


def planted(noise, count=240, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, 3)) * [100.0, 1.0, 0.01]
    margin = values[:, 0] / 100 - 0.7 * values[:, 1] + noise * random.normal(size=count)
    return Factors(tuple(Factor(n, n) for n in "abc"), values), margin


def test_planted_terms_come_up_in_every_half():
    factors, margin = planted(0.1)
    found = term_shares(half_sample_choices(factors, margin, None, ENGINE, LIMITS, 6, 0))
    assert found == {"a": 1.0, "b": 1.0}


def test_terms_of_noise_do_not():
    factors, _ = planted(0.1)
    noise = np.random.default_rng(3).normal(size=240)
    found = term_shares(half_sample_choices(factors, noise, None, ENGINE, LIMITS, 6, 0))
    assert max(found.values(), default=0) < 0.8


def test_shares_are_sorted_and_count_whole_halves():
    factors, margin = planted(2.5)
    shares = list(term_shares(half_sample_choices(factors, margin, None, ENGINE, LIMITS, 6, 0)).values())
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share <= 1 and share * 6 == pytest.approx(round(share * 6)) for share in shares)


def test_halves_are_complementary_pairs_and_follow_the_seed():
    factors, margin = planted(0.5)
    first, again, other = (
        half_sample_choices(factors, margin, None, ENGINE, LIMITS, 4, seed) for seed in (0, 0, 1)
    )
    assert [c.expression for c in first] == [c.expression for c in again]
    assert [c.expression for c in first] != [c.expression for c in other]
    assert sum(len(c.errors) for c in first[:2]) == len(margin)
    assert first[0].expression != first[1].expression, "each is fitted on its own half"


def test_groups_are_never_divided():
    factors, margin = planted(0.3)
    groups = np.repeat([f"g{i}" for i in range(12)], [10, 30] * 6)
    sizes = [len(c.errors) for c in half_sample_choices(factors, margin, groups, ENGINE, LIMITS, 4, 0)]
    assert sizes[0] + sizes[1] == 240
    assert all(size % 10 == 0 for size in sizes)


def candidate(text, engine="library", r2=0.9, wrong=0.02, spread=0.1):
    errors = np.where(np.arange(100) % 2, 1 - r2 - spread, 1 - r2 + spread)
    return Candidate(sum((symbol(name) for name in text), start=sympy.Float(1.0)), engine, r2, errors, wrong)


def test_of_formulas_nearly_as_good_the_one_that_half_samples_agree_on_is_kept():
    own, other = candidate("ab"), candidate("ac", "operon", r2=0.905)
    shares = {"a": 1.0, "b": 0.8, "c": 0.7}
    assert steadiest([other, own], shares, [other]) is own
    better = candidate("ac", "operon", r2=0.92, spread=0.001)
    assert steadiest([better, own], shares, [better]) is own, "2 % less"
    best = candidate("ac", "operon", r2=0.99, spread=0.001)
    assert steadiest([best, own], shares, [best]) is best, "9 % less"
    assert steadiest([other, candidate("ab", wrong=0.3)], shares, [other]) is other, "decides worse"
    short = candidate("a", r2=0.895)
    assert steadiest([own, short], shares, [other]) is short, "four of five are as good as all"
    assert steadiest([other, candidate("c", r2=0.895)], {"c": 0.3}, [other]).structure == ("c",)


def test_formulas_of_half_samples_are_fitted_to_the_whole():
    factors, margin = planted(0.1)
    whole = Halves.cut(factors, margin, np.arange(240) < 120)
    rough = Candidate(0.5 * symbol("a") - 0.2 * symbol("b"), "library", 0.0, np.ones(1), 0.0)
    found = refitted([rough, rough], whole)
    assert [one.structure for one in found] == [("a", "b")]
    assert found[0].r2 > 0.95


def test_terms_inside_one_step_are_terms():
    a, b, c = map(symbol, "abc")
    step = Candidate(3 * Tanh(a - 0.5 * b * c + 1.0) - 1.0, "", 0, np.ones(1), 0)
    assert step.structure == ("a in tanh", "b*c in tanh")
    two = Candidate(Tanh(a) + b, "", 0, np.ones(1), 0)
    assert two.structure == ("b", "tanh(a*c)")
