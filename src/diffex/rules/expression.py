"""SymPy expressions as formulas: constants, terms, size, and a form that JSON can hold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import sympy
from numpy.typing import NDArray

from diffex.base.errors import FolderError, InputError

Expr: TypeAlias = sympy.Expr


class Tanh(sympy.Function):  # type: ignore[misc]
    """Hyperbolic tangent during a search: SymPy's own looks for identities each time one is made."""

    nargs = 1

    @classmethod
    def eval(cls, arg: Any) -> Any:
        """Fold constants, nothing else."""
        if arg.is_Float or arg.is_Integer:
            return sympy.Float(math.tanh(float(arg))) if arg != 0 else sympy.Integer(0)
        return None


def exported(expression: Expr) -> Expr:
    """Put SymPy's own functions in place of those of a search.

    Parameters
    ----------
    expression : Expr
        A formula.

    Returns
    -------
    Expr
        Without `Tanh`.
    """
    return expression.replace(Tanh, sympy.tanh)


_FUNCTIONS: Mapping[str, Any] = {
    "add": sympy.Add,
    "mul": sympy.Mul,
    "pow": sympy.Pow,
    "tanh": sympy.tanh,
    "exp": sympy.exp,
    "log": sympy.log,
    "abs": sympy.Abs,
}
_NAMES = {function: name for name, function in _FUNCTIONS.items()}
_DEEPEST = 40
_LARGEST_POWER = 64
_CONSTANT = sympy.Symbol("c")
_INSIDE = " in tanh"
_RESERVED = "parameter "  # no factor is called so: their names have no blanks


def symbol(name: str) -> sympy.Symbol:
    """Make the symbol of a factor.

    Parameters
    ----------
    name : str
        For example ``"area_um2"``.

    Returns
    -------
    Symbol
        Real.
    """
    return sympy.Symbol(name, real=True)


def complexity(expression: Expr) -> int:
    """Count the nodes of an expression as it is exported; every constant counts.

    Parameters
    ----------
    expression : Expr
        Any.

    Returns
    -------
    int
        Nodes of the tree; sums and products of many parts are one node more than their parts.

    Examples
    --------
    >>> complexity(2.1 - 0.43 * symbol("area_um2"))
    5
    """
    return sum(1 for _ in sympy.preorder_traversal(expression))


def factor_names(expression: Expr) -> tuple[str, ...]:
    """Name the factors that an expression reads.

    Parameters
    ----------
    expression : Expr
        A formula.

    Returns
    -------
    tuple of str
        Sorted.
    """
    return tuple(sorted(s.name for s in expression.free_symbols))


@final
@dataclass(frozen=True)
class Template:
    """An expression whose constants have become parameters.

    Parameters
    ----------
    expression : Expr
        With a symbol in place of each constant.
    parameters : tuple of Symbol
        Those symbols, in order.
    start : tuple of float
        The constants they stand for.
    """

    expression: Expr
    parameters: tuple[sympy.Symbol, ...]
    start: tuple[float, ...]

    def filled(self, values: Sequence[float]) -> Expr:
        """Put constants in place of the parameters."""
        pairs = zip(self.parameters, values, strict=True)
        return self.expression.xreplace({p: sympy.Float(v) for p, v in pairs})

    def without(self, place: int, values: Sequence[float]) -> Expr:
        """Put 0 in place of one parameter, and constants in place of the others."""
        pairs = {p: sympy.Float(v) for p, v in zip(self.parameters, values, strict=True)}
        return self.expression.xreplace(pairs | {self.parameters[place]: sympy.Integer(0)})


def template(expression: Expr) -> Template:
    """Turn every floating-point constant of an expression into a parameter; integers stay.

    Parameters
    ----------
    expression : Expr
        A formula.

    Returns
    -------
    Template
        ``template(e).filled(template(e).start)`` is ``e``.
    """
    start: list[float] = []
    parameters: list[sympy.Symbol] = []

    def lifted(node: Any) -> Any:
        if node.is_Float:
            start.append(float(node))
            parameters.append(symbol(f"{_RESERVED}{len(start)}"))
            return parameters[-1]
        return node.func(*[lifted(part) for part in node.args]) if node.args else node

    body = lifted(expression)
    return Template(body, tuple(parameters), tuple(start))


def terms(expression: Expr) -> dict[str, Expr]:
    """Split the canonical form of an expression into its terms.

    Parameters
    ----------
    expression : Expr
        A formula.

    Returns
    -------
    dict of str to Expr
        What a term is, with ``c`` for each constant inside it and none before it, and the term itself. The
        constant term is ``"1"``.

    Examples
    --------
    >>> list(terms(2.5 * symbol("a") * (symbol("b") + 0.5)))
    ['a', 'a*b']
    """
    found: dict[str, Expr] = {}
    for term in sympy.Add.make_args(sympy.expand(expression)):
        body = exported(term.as_coeff_Mul()[1]).as_coeff_Mul()[1]  # SymPy takes signs out of odd functions
        name = "1" if body.is_number else str(_anonymous(body))
        found[name] = found.get(name, sympy.Integer(0)) + term
    return {name: found[name] for name in sorted(found)}


