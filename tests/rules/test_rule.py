import json

import numpy as np
import pytest
import sympy
import torch

from diffex.base.errors import FolderError, InputError
from diffex.base.files import plain
from diffex.rules.expression import numeric, symbol
from diffex.rules.factors import Factor, Factors
from diffex.rules.rule import FrontRow, Rule
from diffex.rules.rule_set import RuleSet, explained_classes

A, B = symbol("area_um2"), symbol("ratio")
LAW = 0.5 * A - 1.25 * sympy.tanh(0.75 * B - 0.3) * A + 0.2 * A * B + 1.5
AREA, RATIO = Factor("area_um2", "area of the nucleus", "um2"), Factor("ratio", "a ratio")


def rule(class_name="drug", expression=LAW, factors=(AREA, RATIO)):
    return Rule(
        class_name, expression, factors,
        ((1.5, 1.4, 1.6), (0.5, 0.4, 0.6), (0.3, 0.2, 0.4)),
        (
            FrontRow(1, 0.0, sympy.Float(0.25), "library", chosen=False),
            FrontRow(18, 0.91, LAW, "operon", chosen=True),
            FrontRow(20, 0.92, LAW + 0.1 * B, "library", chosen=False),
        ),
        {"area_um2": 1.0, "area_um2*ratio": 0.85},
    )  # fmt: skip


def two():
    return RuleSet(("DMSO", "drug"), (rule(),))


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(30, 2))


def test_repr_prints_the_front_and_marks_the_choice():
    head, *rows = repr(rule()).splitlines()
    assert head.startswith("Rule(margin of 'drug' = ")
    assert "area_um2 [um2], ratio" in head
    assert f"{rule().nodes} nodes" in head
    assert [row.startswith(">") for row in rows] == [False, True, False]
    assert [row.split("R2 ")[1].split()[:2] for row in rows] == [
        ["0.000", "library"], ["0.910", "operon"], ["0.920", "library"],
    ]  # fmt: skip


def test_numpy_export_is_the_formula(x):
    by_hand = 0.5 * x[:, 0] - 1.25 * np.tanh(0.75 * x[:, 1] - 0.3) * x[:, 0] + 0.2 * x[:, 0] * x[:, 1] + 1.5
    np.testing.assert_allclose(rule().numpy()(x), by_hand, rtol=1e-12)
    np.testing.assert_allclose(rule().evaluate(x), by_hand, rtol=1e-12)


def test_torch_export_agrees_and_has_the_right_gradient(x):
    values = torch.from_numpy(x).requires_grad_(True)
    found = rule().torch()(values)
    np.testing.assert_allclose(found.detach(), rule().evaluate(x), rtol=1e-12)
    found.sum().backward()
    for column, factor in enumerate((A, B)):
        exact = numeric(sympy.diff(LAW, factor), rule().names)(x)
        np.testing.assert_allclose(values.grad[:, column], exact, rtol=1e-9)


@pytest.mark.parametrize(
    "expression",
    [sympy.exp(0.5 * A), sympy.Abs(A - 0.2) + B, sympy.log(A**2 + 1.0), sympy.Float(0.5), sympy.Integer(0)],
    ids=str,
)
def test_every_function_is_exported_to_torch(expression, x):
    one = rule(expression=expression)
    found = one.torch()(torch.from_numpy(x))
    assert found.shape == (30,)
    np.testing.assert_allclose(found, one.evaluate(x), rtol=1e-12)


def test_latex_export_names_everything():
    text = rule().latex()
    assert r"\tanh" in text
    assert "ratio" in text
    assert all(number in text for number in ("0.5", "1.25", "0.75", "0.3", "0.2", "1.5"))


def test_terms_leave_the_constant_out():
    assert len(rule().terms) == 3
    assert "1" not in rule().terms


@pytest.mark.parametrize("through", [lambda kept: kept, lambda kept: json.loads(json.dumps(plain(kept)))])
def test_a_dict_gives_the_rules_back(through, x):
    again = RuleSet.from_dict(through(two().as_dict()))
    assert again == two()
    assert again.as_dict() == two().as_dict()
    assert repr(again) == repr(two())
    np.testing.assert_array_equal(again.rules[0].evaluate(x), rule().evaluate(x))


def test_the_other_of_two_classes_has_the_sign_turned_everywhere(x):
    turned = two().of("DMSO")
    assert two().of("drug") == rule()
    assert turned.class_name == "DMSO"
    np.testing.assert_allclose(turned.evaluate(x), -rule().evaluate(x), rtol=1e-12)
    assert [row.expression for row in turned.front if row.chosen] == [turned.expression]
    assert turned.terms == rule().terms
    assert (-1.5, -1.6, -1.4) in turned.constants
    assert all(low < value < high for value, low, high in turned.constants)
    assert repr(turned).splitlines()[2].endswith(str(turned.expression))


def test_an_unknown_class_has_no_rule():
    with pytest.raises(InputError, match="Got class 'placebo', expected one of DMSO, drug"):
        two().of("placebo")


def test_margins_of_two_classes_are_each_others_negative(x):
    extra = np.random.default_rng(1).normal(size=(30, 1))
    factors = Factors((RATIO, Factor("other", "other"), AREA), np.c_[x[:, 1], extra, x[:, 0]])
    found = two().margins(factors)
    np.testing.assert_array_equal(found[:, 0], -found[:, 1])
    np.testing.assert_allclose(found[:, 1], rule().evaluate(x))


def test_margins_of_three_classes_are_one_rule_each(x):
    three = RuleSet(("a", "b", "c"), tuple(
        rule(name, expression, (AREA,)) for name, expression in (("a", A), ("b", -A), ("c", 2.0 * A))
    ))  # fmt: skip
    found = three.margins(Factors((RATIO, AREA), x[:, ::-1]))
    np.testing.assert_allclose(found, x[:, :1] * [1, -1, 2])
    assert three.of("c").expression == 2.0 * A


def test_two_classes_need_one_rule():
    assert explained_classes(("a", "b")) == (1,)
    assert explained_classes(("a", "b", "c")) == (0, 1, 2)


@pytest.mark.parametrize(
    "damage",
    [
        {"rules": [{}]},
        {"rules": None},
        {"rules": [{"class_name": "drug"}]},
        {"class_names": None},
    ],
)
def test_damaged_rules_are_refused(damage):
    with pytest.raises(FolderError, match=r"The rules are damaged .*: make the run again"):
        RuleSet.from_dict(two().as_dict() | damage)


@pytest.mark.parametrize(
    "damage",
    [
        {"tree": ["system", "rm"]},
        {"tree": None},
        {"tree": ["add", "area_um2", "__import__('os').getcwd()"]},
        {"factors": [{"name": "ratio"}]},
        {"factors": None},
        {"constants": [[1, 2]]},
        {"front": [{"nodes": 1}]},
        {"stability": 3},
    ],
)
def test_damaged_parts_of_a_rule_are_refused(damage):
    kept = two().as_dict()
    kept["rules"][0] |= damage
    with pytest.raises(FolderError):
        RuleSet.from_dict(kept)


@pytest.mark.parametrize("schema", [None, 0, 2, "1"])
def test_another_schema_is_refused(schema):
    with pytest.raises(FolderError, match=r"The rules are of schema .*, expected 1"):
        RuleSet.from_dict(two().as_dict() | {"schema": schema})
