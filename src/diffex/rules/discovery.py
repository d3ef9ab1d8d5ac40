"""From factors and the margins of a classifier to one rule per class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import sympy
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.progress import progress
from diffex.effects.arrays import FloatArray
from diffex.effects.replication import selection_half
from diffex.rules.constants import Fitted, fit_constants
from diffex.rules.engine import RuleEngine
from diffex.rules.expression import Expr, exported, factor_names, symbol
from diffex.rules.factor_choice import choose_factors
from diffex.rules.factors import Factors, representatives
from diffex.rules.front import Candidate, Halves, Limits, choose, pareto, search_front
from diffex.rules.library_engine import LibraryEngine
from diffex.rules.rule import FrontRow, Rule
from diffex.rules.rule_set import RuleSet, explained_classes
from diffex.rules.simplify import round_constants
from diffex.rules.sparse_network import SPARE_IMAGES
from diffex.rules.stability import Stability, half_sample_choices, refitted, steadiest, term_shares

Groups = NDArray[np.str_] | None
_FEWEST_OF_A_CLASS = 10
_SLOW_HALVES = 10


@final
@dataclass(frozen=True)
class Search:
    """How rules are searched.

    Parameters
    ----------
    engines : tuple of RuleEngine
        Who searches; the front is over all of them.
    limits : Limits
        Size of a formula.
    halves : int
        Half-samples that say how stable terms are; 0 leaves that out.
    seed : int
        Of everything random.
    """

    engines: tuple[RuleEngine, ...] = (LibraryEngine(),)
    limits: Limits = field(default_factory=Limits)
    halves: int = 20
    seed: int = 0


def discover(
    factors: Factors, margins: FloatArray, class_names: Sequence[str], groups: Groups, search: Search
) -> RuleSet:
    """Find a rule for every class margin.

    Parameters
    ----------
    factors : Factors
        Of n images.
    margins : ndarray, shape (n, k)
        The classifier's margin of every class on them.
    class_names : sequence of str, length k
        Of the classifier.
    groups : ndarray of str, shape (n,), optional
        Unit of replication; samples never divide one where there are at least 12.
    search : Search
        Engines, limits, seed.

    Returns
    -------
    RuleSet
        In the units of the factors.

    Raises
    ------
    InputError
        If images are too few for the factors, a class has a handful of them, or numbers are not finite.
    """
    _check(factors, margins, class_names)
    kept = factors.columns([factors.names[j] for j in representatives(factors.values)])
    least = 2 * (len(kept.names) + SPARE_IMAGES)
    if len(margins) < least:
        raise InputError(
            f"Got {len(margins)} images and {len(kept.names)} factors that differ, expected at least {least} "
            "images, since factors are chosen on halves of them: add images."
        )
    classes = explained_classes(class_names)
    rules = [
        find_rule(class_names[k], kept, margins[:, k], groups, search)
        for k in progress(classes, "rules", len(classes))
    ]
    return RuleSet(tuple(class_names), tuple(rules))


def find_rule(class_name: str, factors: Factors, margin: FloatArray, groups: Groups, search: Search) -> Rule:
    """Find the rule of one class margin.

    Parameters
    ----------
    class_name : str
        Whose margin.
    factors : Factors
        Of n images, none of them constant.
    margin : ndarray, shape (n,)
        What the rule should give.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.
    search : Search
        Engines, limits, seed.

    Returns
    -------
    Rule
        Of formulas nearly as good as any the one that half-samples agree on most; without half-samples the
        smallest as good as the best. Constants fitted to all images, rounded within their intervals.
    """
    few, scale, whole = begin(factors, margin, groups, search)
    fronts = [search_front(whole, (engine,), search.limits, search.seed) for engine in search.engines]
    front = pareto(candidate for found in fronts for candidate in found)
    again = _half_samples(few, margin, groups, search)
    shares = term_shares(again)
    if again:
        best = steadiest([*front, *fronts[0], *refitted(again, whole)], shares, front)
    else:
        best = front[choose(front)]
    shown = front if best in front else sorted([*front, best], key=lambda one: one.nodes)
    return _rule(class_name, few, margin, scale, shown, shown.index(best), shares)


def begin(
    factors: Factors, margin: FloatArray, groups: Groups, search: Search
) -> tuple[Factors, FloatArray, Halves]:
    """Choose factors, and cut images into those to fit and those to judge.

    Parameters
    ----------
    factors, margin, groups, search
        As in `find_rule`.

    Returns
    -------
    (Factors, ndarray of shape (d,), Halves)
        The d chosen ones, their standard deviations, and the halves, in these.
    """
    few = choose_factors(factors, margin, groups, search.limits.factors, search.seed)
    half = selection_half(len(margin), groups, search.seed)
    return few, few.values.std(axis=0), Halves.cut(few, margin, half)


def _half_samples(few: Factors, margin: FloatArray, groups: Groups, search: Search) -> list[Candidate]:
    """Formulas chosen from half-samples by the first engine; a slow one searches fewer of them."""
    engine = search.engines[0]
    halves = search.halves if isinstance(engine, LibraryEngine) else min(search.halves, _SLOW_HALVES)
    return half_sample_choices(few, margin, groups, engine, search.limits, halves, search.seed)


def _rule(
    class_name: str,
    few: Factors,
    margin: FloatArray,
    scale: FloatArray,
    front: list[Candidate],
    chosen: int,
    stability: Stability,
) -> Rule:
    whole = [in_units(candidate.expression, few.names, scale) for candidate in front]
    final_fit = fit_constants(whole[chosen], few.names, few.values, margin)
    rounded = round_constants(final_fit, few.names, few.values, margin)
    expression = _tidy(rounded)
    rows = tuple(
        FrontRow(one.nodes, one.r2, expression if i == chosen else _short(whole[i]), one.engine, i == chosen)
        for i, one in enumerate(front)
    )
    used = few.columns(factor_names(expression))
    constants = tuple(zip(rounded.constants, rounded.low, rounded.high, strict=True))
    return Rule(class_name, expression, used.meanings, constants, rows, stability)


def in_units(expression: Expr, names: Sequence[str], scale: FloatArray) -> Expr:
    """Rewrite a formula over scaled factors as one over the factors themselves.

    Parameters
    ----------
    expression : Expr
        Over factors divided by `scale`.
    names : sequence of str
        Of the factors.
    scale : ndarray, shape (d,)
        One per name.

    Returns
    -------
    Expr
        Of the same value.
    """
    pairs = {symbol(n): symbol(n) * sympy.Float(1 / s) for n, s in zip(names, scale, strict=True)}
    return expression.xreplace(pairs)


def _tidy(found: Fitted) -> Expr:
    """Leave factors of one out."""
    ones = {sympy.Float(1.0): sympy.Integer(1), sympy.Float(-1.0): sympy.Integer(-1)}
    return exported(found.expression).xreplace(ones)


def _short(expression: Expr) -> Expr:
    """Show four digits."""
    shown = exported(expression)
    return shown.xreplace({c: sympy.Float(f"{float(c):.4g}") for c in shown.atoms(sympy.Float)})


def _check(factors: Factors, margins: FloatArray, class_names: Sequence[str]) -> None:
    count = len(factors.values)
    if not np.isfinite(factors.values).all() or not np.isfinite(margins).all():
        raise InputError("Factors or logits hold NaN or Inf: rules need finite numbers.")
    said = np.bincount(margins.argmax(axis=1), minlength=len(class_names))
    rare = int(said.argmin())
    if said[rare] < _FEWEST_OF_A_CLASS:
        raise InputError(
            f"The classifier says {class_names[rare]!r} for {said[rare]} of {count} images, a rule needs at "
            f"least {_FEWEST_OF_A_CLASS}: add images of this class."
        )
