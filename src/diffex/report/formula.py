"""Formulas as MathML, which browsers typeset by themselves; made from trees, never from text."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

_DEEPEST = 40
_LOOSE, _TIGHT = 0, 1  # a sum inside a product needs brackets


def typeset(tree: Any) -> Markup:
    """Typeset a formula.

    Parameters
    ----------
    tree : list, str, int or float
        As `diffex.rules.expression.to_tree` writes it.

    Returns
    -------
    Markup
        A ``math`` element; names are escaped.
    """
    return Markup('<math display="block">{}</math>').format(_node(tree, _LOOSE, _DEEPEST))


def _node(tree: Any, binding: int, depth: int) -> Markup:
    if isinstance(tree, str):
        return Markup("<mi>{}</mi>").format(tree)
    if isinstance(tree, (int, float)):
        return _number(float(tree))
    if not isinstance(tree, list) or len(tree) < 2 or depth == 0:
        return Markup("<mtext>?</mtext>")
    return _call(*tree, binding=binding, depth=depth)


def _call(name: Any, *parts: Any, binding: int, depth: int) -> Markup:
    if name == "add":
        return _row(_sum(parts, depth - 1), brackets=binding > _LOOSE)
    if name == "mul":
        return _product(parts, depth - 1)
    if name == "pow" and len(parts) == 2:
        return _power(parts, depth - 1)
    inner = _row(_node(parts[0], _LOOSE, depth - 1), brackets=True)
    return Markup("<mrow><mi>{}</mi>{}</mrow>").format(str(name), inner)


def _number(value: float) -> Markup:
    mantissa, _, exponent = f"{abs(value):.6g}".partition("e")
    text = Markup("<mn>{}</mn>").format(mantissa)
    if exponent:
        ten = Markup("<mo>&#215;</mo><msup><mn>10</mn>{}</msup>").format(_number(float(exponent)))
        text = Markup("<mrow>{}{}</mrow>").format(text, ten)
    return Markup("<mrow><mo>&#8722;</mo>{}</mrow>").format(text) if value < 0 else text


def _row(inner: Markup, *, brackets: bool) -> Markup:
    if brackets:
        return Markup("<mrow><mo>(</mo>{}<mo>)</mo></mrow>").format(inner)
    return Markup("<mrow>{}</mrow>").format(inner)


def _sum(parts: Sequence[Any], depth: int) -> Markup:
    """Terms with factors first, the constant last; a leading minus becomes the operator."""
    ordered = sorted(parts, key=lambda part: isinstance(part, (int, float)))
    found = Markup("")
    for place, part in enumerate(ordered):
        negative = _is_negative(part)
        sign = "\u2212" if negative else "+"
        if place or negative:
            found += Markup("<mo>{}</mo>").format(sign)
        found += _node(_turned(part), _TIGHT, depth) if negative else _node(part, _LOOSE, depth)
    return found


def _is_negative(part: Any) -> bool:
    if isinstance(part, (int, float)):
        return part < 0
    product = isinstance(part, list) and len(part) > 2 and part[0] == "mul"
    return product and isinstance(part[1], (int, float)) and part[1] < 0


def _turned(part: Any) -> Any:
    if isinstance(part, (int, float)):
        return -part
    rest = part[2:]
    return ["mul", -part[1], *rest] if part[1] != -1 else (["mul", *rest] if len(rest) > 1 else rest[0])


def _product(parts: Sequence[Any], depth: int) -> Markup:
    times = Markup("<mo>&#8290;</mo><mspace width='0.2em'/>")
    return Markup("<mrow>{}</mrow>").format(times.join(_node(part, _TIGHT, depth) for part in parts))


def _power(parts: Sequence[Any], depth: int) -> Markup:
    base, exponent = _node(parts[0], _TIGHT, depth), _node(parts[1], _LOOSE, depth)
    nested = isinstance(parts[0], list) and parts[0][:1] in (["mul"], ["pow"])
    wrapped = _row(base, brackets=True) if nested or _is_negative(parts[0]) else base
    return Markup("<msup>{}{}</msup>").format(wrapped, exponent)
