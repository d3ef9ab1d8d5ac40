"""R1, R2, R3: rules over measurements against the black boxes they replace."""

from collections.abc import Callable, Iterator

import numpy as np
import sympy
from scipy import optimize
from sklearn.ensemble import HistGradientBoostingRegressor

from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.rules.subjects import PLANTED, Side, Subject, sides, subject
from diffex.evaluation.sets import NUCLEI, factors_of
from diffex.rules.discovery import Search, discover
from diffex.rules.expression import terms
from diffex.rules.factors import Factors
from diffex.rules.fidelity import Fidelity, fidelity, r2_of
from diffex.rules.front import Limits
from diffex.rules.library_engine import LibraryEngine
from diffex.rules.operon_engine import OperonEngine
from diffex.rules.rule import Rule
from diffex.rules.rule_set import RuleSet

_HALVES = 50
_GAP = (0.50, 0.75)


def search(bench: Bench, halves: int = 0) -> Search:
    """How the suite searches: as ``diffex rules`` does, at its limits.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.
    halves : int, default 0
        Half-samples for the stability of terms.

    Returns
    -------
    Search
        Both engines.
    """
    engines = (LibraryEngine(), OperonEngine(generations=bench.size(40, 8)))
    return Search(engines, Limits(), halves, bench.seed)


def found_rules(bench: Bench, made: Subject, halves: int = 0) -> RuleSet:
    """Find rules on the training side.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.
    made : Subject
        Classifier and images.
    halves : int, default 0
        As of `search`.

    Returns
    -------
    RuleSet
        A rule per class margin.
    """
    side = made.train
    return discover(side.factors, side.margins, made.class_names, side.groups, search(bench, halves))


def tested(rules: RuleSet, side: Side, seed: int) -> Fidelity:
    """Test rules on one side.

    Parameters
    ----------
    rules : RuleSet
        Found on the other side.
    side : Side
        Images to test on.
    seed : int
        Of the intervals.

    Returns
    -------
    Fidelity
        Against the classifier and the labels.
    """
    return fidelity(rules.margins(side.factors), side.margins, side.labels, side.groups, seed)


def measure_accuracy(name: str) -> Callable[[Bench], Iterator[Measured]]:
    """Measure R1, R3 and R9 on one set.

    Parameters
    ----------
    name : str
        Of the set.

    Returns
    -------
    callable
        For the suite.
    """

    def run(bench: Bench) -> Iterator[Measured]:
        made = subject(bench, name)
        rules = found_rules(bench, made, bench.size(_HALVES, 4))
        result = tested(rules, made.test, bench.seed)
        yield from _accuracy(name, made, rules, result)
        if len(made.class_names) == 2:
            yield from _faithful(bench, name, made, result)
        yield from _stable(name, rules)
        if name == NUCLEI:
            yield from _known_rule(made, rules.rules[0], result)

    return run


def _accuracy(name: str, made: Subject, rules: RuleSet, result: Fidelity) -> Iterator[Measured]:
    ratio, own = result.accuracy_ratio, result.classifier_accuracy
    assert ratio is not None and own is not None
    formulas = "; ".join(f"{rule.class_name}: {rule.expression}" for rule in rules.rules)
    yield Measured("R1", f"{name}: balanced accuracy over the black box's", ratio[0], ">= 0.98", *ratio[1:])
    low = f"{name}: lower bound of that ratio"
    yield Measured("R1", low, ratio[1], ">= 0.95", note=formulas)
    yield Measured("R1", f"{name}: balanced accuracy of the black box", own[0], REPORTED, *own[1:])
    over = f"{name}: black box over balanced logistic regression on all measurements"
    yield Measured("R1", over, own[0] / made.logistic(), ">= 1")
    nodes = max(rule.nodes for rule in rules.rules)
    yield Measured("R1", f"{name}: nodes of the largest formula", nodes, "<= 20")
    factors = max(len(rule.factors) for rule in rules.rules)
    yield Measured("R1", f"{name}: factors of the formula with most", factors, "<= 5")