def structure(expression: Expr) -> tuple[str, ...]:
    """Name the terms of a formula; where all of it is one step, those of the sum inside.

    Parameters
    ----------
    expression : Expr
        A formula.

    Returns
    -------
    tuple of str
        As of `terms`, without the constant.

    Examples
    --------
    >>> structure(4 * sympy.tanh(0.2 * symbol("a") - symbol("b")) + 1)
    ('a in tanh', 'b in tanh')
    """
    found = terms(expression)
    found.pop("1", None)
    if len(found) == 1:
        body = next(iter(found.values())).as_coeff_Mul()[1]
        if isinstance(body, Tanh | sympy.tanh):
            return tuple(f"{name}{_INSIDE}" for name in terms(body.args[0]) if name != "1")
    return tuple(found)


def _anonymous(body: Any) -> Any:
    """Write ``c`` for every constant, and in functions before every part: one of 1 is not seen."""
    if body.is_Float:
        return _CONSTANT
    if body.is_Function:
        return body.func(sympy.Add(*{_weighted(part) for part in sympy.Add.make_args(body.args[0])}))
    return body.func(*[_anonymous(part) for part in body.args]) if body.args else body


def _weighted(part: Any) -> Any:
    rest = part.as_coeff_Mul()[1]
    return _CONSTANT if rest.is_number else _CONSTANT * _anonymous(rest)


def compiled(expression: Expr, names: Sequence[str], modules: Any) -> Any:
    """Compile an expression; SymPy writes code from it, so that no name may come from elsewhere.

    Parameters
    ----------
    expression : Expr
        A formula.
    names : sequence of str
        Arguments of the function.
    modules : object
        As of `sympy.lambdify`.

    Returns
    -------
    callable
        Of one argument per name.

    Raises
    ------
    InputError
        If the formula reads something else.
    """
    if unknown := set(factor_names(expression)) - set(names):
        raise InputError(f"A formula reads {sorted(unknown)[0]!r}, expected only its factors.")
    return sympy.lambdify([symbol(name) for name in names], exported(expression), modules)


def numeric(expression: Expr, names: Sequence[str]) -> Any:
    """Compile an expression for NumPy.

    Parameters
    ----------
    expression : Expr
        A formula.
    names : sequence of str
        Columns of the array that the function takes.

    Returns
    -------
    callable
        From ``(n, d)`` to ``(n,)``, in float64.
    """
    import numpy as np

    function = compiled(expression, names, "numpy")

    def evaluated(values: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = np.asarray(values, dtype=np.float64).T
        return np.broadcast_to(np.asarray(function(*columns), dtype=np.float64), columns.shape[1:]).copy()

    return evaluated


def to_tree(expression: Expr) -> Any:
    """Write an expression as nested lists that JSON can hold.

    Parameters
    ----------
    expression : Expr
        Made of sums, products, powers, ``tanh``, ``exp``, ``log``, ``abs``, numbers and factors.

    Returns
    -------
    list, str, int or float
        A name is a factor.

    Examples
    --------
    >>> to_tree(symbol("a") ** 2)
    ['pow', 'a', 2]
    """
    if expression.is_Symbol:
        return expression.name
    if expression.is_Integer:
        return int(expression)
    if expression.is_number:
        return float(expression)
    return [_NAMES[expression.func], *(to_tree(part) for part in expression.args)]


def from_tree(tree: Any, depth: int = 0) -> Expr:
    """Read an expression from nested lists; nothing is ever evaluated as code.

    Parameters
    ----------
    tree : list, str, int or float
        From `to_tree`.
    depth : int
        How deep this part lies.

    Returns
    -------
    Expr
        The formula.

    Raises
    ------
    FolderError
        If it is no such tree.
    """
    if isinstance(tree, str):
        return symbol(tree)
    if isinstance(tree, int) and not isinstance(tree, bool):
        return sympy.Integer(tree)
    if isinstance(tree, float) and math.isfinite(tree):
        return sympy.Float(tree)
    if isinstance(tree, list) and len(tree) > 1 and str(tree[0]) in _FUNCTIONS and depth < _DEEPEST:
        parts = [from_tree(part, depth + 1) for part in tree[1:]]
        if _can_take(tree[0], parts):
            return _FUNCTIONS[tree[0]](*parts)
    raise FolderError(f"A formula holds {str(tree)[:40]!r}, expected sums, products and powers of factors.")


def _can_take(name: str, parts: Sequence[Any]) -> bool:
    """Whether a function takes these; powers and functions of numbers alone could take for ever."""
    if name in ("add", "mul"):
        return True
    if not parts[0].free_symbols:
        return False
    if name == "pow":
        return len(parts) == 2 and bool(parts[1].is_number) and abs(parts[1]) <= _LARGEST_POWER
    return len(parts) == 1
