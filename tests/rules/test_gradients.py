import numpy as np
import pytest
import sympy

from diffex.rules.expression import Tanh, numeric, symbol, template
from diffex.rules.gradients import with_gradient

NAMES = ("a", "b")
A, B = symbol("a"), symbol("b")
FORMULAS = (
    0.7 * A + 0.2,
    0.7 * A * B - 0.3 * A + 1.1 * B,
    1.3 * A * (B + 0.4) * (A - 0.6),
    (0.5 * A + 1.2 * B + 0.1) ** 2,
    (0.5 * A + 4.2) ** 3,
    (0.3 * A + 5.0) ** -1,
    sympy.sqrt(0.3 * A + 5.0),
    0.8 * Tanh(1.3 * A - 0.4) * B,
    Tanh(0.4 * A) ** 2 + 0.6 * Tanh(0.2 * A * B - 0.9),
    1.1 * sympy.exp(0.3 * A - 0.2 * B),
    0.9 * sympy.log(0.2 * A**2 + 1.5),
    0.5 * sympy.Abs(0.7 * A - 0.35 * B + 0.1),
)


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(size=(40, 2))


@pytest.mark.parametrize("expression", FORMULAS, ids=str)
def test_value_and_derivatives_are_right(expression, x):
    form = template(expression)
    evaluate, at = with_gradient(form, NAMES), np.array(form.start)
    value, slopes = evaluate(at, x.T)
    np.testing.assert_allclose(value, numeric(expression, NAMES)(x), rtol=1e-12)
    assert sorted(slopes) == list(range(len(at)))
    for place in range(len(at)):
        step = np.zeros(len(at))
        step[place] = 1e-6
        difference = (evaluate(at + step, x.T)[0] - evaluate(at - step, x.T)[0]) / 2e-6
        np.testing.assert_allclose(np.broadcast_to(slopes[place], 40), difference, rtol=1e-6, atol=1e-8)


def test_rows_go_by_name(x):
    evaluate = with_gradient(template(1.5 * A - 0.5 * B), ("b", "a"))
    np.testing.assert_allclose(evaluate(np.array(template(1.5 * A - 0.5 * B).start), x.T)[0],
                               numeric(1.5 * A - 0.5 * B, ("b", "a"))(x))  # fmt: skip


def test_no_constants_no_derivatives(x):
    value, slopes = with_gradient(template(A * B), NAMES)(np.array([]), x.T)
    np.testing.assert_array_equal(value, x[:, 0] * x[:, 1])
    assert slopes == {}
