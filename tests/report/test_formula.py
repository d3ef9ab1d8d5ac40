"""Formulas as MathML."""

import html
import re
from xml.etree import ElementTree

import pytest

from diffex.report.formula import typeset

MINUS = "\u2212"


def parsed(tree):
    """Fails where the markup is not well formed."""
    return ElementTree.fromstring(str(typeset(tree)))


def text(tree):
    """What a reader sees; products have an invisible sign."""
    found = re.sub(r"<msup>", "^", str(typeset(tree)))
    return html.unescape(re.sub(r"<[^>]+>", "", found)).replace("\u2062", "*")


def test_numbers_names_and_powers_have_their_elements():
    root = parsed(["add", ["mul", 2.5, ["pow", "area", 2]], 1.5])
    assert root.tag == "math"
    assert [e.text for e in root.iter("mi")] == ["area"]
    assert [e.text for e in root.iter("mn")] == ["2.5", "2", "1.5"]
    assert len(list(root.iter("msup"))) == 1


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "a & b", '"><script>', "{0}{x}", "%s", "é 细胞"]
)
@pytest.mark.parametrize("shape", [lambda n: n, lambda n: ["tanh", n], lambda n: ["pow", ["add", n, 1], 2]])
def test_hostile_names_stay_text(name, shape):
    root = parsed(shape(name))
    assert name in [e.text for e in root.iter("mi")]
    allowed = {"math", "mrow", "mi", "mn", "mo", "msup", "mspace", "mtext"}
    assert {e.tag for e in root.iter()} <= allowed


def test_hostile_functions_stay_text():
    root = parsed(["<script>", "a"])
    assert [e.text for e in root.iter("mi")] == ["<script>", "a"]


@pytest.mark.parametrize(
    ("tree", "seen"),
    [
        (-2.5, f"{MINUS}2.5"),
        (["add", "a", -1.5], f"a{MINUS}1.5"),
        (["add", -1.5, "a"], f"a{MINUS}1.5"),
        (["add", "a", ["mul", -0.5, "b"]], f"a{MINUS}0.5*b"),
        (["add", ["mul", -0.5, "b"], "a"], f"{MINUS}0.5*b+a"),
        (["add", "a", ["mul", -1, "b"]], f"a{MINUS}b"),
        (["add", "a", ["mul", -1, "b", "d"]], f"a{MINUS}b*d"),
        (["mul", -2, "a"], f"{MINUS}2*a"),
    ],
    ids=str,
)
def test_minus_signs_are_operators(tree, seen):
    assert text(tree) == seen
    assert "-" not in text(tree)


@pytest.mark.parametrize(
    ("tree", "seen"),
    [
        (["mul", "a", ["add", "b", 1]], "a*(b+1)"),
        (["pow", ["add", "a", "b"], 2], "^(a+b)2"),
        (["pow", ["mul", 2, "a"], 2], "^(2*a)2"),
        (["pow", ["pow", "a", 2], 3], "^(^a2)3"),
        (["pow", -2, "a"], f"^({MINUS}2)a"),
        (["tanh", ["add", "a", 1]], "tanh(a+1)"),
        (["add", "a", ["mul", -1, ["add", "b", "d"]]], f"a{MINUS}(b+d)"),
        (["add", "a", ["add", "b", "d"]], "a+b+d"),
        (["add", "a", ["mul", "b", "d"]], "a+b*d"),
    ],
    ids=str,
)
def test_brackets_are_where_they_are_needed_and_nowhere_else(tree, seen):
    assert text(tree) == seen


def test_the_constant_comes_last():
    assert text(["add", 3.5, "a", ["mul", 2, "b"]]) == "a+2*b+3.5"


@pytest.mark.parametrize(
    ("value", "seen"),
    [(0.43, "0.43"), (12, "12"), (1.5e-07, f"1.5\u00d7^10{MINUS}7"), (-2e9, f"{MINUS}2\u00d7^109")],
)
def test_small_and_large_numbers_are_powers_of_ten(value, seen):
    assert text(value) == seen


def nested(depth):
    tree = "a"
    for _ in range(depth):
        tree = ["tanh", tree]
    return tree


@pytest.mark.parametrize(
    "tree",
    [
        None,
        {},
        [],
        ["add"],
        ["mul"],
        [None, None],
        [["add"], "a"],
        ["add", ["mul"], []],
        ["add", ["mul", -1], ["mul", None], ["mul", ["mul", -1, 2], "a"]],
        ["add", ["mul", -1, None], [None], [[]]],
        ["pow", "a"],
        ["pow", [], []],
        ["pow", "a", 2, 3],
        ["pow", [[]], 2],
        float("nan"),
        float("-inf"),
        True,
        nested(200),
    ],
    ids=lambda tree: str(tree)[:30],
)
def test_damaged_trees_are_shown_as_far_as_they_go(tree):
    assert parsed(tree).tag == "math"


def test_what_cannot_be_read_is_a_question_mark():
    assert text(["add", "a", None]) == "a+?"
    assert text(nested(200)).endswith("?" + ")" * 40)
