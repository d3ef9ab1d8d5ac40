"""A formula as a function of its constants, with exact derivatives; quick to make and to call."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from diffex.effects.arrays import FloatArray
from diffex.rules.expression import Tanh, Template

Dual = tuple[Any, dict[int, Any]]
"""Value and derivatives by those parameters that it depends on; each of shape (n,), or a number."""
Part = Callable[[FloatArray, FloatArray], Dual]

_UNARY: Mapping[Any, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    Tanh: (np.tanh, lambda _, value: 1 - value**2),
    sympy.exp: (np.exp, lambda _, value: value),
    sympy.log: (np.log, lambda inner, _: 1 / inner),
    sympy.Abs: (np.abs, lambda inner, _: np.sign(inner)),
}


def with_gradient(form: Template, names: Sequence[str]) -> Part:
    """Compile a template by forward differentiation; SymPy's own compiler takes tens of milliseconds.

    Parameters
    ----------
    form : Template
        Over `names`.
    names : sequence of str
        Rows of the second argument.

    Returns
    -------
    callable
        From parameters ``(p,)`` and factors ``(d, n)`` to a value and its derivatives by place.
    """
    places = {parameter: i for i, parameter in enumerate(form.parameters)}
    rows = {name: i for i, name in enumerate(names)}

    def compiled(node: Any) -> Part:
        if node in places:
            return _parameter(places[node])
        if node.is_Symbol:
            return _factor(rows[node.name])
        if node.is_number:
            return _number(float(node))
        return _combined(node, [compiled(part) for part in node.args])

    return compiled(form.expression)


def _combined(node: Any, parts: Sequence[Part]) -> Part:
    if node.is_Add:
        return _sum(parts)
    if node.is_Mul:
        return _product(parts)
    return _power(parts[0], float(node.exp)) if node.is_Pow else _unary(parts[0], *_UNARY[node.func])


def _parameter(place: int) -> Part:
    return lambda values, _: (values[place], {place: 1.0})


def _factor(row: int) -> Part:
    return lambda _, columns: (columns[row], {})


def _number(value: float) -> Part:
    return lambda *_: (value, {})


def _sum(parts: Sequence[Part]) -> Part:
    def added(values: FloatArray, columns: FloatArray) -> Dual:
        total, slopes = 0.0, dict[int, Any]()
        for part in parts:
            value, gradient = part(values, columns)
            total = total + value
            for place, slope in gradient.items():
                slopes[place] = slopes[place] + slope if place in slopes else slope
        return total, slopes

    return added


def _product(parts: Sequence[Part]) -> Part:
    def multiplied(values: FloatArray, columns: FloatArray) -> Dual:
        product, slopes = parts[0](values, columns)
        for part in parts[1:]:
            value, gradient = part(values, columns)
            found = {place: slope * value for place, slope in slopes.items()}
            for place, slope in gradient.items():
                more = slope * product
                found[place] = found[place] + more if place in found else more
            product, slopes = product * value, found
        return product, slopes

    return multiplied


def _power(base: Part, exponent: float) -> Part:
    def raised(values: FloatArray, columns: FloatArray) -> Dual:
        value, gradient = base(values, columns)
        result = value * value if exponent == 2 else value**exponent
        if not gradient:
            return result, {}
        factor = exponent * (value if exponent == 2 else value ** (exponent - 1))
        return result, {place: slope * factor for place, slope in gradient.items()}

    return raised


def _unary(inner: Part, function: Callable[[Any], Any], derivative: Callable[[Any, Any], Any]) -> Part:
    def applied(values: FloatArray, columns: FloatArray) -> Dual:
        value, gradient = inner(values, columns)
        result = function(value)
        if not gradient:
            return result, {}
        factor = derivative(value, result)
        return result, {place: slope * factor for place, slope in gradient.items()}

    return applied
