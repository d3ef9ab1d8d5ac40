"""One set of tests for every engine."""

import numpy as np
import pytest

from diffex.rules.expression import numeric, symbol
from diffex.rules.front import Halves, Limits, choose, read_factors, search_front
from diffex.rules.library_engine import LibraryEngine
from diffex.rules.operon_engine import OperonEngine, _parsed

ENGINES = (LibraryEngine(), OperonEngine(200, 25))
NAMES = ("a", "b", "noise")
LAWS = {
    "linear": (lambda a, b: 0.8 * a - 0.5 * b + 0.3, {"a", "b"}, 11),
    "quadratic": (lambda a, b: 0.7 * a**2 - 0.4, {"a"}, 7),
    "tanh": (lambda a, b: 1.4 * np.tanh(1.8 * a - 0.9), {"a"}, 10),
    "interaction": (lambda a, b: 0.9 * a * b + 0.5 * a, {"a", "b"}, 12),
}


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request):
    if request.param.name == "operon":
        pytest.importorskip("pyoperon")
    return request.param


def halves(law, count=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3))
    y = law(x[:, 0], x[:, 1]) + 0.05 * random.normal(size=count)
    return Halves(NAMES, x[::2], y[::2], x[1::2], y[1::2])


@pytest.mark.parametrize("kind", LAWS)
def test_planted_laws_are_recovered(engine, kind):
    law, factors, nodes = LAWS[kind]
    front = search_front(halves(law), (engine,), Limits(), 1)
    chosen = front[choose(front)]
    assert set(read_factors([chosen.expression])) == factors
    assert chosen.nodes <= nodes
    assert chosen.r2 > 0.98
    new = np.random.default_rng(7).normal(size=(500, 3))
    error = numeric(chosen.expression, NAMES)(new) - law(new[:, 0], new[:, 1])
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert chosen.engine == engine.name


def test_the_same_seed_gives_the_same_formulas(engine):
    parts = halves(LAWS["interaction"][0])
    first, second = (engine.search(NAMES, parts.x, parts.y, 3) for _ in range(2))
    assert first == second
    assert len(first) > 1


def test_formulas_read_the_factors_they_are_given(engine):
    parts = halves(LAWS["tanh"][0])
    names = ("z9", "z10", "z11")
    for formula in engine.search(names, parts.x, parts.y, 0):
        assert {s.name for s in formula.free_symbols} <= set(names)
        assert np.isfinite(numeric(formula, names)(parts.x)).all()


def test_the_order_of_columns_and_memory_does_not_matter(engine):
    parts = halves(LAWS["linear"][0])
    turned = Halves(NAMES[::-1], *(
        np.asfortranarray(v[:, ::-1]) if v.ndim == 2 else v
        for v in (parts.x, parts.y, parts.x_judge, parts.y_judge)
    ))  # fmt: skip
    front = search_front(turned, (engine,), Limits(), 1)
    assert set(read_factors([front[choose(front)].expression])) == {"a", "b"}


def test_a_column_that_is_constant_does_no_harm(engine):
    parts = halves(LAWS["linear"][0])
    x = parts.x.copy()
    x[:, 2] = 1.5
    assert all(np.isfinite(numeric(f, NAMES)(x)).all() for f in engine.search(NAMES, x, parts.y, 0))


def test_the_library_ignores_the_seed():
    parts = halves(LAWS["tanh"][0])
    found = [LibraryEngine().search(NAMES, parts.x, parts.y, seed) for seed in (0, 1, 99)]
    assert found[0] == found[1] == found[2]


def test_the_library_is_not_led_astray_by_near_copies():
    parts = halves(LAWS["linear"][0])
    x = np.concatenate([parts.x[:, :2], parts.x[:, :1] * (1 + 1e-9)], axis=1)
    for formula in LibraryEngine().search(NAMES, x, parts.y, 0):
        assert np.abs(numeric(formula, NAMES)(x)).max() < 10
        assert max((abs(float(c)) for c in formula.atoms() if c.is_Float), default=0) < 100


def test_the_library_sums_factors_where_a_product_does_about_the_same():
    """Of factors far from 0, a product says much of a sum."""
    random = np.random.default_rng(4)
    x = 6 + random.normal(size=(400, 3))
    y = x[:, 0] + 0.9 * x[:, 1] + 0.2 * random.normal(size=400)
    parts = Halves(NAMES, x[::2], y[::2], x[1::2], y[1::2])
    front = search_front(parts, (LibraryEngine(),), Limits(), 0)
    assert front[choose(front)].structure == ("a", "b")


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("((1.5 * X1) + (-0.5))", 1.5 * symbol("a") - 0.5),
        ("square(X2)", symbol("b") ** 2),
        ("(X1 ^ 2)", symbol("a") ** 2),
        ("(2.5e-01 * X3)", 0.25 * symbol("noise")),
    ],
)
def test_operons_notation_is_read(text, formula):
    assert _parsed(text, NAMES) == formula


@pytest.mark.parametrize("text", ["__import__('os')", "X1.__class__", "exec(X1)", "lambda: X1", "X1; X2"])
def test_nothing_but_operons_notation_is_read(text):
    with pytest.raises(AssertionError):
        _parsed(text, NAMES)
