import math

import numpy as np
import pytest
import sympy

from diffex.base.errors import FolderError, InputError
from diffex.rules.expression import (
    Tanh,
    compiled,
    complexity,
    exported,
    factor_names,
    from_tree,
    numeric,
    symbol,
    template,
    terms,
    to_tree,
)

A, B = symbol("a"), symbol("b")
FORMULAS = (
    sympy.Float(0.7),
    A,
    2.1 - 0.43 * A,
    1.5 * A**2 + 0.3 * A * B - 2.0,
    0.8 * sympy.tanh(1.3 * A - 0.4) * B + 0.1,
    sympy.exp(-0.5 * A) + sympy.Abs(B) - 0.25 * sympy.log(A**2 + 1.5),
    (A + 0.3 * B) ** 3 / (1.5 + B**2),
)


@pytest.mark.parametrize(
    ("expression", "nodes"),
    [
        (sympy.Float(2.5), 1),
        (A, 1),
        (2.5 * A, 3),
        (2.5 * A + 1.5, 5),
        (2.5 * A * B + 1.5, 6),
        (A + B + 1.5, 4),
        (A**2, 3),
        (Tanh(A), 2),
        (1.5 * Tanh(2.5 * A - 0.5), 8),
    ],
)
def test_every_node_and_constant_counts(expression, nodes):
    assert complexity(expression) == nodes


def test_size_is_that_of_the_exported_formula():
    for expression in (Tanh(0.5 * A - 0.3), 1.5 * B * Tanh(0.2 * A)):
        assert complexity(expression) == complexity(exported(expression))
        assert not exported(expression).has(Tanh)


@pytest.mark.parametrize("expression", FORMULAS, ids=str)
def test_template_holds_every_constant_and_gives_the_formula_back(expression):
    form = template(expression)
    assert form.filled(form.start) == expression
    assert not form.expression.atoms(sympy.Float)
    assert sorted(form.start) == sorted(
        float(node) for node in sympy.preorder_traversal(expression) if node.is_Float
    )


def test_template_keeps_powers_and_drops_what_is_set_to_0():
    form = template(1.5 * A**2 + 0.3 * B)
    assert sorted(form.start) == [0.3, 1.5]
    place = form.start.index(1.5)
    assert form.without(place, form.start) == 0.3 * B
    assert form.filled([2 * value for value in form.start]) == 3.0 * A**2 + 0.6 * B


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((A + 0.5) * B, B * A + 0.5 * B),
        ((A + 0.3 * B) ** 2, 4.0 * A**2 + 0.1 * A * B + 9.0 * B**2),
        (1.5 * A - 2.0 * B, 0.1 * B + 7.0 * A),
        (Tanh(0.5 * A - 0.3), Tanh(0.3 - 0.5 * A)),
        (Tanh(0.5 * A - 0.3), 2.0 * sympy.tanh(A - 0.3)),
        (1.5 * B * Tanh(0.3 - 0.5 * A), exported(2.5 * B * Tanh(0.5 * A - 0.3))),
    ],
)
def test_terms_do_not_hang_on_how_a_formula_is_written(one, other):
    assert list(terms(one)) == list(terms(other))


@pytest.mark.parametrize(
    ("one", "other"), [(A, A**2), (A * B, A), (Tanh(0.5 * A), A), (Tanh(0.5 * A), Tanh(0.5 * A - 0.3))]
)
def test_terms_tell_different_formulas_apart(one, other):
    assert list(terms(one)) != list(terms(other))


@pytest.mark.parametrize("expression", FORMULAS, ids=str)
def test_terms_add_up_to_the_formula(expression):
    found = terms(expression)
    x = np.random.default_rng(0).normal(size=(20, 2))
    whole, parts = numeric(expression, ("a", "b")), [numeric(t, ("a", "b")) for t in found.values()]
    np.testing.assert_allclose(sum(part(x) for part in parts), whole(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("expression", FORMULAS, ids=str)
def test_trees_give_the_formula_back(expression):
    import json

    kept = json.loads(json.dumps(to_tree(expression), allow_nan=False))
    again = from_tree(kept)
    assert factor_names(again) == factor_names(expression)
    x = np.random.default_rng(1).normal(size=(20, 2))
    values = [numeric(e, ("a", "b"))(x) for e in (again, expression)]
    np.testing.assert_allclose(*values, rtol=1e-12)
    assert to_tree(again) == kept


def nested(depth):
    tree = "a"
    for _ in range(depth):
        tree = ["tanh", tree]
    return tree


@pytest.mark.parametrize(
    "tree",
    [
        None,
        True,
        {"add": ["a", "b"]},
        [],
        ["add"],
        ["import", "os"],
        ["__class__", "a"],
        [["add"], "a"],
        ["add", "a", None],
        ["tanh", "a", "b"],
        ["pow", "a", 2, 3],
        ["pow", "a"],
        ["pow", "a", "b"],
        ["pow", "a", 10**9],
        ["pow", 9, ["pow", 9, ["pow", 9, 9]]],
        ["exp", ["exp", 1e300]],
        ["log", 0],
        math.nan,
        math.inf,
        nested(60),
    ],
    ids=lambda tree: str(tree)[:30],
)
def test_hostile_trees_are_refused(tree):
    with pytest.raises(FolderError, match=r"A formula holds .* expected sums, products and powers"):
        from_tree(tree)


def test_trees_as_deep_as_a_search_makes_are_read():
    assert complexity(from_tree(nested(20))) == 21


def test_names_are_never_code(tmp_path):
    trap = tmp_path / "trap"
    name = f"open({str(trap)!r}, 'w')"
    expression = from_tree(["add", "a", name])
    with pytest.raises(InputError, match="expected only its factors"):
        numeric(expression, ("a",))
    with pytest.raises(InputError, match="expected only its factors"):
        compiled(expression, ("a",), "math")
    np.testing.assert_array_equal(numeric(expression, ("a", name))(np.array([[1.0, 2.0]])), [3.0])
    assert not trap.exists()


def test_constants_are_given_for_every_image():
    x = np.zeros((5, 2))
    for expression, value in ((sympy.Float(1.5), 1.5), (sympy.Integer(0), 0), (A * 0 + 2, 2)):
        found = numeric(expression, ("a", "b"))(x)
        assert found.shape == (5,)
        assert found.dtype == np.float64
        found += 1  # it is an array of its own
        np.testing.assert_array_equal(found, value + 1)
    assert numeric(A, ("a", "b"))(np.zeros((0, 2))).shape == (0,)


def test_columns_go_by_name():
    x = np.array([[1.0, 10.0], [2.0, 20.0]])
    np.testing.assert_array_equal(numeric(A - B, ("a", "b"))(x), [-9, -18])
    np.testing.assert_array_equal(numeric(A - B, ("b", "a"))(x), [9, 18])