def _faithful(bench: Bench, name: str, made: Subject, result: Fidelity) -> Iterator[Measured]:
    agreement, r2, note = result.agreement, result.r2[0], _ceiling(bench, name, made)
    what = f"{name}: agreement with the black box"
    yield Measured("R3", what, agreement[0], ">= 0.98", *agreement[1:], note=note)
    yield Measured("R3", f"{name}: R2 of the logit", r2[0], ">= 0.85", *r2[1:], note=note)


def _ceiling(bench: Bench, name: str, made: Subject) -> str:
    """How well the black box is told by one of another seed, a shipped one by what was planted."""
    own = made.test.margins[:, 1]
    if name in PLANTED:
        train, test = (factors_of(images) for images in sides(bench, name))
        trees = HistGradientBoostingRegressor(random_state=bench.seed).fit(train, made.train.margins[:, 1])
        told, by = trees.predict(test), "boosted trees on the planted factors"
    else:
        other = subject(bench, name, bench.seed + 1).test.margins[:, 1]
        told, by = np.polyval(np.polyfit(other, own, 1), other), "a black box of another seed"
    return f"ceiling, {by}: R2 {r2_of(told, own):.3f}, agreement {np.mean((own > 0) == (told > 0)):.3f}"


def _stable(name: str, rules: RuleSet) -> Iterator[Measured]:
    for rule in rules.rules:
        shares = [rule.stability.get(term, 0.0) for term in rule.terms]
        words = f"{name}: rarest term of the rule for {rule.class_name} over half-samples"
        yield Measured("R9", words, min(shares, default=0.0), ">= 0.8", note=", ".join(rule.terms))


def _known_rule(made: Subject, rule: Rule, result: Fidelity) -> Iterator[Measured]:
    """R2: the label is a threshold on eccentricity, somewhere in the gap that the set leaves empty."""
    side = made.test.factors
    at = threshold(rule, side, "eccentricity")
    inside = _GAP[0] <= at <= _GAP[1]
    yield Measured("R2", "threshold on eccentricity", at, f"{_GAP[0]:.2f} to {_GAP[1]:.2f}", holds=inside)
    yield Measured(
        "R2", "agreement with the black box", result.agreement[0], ">= 0.98", *result.agreement[1:]
    )
    share = other_terms(rule, side, "eccentricity")
    yield Measured("R2", "share of the logit's variance in other terms", share, "< 0.02")


def threshold(rule: Rule, factors: Factors, name: str) -> float:
    """Where a rule changes sign along one factor, the others at their medians; NaN where it does not.

    Parameters
    ----------
    rule : Rule
        Any.
    factors : Factors
        Of images.
    name : str
        The factor.

    Returns
    -------
    float
        In its unit.
    """
    if name not in rule.names:
        return float("nan")
    values = factors.columns(rule.names).values
    middle, place = np.median(values, axis=0), rule.names.index(name)

    def margin(at: float) -> float:
        row = middle.copy()
        row[place] = at
        return float(rule.evaluate(row[None])[0])

    low, high = values[:, place].min(), values[:, place].max()
    return float(optimize.brentq(margin, low, high)) if margin(low) * margin(high) < 0 else float("nan")


def other_terms(rule: Rule, factors: Factors, name: str) -> float:
    """Share of a rule's variance in terms that do not read one factor.

    Parameters
    ----------
    rule : Rule
        Any.
    factors : Factors
        Of images.
    name : str
        The factor.

    Returns
    -------
    float
        Variance of the sum of the other terms over that of the whole.
    """
    rest = sympy.Add(*(t for t in terms(rule.expression).values() if name not in map(str, t.free_symbols)))
    values = factors.columns(rule.names).values
    others = Rule(rule.class_name, rest, rule.factors).evaluate(values)
    return float(others.var() / rule.evaluate(values).var())
