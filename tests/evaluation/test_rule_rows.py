import numpy as np
import pytest
import sympy

from diffex.evaluation.rules.disentangling import SPRITES, open_sprites
from diffex.evaluation.rules.measured import other_terms, threshold
from diffex.evaluation.rules.nuclei import draw_nuclei, is_the_law
from diffex.evaluation.rules.race import first_as_good, halved
from diffex.evaluation.rules.recovery import planted_case, recovered
from diffex.evaluation.rules.subjects import subject
from diffex.evaluation.suite import choose
from diffex.rules.discovery import Search
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
    assert {task.id for task in choose("rules", ["R2"])} == {"R1"}
    assert len(choose("rules", ["R9"])) == 5
    assert {task.id for task in choose("rules", ["R3"])} == {"R1", "R3"}
    assert {task.id for task in choose("rules")} == {"R1", "R3", "R4", "R5", "R6", "R7", "R8"}


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


def test_the_clock_of_a_race_stops_at_the_first_formula_that_is_as_good():
    task = halved(planted_case("linear", 2))
    found, never = (first_as_good(task, goal, Search()) for goal in (0.93, 0.999))
    assert found.r2 >= 0.93 and found.nodes < 20 and found.seconds < np.inf
    assert found.r2 <= never.r2 < 0.999 and never.seconds == never.nodes == np.inf


def test_noise_has_the_ratio_that_was_asked():
    case = planted_case("linear", 1)
    clean = Rule("x", case.truth, case.factors.meanings).evaluate(case.factors.values)
    assert clean.var() / (case.y - clean).var() == pytest.approx(20, rel=0.15)


def test_a_planted_subject_is_measured_alike_on_both_sides(bench):
    made = subject(bench, "planted linear")
    assert made.train.factors.names == made.test.factors.names
    assert len(made.train.labels) == len(made.train.margins) == 300
    assert 0.5 < made.logistic() <= 1


def test_drawn_nuclei_are_what_drew_them():
    """Size and elongation are those of the bright pixels' moments; the direction decides nothing."""
    nuclei = draw_nuclei(60, 1)
    small, long, along, across, _ = nuclei.truth.values.T
    np.testing.assert_allclose(nuclei.margin, small * long**2 - 1.05)
    np.testing.assert_allclose(np.hypot(along, across), long)
    bright = nuclei.images.read().numpy()[:, 0] > 0.4
    np.testing.assert_allclose(np.sqrt(bright.sum((1, 2)) / np.pi), 9 - np.sqrt(3) * small, rtol=0.05)
    points = [np.argwhere(image) for image in bright]
    axes = np.array([np.linalg.eigvalsh(np.cov(p.T)) for p in points])
    np.testing.assert_allclose(0.5 * np.log(axes[:, 1] / axes[:, 0]), 0.35 * long, atol=0.12)


@pytest.mark.parametrize(
    ("expression", "law"),
    [
        ("-2*a*(b + 1)**2 + 3", True),
        ("a*b**2 + a + b - 1", True),
        ("a*b - 1", False),
        ("b*a**2 - 1", False),
        ("a + b**2", False),
        ("tanh(a)*b**2", False),
        ("a*b**2 + c", False),
        ("a - 1", False),
    ],
)
def test_the_law_is_known_in_any_units(expression, law):
    """Factor a goes down with size, b up with elongation."""
    truth = draw_nuclei(200, 0).truth
    a, b = -truth.values[:, 0], np.exp(truth.values[:, 1])
    factors = Factors(tuple(Factor(n, n) for n in "abc"), np.stack([a, b, a + b], axis=1))
    rule = rule_of(sympy.sympify(expression, locals={n: symbol(n) for n in "abc"}))
    assert is_the_law(rule, factors, truth) is law


def test_sprites_are_a_complete_grid(data_set):
    folder = data_set(SPRITES)
    images, truth = open_sprites(folder)
    assert images.size == (32, 32) and len(images) == len(truth) == 3 * 6 * 10 * 16 * 16
    assert len(np.unique(truth, axis=0)) == len(truth)
    x = images.read(range(0, len(images), 997)).numpy()[:, 0]
    middle = (x * np.arange(32)).sum((1, 2)) / x.sum((1, 2))
    assert np.corrcoef(middle, truth[::997, 3])[0, 1] > 0.99
