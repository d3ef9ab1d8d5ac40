"""The trade of accuracy against size: candidate formulas, their Pareto front, and the one to choose."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.effects.arrays import BoolArray, FloatArray
from diffex.rules.engine import RuleEngine
from diffex.rules.expression import Expr, Tanh, complexity, factor_names, numeric, structure
from diffex.rules.factors import Factors
from diffex.rules.simplify import simplify

_TOLERANCE = 0.01  # of the variance: formulas this close to the best are as good


@final
@dataclass(frozen=True)
class Limits:
    """How large a formula may be.

    Parameters
    ----------
    nodes : int
        Of the exported expression.
    factors : int
        Different ones that it reads.
    """

    nodes: int = 20
    factors: int = 5

    def allow(self, expression: Expr) -> bool:
        """Whether an expression keeps them, and puts no step inside a step."""
        small = complexity(expression) <= self.nodes and len(expression.free_symbols) <= self.factors
        return small and not any(step.args[0].has(Tanh) for step in expression.atoms(Tanh))


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """One formula of the front.

    Parameters
    ----------
    expression : Expr
        The formula.
    engine : str
        Who found it.
    r2 : float
        On images that it was not fitted to.
    errors : ndarray, shape (m,)
        Its squared errors there.
    wrong : float
        Share of them on the other side of 0 than they should be.
    """

    expression: Expr
    engine: str
    r2: float
    errors: FloatArray
    wrong: float

    @property
    def nodes(self) -> int:
        """Its size."""
        return complexity(self.expression)

    @property
    def structure(self) -> tuple[str, ...]:
        """Its terms; see `expression.structure`."""
        return structure(self.expression)


@final
@dataclass(frozen=True, eq=False)
class Halves:
    """Factors and what formulas should give, for fitting and for judging.

    Parameters
    ----------
    names : tuple of str
        Of the factors.
    x, y : ndarray, shape (n, d) and (n,)
        To fit.
    x_judge, y_judge : ndarray, shape (m, d) and (m,)
        To judge.
    """

    names: tuple[str, ...]
    x: FloatArray
    y: FloatArray
    x_judge: FloatArray
    y_judge: FloatArray

    def swapped(self) -> "Halves":
        """Fit where it was judged, and the other way round."""
        return Halves(self.names, self.x_judge, self.y_judge, self.x, self.y)

    @classmethod
    def cut(cls, factors: Factors, margin: FloatArray, half: BoolArray) -> "Halves":
        """Fit to the marked images and judge on the others; factors in standard deviations of all."""
        x = factors.values / factors.values.std(axis=0)
        return cls(factors.names, x[half], margin[half], x[~half], margin[~half])


def search_front(halves: Halves, engines: Iterable[RuleEngine], limits: Limits, seed: int) -> list[Candidate]:
    """Search with every engine, shorten what they find, and keep what no shorter formula beats.

    Parameters
    ----------
    halves : Halves
        Factors of standard deviation about 1.
    engines : iterable of RuleEngine
        Who searches.
    limits : Limits
        Larger formulas are dropped.
    seed : int
        Of the engines.

    Returns
    -------
    list of Candidate
        From small to large, each better than all before it on the judging images; never empty.
    """
    return pareto(candidates(halves, engines, limits, seed))


def candidates(
    halves: Halves, engines: Iterable[RuleEngine], limits: Limits, seed: int
) -> Iterator[Candidate]:
    """Search with every engine and shorten what they find, one formula after the other.

    Parameters
    ----------
    halves, engines, limits, seed
        As in `search_front`.

    Yields
    ------
    Candidate
        Each formula once, in the order of the engines, judged on the judging images, finite there.
    """
    known = set[Expr]()
    for engine in engines:
        for expression in engine.search(halves.names, halves.x, halves.y, seed):
            short = simplify(expression, halves.names, halves.x, halves.y).expression
            if short in known or not limits.allow(short):
                continue
            known.add(short)
            candidate = judged(short, engine.name, halves)
            if np.isfinite(candidate.r2):
                yield candidate


def judged(expression: Expr, engine: str, halves: Halves) -> Candidate:
    """Give a formula its errors on the judging images.

    Parameters
    ----------
    expression : Expr
        Over the names of `halves`.
    engine : str
        Who found it.
    halves : Halves
        With the judging images.

    Returns
    -------
    Candidate
        R2 is not finite where the formula is not.
    """
    with np.errstate(all="ignore"):
        predicted = numeric(expression, halves.names)(halves.x_judge)
        errors, wrong = np.square(predicted - halves.y_judge), (predicted > 0) != (halves.y_judge > 0)
        r2 = float(1 - errors.mean() / halves.y_judge.var())
    return Candidate(expression, engine, r2, errors, float(wrong.mean()))


def pareto(found: Iterable[Candidate]) -> list[Candidate]:
    """Keep what no shorter formula beats.

    Parameters
    ----------
    found : iterable of Candidate
        From any engines, judged on the same images.

    Returns
    -------
    list of Candidate
        From small to large, R2 ascending.
    """
    front: list[Candidate] = []
    for candidate in sorted(found, key=lambda c: (c.nodes, -c.r2)):
        if not front or candidate.r2 > front[-1].r2:
            front.append(candidate)
    return front


def choose(front: list[Candidate]) -> int:
    """Choose the smallest formula that is as good as the best.

    Parameters
    ----------
    front : list of Candidate
        From `search_front`.

    Returns
    -------
    int
        Position of the first for which `is_good` holds.
    """
    return next(i for i, one in enumerate(front) if is_good(one, front))


def is_good(candidate: Candidate, front: list[Candidate], tolerance: float = _TOLERANCE) -> bool:
    """Whether a formula is as good as the best, in its values and in its decisions.

    Parameters
    ----------
    candidate : Candidate
        Judged on the same images as the front.
    front : list of Candidate
        Not empty.
    tolerance : float, default 0.01
        Share of the variance that may be left.

    Returns
    -------
    bool
        Whether its squared error is within one standard error of the best one's or the tolerance, and its
        share of wrong decisions within one standard error of that of the formula that decides best
        (Breiman et al. 1984, the rule of one standard error).
    """
    best = max(front, key=lambda one: one.r2)
    count, error = len(best.errors), best.errors.mean()
    spread = best.errors.std() / np.sqrt(count)
    allowed = error + max(spread, tolerance * error / max(1 - best.r2, 1e-12))
    fewest = min(one.wrong for one in front if one.errors.mean() <= allowed)
    decided = fewest + np.sqrt(max(fewest * (1 - fewest), 1 / count) / count)
    return bool(candidate.errors.mean() <= allowed and candidate.wrong <= decided)


def read_factors(expressions: Iterable[Expr]) -> tuple[str, ...]:
    """Name all factors that formulas read.

    Parameters
    ----------
    expressions : iterable of Expr
        Formulas.

    Returns
    -------
    tuple of str
        Sorted, each once.
    """
    return tuple(sorted({name for expression in expressions for name in factor_names(expression)}))
