import numpy as np
import pytest

from diffex.rules.constants import fit_constants
from diffex.rules.expression import Tanh, complexity, numeric, symbol, terms
from diffex.rules.simplify import coarsest, round_constants, simplify

NAMES = ("a", "b")
A, B = symbol("a"), symbol("b")


def data(expression, noise=0.1, count=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 2))
    return x, numeric(expression, NAMES)(x) + noise * random.normal(size=count)


@pytest.mark.parametrize("seed", range(5))
def test_needless_terms_go_and_needed_ones_stay(seed):
    x, y = data(0.8 * A - 0.5 * B, seed=seed)
    found = simplify(0.7 * A - 0.4 * B + 0.01 * A * B + 0.02 * A**2 + 0.01, NAMES, x, y)
    assert list(terms(found.expression)) == ["a", "b"]
    assert found.loss < 0.012


@pytest.mark.parametrize("seed", range(5))
def test_a_needless_shift_inside_a_step_goes(seed):
    x, y = data(1.5 * Tanh(1.2 * A), seed=seed)
    found = simplify(1.4 * Tanh(1.1 * A - 0.03), NAMES, x, y)
    assert list(terms(found.expression)) == list(terms(Tanh(0.5 * A)))


@pytest.mark.parametrize("seed", range(5))
def test_a_needed_shift_inside_a_step_stays(seed):
    x, y = data(1.5 * Tanh(1.2 * A - 0.9), seed=seed)
    found = simplify(1.4 * Tanh(1.1 * A - 0.8), NAMES, x, y)
    assert list(terms(found.expression)) == list(terms(Tanh(0.5 * A + 0.1)))
    assert found.loss < 0.012


def test_a_small_term_that_is_significant_and_matters_stays():
    x, y = data(0.8 * A + 0.1 * B, noise=0.1)
    assert "b" in terms(simplify(0.7 * A + 0.2 * B, NAMES, x, y).expression)


def test_a_term_that_is_significant_but_explains_next_to_nothing_goes():
    x, y = data(1.0 * A + 0.02 * B, noise=0.001)
    assert list(terms(simplify(0.7 * A + 0.2 * B, NAMES, x, y).expression)) == ["a"]


@pytest.mark.parametrize(
    "expression", [(A + 0.4) * (B - 0.3) * 0.9, 0.5 * (A + 0.3 * B) ** 2, 0.3 * A * (B + A * 0.2)], ids=str
)
def test_nothing_grows(expression):
    x, y = data(expression)
    assert complexity(simplify(expression, NAMES, x, y).expression) <= complexity(expression)


def test_noise_alone_leaves_nothing():
    x, y = data(0.0 * A, noise=1.0)
    found = simplify(0.1 * A + 0.1 * B + 0.1, NAMES, x, y).expression
    assert not found.free_symbols


@pytest.mark.parametrize("noise", [0.02, 0.3])
@pytest.mark.parametrize(
    "expression", [0.8317 * A - 0.5219 * B + 0.2713, 1.5271 * Tanh(1.2339 * A - 0.4127) + 0.3391 * B], ids=str
)
def test_rounding_stays_in_the_interval_and_costs_little(expression, noise):
    x, y = data(expression, noise)
    before = fit_constants(expression, NAMES, x, y)
    after = round_constants(before, NAMES, x, y)
    assert before.loss <= after.loss < before.loss * 1.05
    for value, low, high in zip(after.constants, after.low, after.high, strict=True):
        assert low <= value <= high
    digits = [len(f"{value:.12g}".lstrip("-0.").replace(".", "")) for value in after.constants]
    assert max(digits) < 5
    np.testing.assert_allclose(numeric(after.expression, NAMES)(x).std(), y.std(), rtol=0.2)


@pytest.mark.parametrize("seed", range(3))
def test_coarsest_is_the_shortest_number_inside(seed):
    random = np.random.default_rng(seed)
    for _ in range(200):
        value = random.normal() * 10.0 ** random.integers(-4, 5)
        reach = abs(value) * 10.0 ** random.uniform(-4, -0.1)
        found = coarsest(value, value - reach, value + reach)
        assert value - reach <= found <= value + reach
        digits = next(d for d in range(1, 8) if float(f"{found:.{d - 1}e}") == found)
        shorter = [float(f"{value:.{d - 1}e}") for d in range(1, digits)]
        assert not any(value - reach <= one <= value + reach for one in shorter)


@pytest.mark.parametrize(
    ("value", "low", "high", "found"),
    [
        (0.0, -1.0, 1.0, 0.0),
        (0.4, -1.0, 1.0, 0.4),
        (0.12345678, 0.12345677, 0.12345679, 0.123457),
        (np.inf, 0, 1, np.inf),
    ],
)
def test_coarsest_at_its_ends(value, low, high, found):
    assert coarsest(value, low, high) == found
