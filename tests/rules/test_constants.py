import numpy as np
import pytest
import sympy

from diffex.rules.constants import fit_constants, fit_template
from diffex.rules.expression import Tanh, numeric, symbol, template

NAMES = ("a", "b")
A, B = symbol("a"), symbol("b")
SHAPES = (
    lambda c: c[0] * A + c[1] * B + c[2],
    lambda c: c[0] * A**2 + c[1] * A * B + c[2],
    lambda c: c[0] * Tanh(c[1] * A + c[2]) + c[3] * B,
    lambda c: c[0] * sympy.exp(c[1] * A) + c[2],
)
PLANTED = (0.83, 1.41, -0.37, 0.62)
START = (0.5, 1.0, 0.1, 0.3)


def table(count=300, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2))


@pytest.mark.parametrize("shape", SHAPES)
def test_planted_constants_are_recovered(shape):
    x = table()
    y = numeric(shape(PLANTED), NAMES)(x)
    found = fit_constants(shape(START), NAMES, x, y)
    assert found.loss < 1e-10
    np.testing.assert_allclose(sorted(found.constants), sorted(template(shape(PLANTED)).start), rtol=1e-4)
    np.testing.assert_allclose(numeric(found.expression, NAMES)(x), y, atol=1e-4)


def test_a_fit_is_never_worse_than_its_start():
    x = table()
    y = np.random.default_rng(1).normal(size=len(x))
    for shape in SHAPES:
        before = np.mean(np.square(numeric(shape(START), NAMES)(x) - y))
        assert fit_constants(shape(START), NAMES, x, y).loss <= before


def test_without_constants_nothing_is_fitted():
    x = table()
    found = fit_constants(A * B, NAMES, x, np.zeros(len(x)))
    assert found.constants == found.low == found.high == ()
    np.testing.assert_allclose(found.loss, np.mean(np.square(x[:, 0] * x[:, 1])))


@pytest.mark.parametrize("units", [(1.0, 1.0), (1e5, 1e-4)])
def test_intervals_cover_the_truth_at_their_rate(units):
    """Errors grow with a factor; units that differ by magnitudes must not matter."""
    slope, offset, start = 0.8 / units[0], -0.3, 1.0 / units[0] * A + 0.1
    truth = [offset if value == 0.1 else slope for value in template(start).start]
    covered = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        x = random.normal(size=(100, 2)) * units
        y = slope * x[:, 0] + offset + random.normal(size=100) * (0.2 + 0.4 * np.abs(x[:, 0]) / units[0])
        found = fit_constants(start, NAMES, x, y)
        covered.append([low < t < high for low, t, high in zip(found.low, truth, found.high, strict=True)])
    rate = np.mean(covered, axis=0)
    assert (rate > 0.90).all()
    assert (rate < 0.985).all()


def test_an_interval_in_large_units_is_the_same_interval():
    random = np.random.default_rng(5)
    x = random.normal(size=(400, 2)) + 3
    y = 0.5 * x[:, 0] - 0.25 * x[:, 1] + 0.5 * x[:, 0] * x[:, 1] + 2 + 0.1 * random.normal(size=400)
    shape = 0.4 * A - 0.2 * B + 0.4 * A * B + 1.7
    units = np.array([1e3, 1e4])
    large = 0.4e-3 * A - 0.2e-4 * B + 0.4e-7 * A * B + 1.7
    plain, scaled = fit_constants(shape, NAMES, x, y), fit_constants(large, NAMES, x * units, y)
    width = {
        float(c): high - low for found in (plain, scaled)
        for c, low, high in zip(found.constants, found.low, found.high, strict=True)
    }  # fmt: skip
    offsets = [w for c, w in width.items() if abs(c - 2) < 0.5]
    assert len(offsets) == 2
    np.testing.assert_allclose(offsets[0], offsets[1], rtol=1e-3)


def test_held_constants_stay_and_have_no_width():
    x = table()
    y = 0.8 * x[:, 0] + 0.5 * x[:, 1] + 0.1 * np.random.default_rng(2).normal(size=len(x))
    form = template(0.7 * A + 0.3 * B)
    place = form.start.index(0.7)
    found = fit_template(form, np.array(form.start), (place,), NAMES, x, y)
    assert found.constants[place] == found.low[place] == found.high[place] == 0.7
    other = 1 - place
    assert found.low[other] < 0.5 < found.high[other]
    assert abs(found.constants[other] - 0.3) > 0.1


def test_formulas_that_overflow_do_not_stop_a_search():
    x = 100 * table()
    found = fit_constants(1.0 * sympy.exp(9.0 * A) + 0.5, NAMES, x, x[:, 1])
    assert np.isfinite(found.loss)
    assert np.isfinite(found.constants).all()
