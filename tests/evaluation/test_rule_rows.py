import numpy as np
import pytest
import sympy

from diffex.evaluation.rules.measured import other_terms, threshold
from diffex.evaluation.rules.recovery import planted_case, recovered
from diffex.evaluation.rules.subjects import subject
from diffex.evaluation.suite import choose
from diffex.rules.expression import symbol
from diffex.rules.factors import Factor, Factors
from diffex.rules.rule import Rule

AREA, ECCENTRICITY = symbol("area"), symbol("eccentricity")
FACTORS = Factors(
    (Factor("area", "area"), Factor("eccentricity", "eccentricity")),
    np.random.default_rng(0).uniform(size=(500, 2)),
)


def rule_of(expression):
    names = sorted(s.name for s in expression.free_symbols)
    return Rule("x", expression, tuple(Factor(name, name) for name in names))


def test_suite_has_its_rows():
    assert {task.id for task in choose("rules")} == {"R1", "R3", "R4", "R6"}


def test_threshold_is_where_the_rule_changes_sign():
    rule = rule_of(2.0 * ECCENTRICITY - 1.24 + 0.0001 * AREA)
    assert threshold(rule, FACTORS, "eccentricity") == pytest.approx(0.62, abs=1e-3)
    assert np.isnan(threshold(rule_of(2.0 * ECCENTRICITY + 1.0), FACTORS, "eccentricity"))
    assert np.isnan(threshold(rule_of(1.0 * AREA), FACTORS, "eccentricity"))


def test_other_terms_are_those_without_the_factor():
    for expression in (3.0 * ECCENTRICITY - 1.0, 3.0 * ECCENTRICITY):
        assert other_terms(rule_of(expression), FACTORS, "eccentricity") == 0
    share = other_terms(rule_of(1.0 * ECCENTRICITY + 1.0 * AREA), FACTORS, "eccentricity")
    assert share == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("kind", ["linear", "quadratic", "tanh", "interaction"])
def test_the_truth_counts_as_recovered_and_others_do_not(kind):
    case = planted_case(kind, 0)
    assert recovered(Rule("x", case.truth, case.factors.meanings), case)
    doubled = sympy.expand(2 * case.truth)
    assert not recovered(Rule("x", doubled, case.factors.meanings), case)
    assert not recovered(
        Rule("x", case.truth + 0.5 * symbol("f1") * symbol("f2") ** 2, case.factors.meanings), case
    )


def test_noise_has_the_ratio_that_was_asked():
    case = planted_case("linear", 1)
    clean = Rule("x", case.truth, case.factors.meanings).evaluate(case.factors.values)
    assert clean.var() / (case.y - clean).var() == pytest.approx(20, rel=0.15)


def test_a_planted_subject_is_measured_alike_on_both_sides(bench):
    made = subject(bench, "planted linear")
    assert made.train.factors.names == made.test.factors.names
    assert len(made.train.labels) == len(made.train.margins) == 300
    assert 0.5 < made.logistic() <= 1
