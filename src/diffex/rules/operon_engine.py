"""Formulas by genetic programming: Operon (Burlacu et al. 2020), fitted with Levenberg-Marquardt."""

import re
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import sympy

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray
from diffex.rules.expression import Expr, Tanh, symbol

_SYMBOLS = "add,sub,mul,square,tanh,constant,variable"
_FORMULA = re.compile(r"[\sX0-9.eE()+*/^-]|tanh|square|inf|nan")


@final
@dataclass(frozen=True)
class OperonEngine:
    """Operon's Pareto front of error against length.

    Parameters
    ----------
    population : int
        Formulas per generation.
    generations : int
        Of the search; it ends by count, never by clock, so that the same seed gives the same front.
    longest : int
        Nodes of a formula, in Operon's count.
    """

    population: int = 300
    generations: int = 40
    longest: int = 24

    @property
    def name(self) -> str:
        """Short name."""
        return "operon"

    def search(self, names: tuple[str, ...], x: FloatArray, y: FloatArray, seed: int) -> list[Expr]:
        """Run the search on one thread; see `RuleEngine.search`.

        Parameters
        ----------
        names, x, y, seed
            As there.

        Returns
        -------
        list of Expr
            From short to long.

        Raises
        ------
        InputError
            If pyoperon is not installed.
        """
        regressor = _regressor()(
            allowed_symbols=_SYMBOLS,
            objectives=["r2", "length"],
            optimizer_iterations=5,
            max_length=self.longest,
            max_evaluations=10**9,
            population_size=self.population,
            pool_size=self.population,
            generations=self.generations,
            n_threads=1,
            random_state=seed,
        )
        # Operon reads columns: other layouts of float32 gave nonsense, float64 in Fortran order is safe.
        regressor.fit(np.asfortranarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        texts = [regressor.get_model_string(one["tree"], 12) for one in regressor.pareto_front_]
        return [_parsed(text, names) for text in texts if "nan" not in text and "inf" not in text]


def _regressor() -> Any:
    try:
        from pyoperon.sklearn import SymbolicRegressor
    except ImportError as error:
        raise InputError(
            "--engine operon needs pyoperon, which is not installed: pip install pyoperon, or use "
            "--engine library."
        ) from error
    return SymbolicRegressor


def _parsed(text: str, names: tuple[str, ...]) -> Expr:
    """Read Operon's own notation, of which every character is known."""
    assert not _FORMULA.sub("", text), text
    known = {f"X{i}": symbol(name) for i, name in enumerate(names, start=1)}
    known |= {"square": lambda part: part**2, "tanh": Tanh}
    return sympy.sympify(text.replace("^", "**"), locals=known)
