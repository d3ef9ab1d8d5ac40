"""A rule: one closed form with units for the margin of a class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import sympy
from numpy.typing import NDArray
from torch import Tensor

from diffex.effects.arrays import FloatArray
from diffex.rules.expression import (
    Expr,
    compiled,
    complexity,
    factor_names,
    from_tree,
    numeric,
    structure,
    template,
    to_tree,
)
from diffex.rules.factors import Factor


@final
@dataclass(frozen=True)
class FrontRow:
    """One line of the trade of accuracy against size.

    Parameters
    ----------
    nodes : int
        Size.
    r2 : float
        On the judging images.
    expression : Expr
        In the units of the factors.
    engine : str
        Who found it.
    chosen : bool
        Whether it is the rule.
    """

    nodes: int
    r2: float
    expression: Expr
    engine: str
    chosen: bool


@final
@dataclass(frozen=True)
class Rule:
    """A formula for the margin of one class: above 0 where the classifier says the class.

    Parameters
    ----------
    class_name : str
        Whose margin.
    expression : Expr
        Over the names of `factors`, in their units.
    factors : tuple of Factor
        What the symbols are.
    constants : tuple of (float, float, float)
        Value and ends of the 95 % interval of each constant, in order of occurrence.
    front : tuple of FrontRow
        All that were in the choice.
    stability : mapping of str to float
        Share of half-samples in which each term came up.
    """

    class_name: str
    expression: Expr
    factors: tuple[Factor, ...]
    constants: tuple[tuple[float, float, float], ...] = ()
    front: tuple[FrontRow, ...] = ()
    stability: Mapping[str, float] = field(default_factory=dict)

    @property
    def nodes(self) -> int:
        """Size: nodes of the expression, every constant counted."""
        return complexity(self.expression)

    @property
    def names(self) -> tuple[str, ...]:
        """The factors' symbols."""
        return tuple(factor.name for factor in self.factors)

    @property
    def terms(self) -> tuple[str, ...]:
        """Its terms; see `expression.structure`."""
        return structure(self.expression)

    def evaluate(self, values: FloatArray) -> FloatArray:
        """Compute the margin.

        Parameters
        ----------
        values : ndarray, shape (n, d)
            Columns as in `factors`.

        Returns
        -------
        ndarray, shape (n,)
            Margins, in logits.
        """
        return np.asarray(numeric(self.expression, self.names)(values))

    def numpy(self) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Export as a function of ``(n, d)`` arrays."""
        function: Callable[[NDArray[np.float64]], NDArray[np.float64]] = numeric(self.expression, self.names)
        return function

    def torch(self) -> Callable[[Tensor], Tensor]:
        """Export as a differentiable function of ``(n, d)`` tensors."""
        import torch

        modules = [{"tanh": torch.tanh, "exp": torch.exp, "log": torch.log, "Abs": torch.abs}, "math"]
        function = compiled(self.expression, self.names, modules)

        def evaluated(values: Tensor) -> Tensor:
            result: Tensor = function(*values.unbind(dim=1)) + torch.zeros_like(values[:, 0])
            return result

        return evaluated

    def latex(self) -> str:
        """Export as LaTeX."""
        return str(sympy.latex(self.expression))

    def __repr__(self) -> str:
        """Print the front, the chosen row marked."""
        units = ", ".join(f"{f.name} [{f.unit}]" if f.unit else f.name for f in self.factors)
        head = f"Rule(margin of {self.class_name!r} = {self.expression}; {self.nodes} nodes; {units})"
        lines = [
            f"{'>' if row.chosen else ' '} {row.nodes:3d} nodes  R2 {row.r2:.3f}  {row.engine:8s} "
            f"{row.expression}"
            for row in self.front
        ]
        return "\n".join([head, *lines])

    def turned(self, class_name: str) -> "Rule":
        """Give the rule of the other of two classes: the same with its sign turned."""
        expression = -self.expression
        start = template(expression).start
        rows = tuple(replace(row, expression=-row.expression) for row in self.front)
        constants = tuple(
            (value, low, high) if value in start else (-value, -high, -low)  # a step's inside stays
            for value, low, high in self.constants
        )
        return replace(self, class_name=class_name, expression=expression, constants=constants, front=rows)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return {
            "class_name": self.class_name,
            "formula": str(self.expression),
            "latex": self.latex(),
            "tree": to_tree(self.expression),
            "nodes": self.nodes,
            "factors": [vars(factor) for factor in self.factors],
            "constants": [list(constant) for constant in self.constants],
            "stability": dict(self.stability),
            "front": [
                {
                    "nodes": row.nodes, "r2": row.r2, "formula": str(row.expression),
                    "tree": to_tree(row.expression), "engine": row.engine, "chosen": row.chosen,
                }
                for row in self.front
            ],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> "Rule":
        """Read what `as_dict` gave; formulas are rebuilt from trees, never run as code."""
        rows = tuple(
            FrontRow(row["nodes"], row["r2"], from_tree(row["tree"]), row["engine"], row["chosen"])
            for row in kept["front"]
        )
        constants = tuple((float(v), float(low), float(high)) for v, low, high in kept["constants"])
        factors = tuple(Factor(**factor) for factor in kept["factors"])
        expression = from_tree(kept["tree"])
        if unknown := set(factor_names(expression)) - {factor.name for factor in factors}:
            raise ValueError(f"no factor is called {sorted(unknown)[0]!r}")
        return cls(kept["class_name"], expression, factors, constants, rows, dict(kept["stability"]))
