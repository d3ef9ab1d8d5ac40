"""R4: planted formulas found again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import sympy

from diffex.effects.arrays import FloatArray
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import Measured
from diffex.evaluation.rules.measured import search
from diffex.rules.discovery import find_rule
from diffex.rules.expression import Expr, numeric, symbol, template, terms
from diffex.rules.factors import Factor, Factors
from diffex.rules.rule import Rule

_RATIO = 20.0  # variance of the formula over that of the noise
_COUNT, _INPUTS = 1000, 8
_SECONDS = 60.0
_NEAR = 0.10
_NAMES = tuple(f"f{i}" for i in range(1, _INPUTS + 1))
KINDS = ("linear", "quadratic", "tanh", "interaction")
"""What formulas are planted."""


@final
@dataclass(frozen=True, eq=False)
class Case:
    """A planted formula with noisy values.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    truth : Expr
        Over f1 to f8, most of them decoys.
    factors : Factors
        1,000 draws, standard normal.
    y : ndarray, shape (n,)
        With noise.
    """

    kind: str
    truth: Expr
    factors: Factors
    y: FloatArray


def planted_case(kind: str, seed: int) -> Case:
    """Draw a formula of a kind, with constants between 0.5 and 2 of either sign.

    Parameters
    ----------
    kind : {"linear", "quadratic", "tanh", "interaction"}
        What it is made of.
    seed : int
        Of factors, constants and noise.

    Returns
    -------
    Case
        Signal to noise 20 in variance.
    """
    random = np.random.default_rng([seed, KINDS.index(kind)])
    x = random.normal(size=(_COUNT, _INPUTS))
    a, b, c = (symbol(_NAMES[j]) for j in random.permutation(_INPUTS)[:3])
    k = [sympy.Float(v) for v in random.uniform(0.5, 2.0, 4) * random.choice([-1, 1], 4)]
    truth = {
        "linear": k[0] * a + k[1] * b + k[2] * c + k[3],
        "quadratic": k[0] * a**2 + k[1] * b + k[2],
        "tanh": k[0] * sympy.tanh(2 * abs(k[1]) * a) + k[2] * b + k[3],
        "interaction": k[0] * a * b + k[1] * c + k[2],
    }[kind]
    clean = numeric(truth, _NAMES)(x)
    noise = random.normal(size=_COUNT) * np.sqrt(clean.var() / _RATIO)
    return Case(kind, truth, Factors(tuple(Factor(n, n) for n in _NAMES), x), clean + noise)


def recovered(rule: Rule, case: Case) -> bool:
    """Whether a rule has the planted terms, each constant within 10 % or its interval.

    Parameters
    ----------
    rule : Rule
        Found.
    case : Case
        Planted.

    Returns
    -------
    bool
        Terms are compared in canonical form; the constant term may differ.
    """
    wanted, got = terms(case.truth), terms(rule.expression)
    if wanted.keys() - {"1"} != got.keys() - {"1"}:
        return False
    reach = {round(v, 9): max(abs(high - v), abs(v - low)) for v, low, high in rule.constants}
    return all(
        abs(a - b) <= max(_NEAR * abs(a), reach.get(round(b, 9), 0.0))
        for name in wanted
        if name in got
        for a, b in zip(_constants(wanted[name]), _constants(got[name]), strict=True)
    )


def _constants(term: Expr) -> tuple[float, ...]:
    return template(sympy.sympify(term) * sympy.Float(1.0)).start


def measure_recovery(bench: Bench) -> Iterator[Measured]:
    """Measure R4.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Formulas recovered of 40, and the slowest.
    """
    cases = [planted_case(kind, bench.seed + i) for kind in KINDS for i in range(bench.size(10, 1))]
    right, slowest, missed = 0, 0.0, []
    for case in cases:
        start = time.process_time()
        rule = find_rule(case.kind, case.factors, case.y, None, search(bench))
        slowest = max(slowest, time.process_time() - start)
        if recovered(rule, case):
            right += 1
        else:
            missed.append(f"{case.kind}: {_rounded(case.truth)} gave {_rounded(rule.expression)}")
    share = wilson(right, len(cases))
    yield Measured("R4", f"share of {len(cases)} planted formulas recovered", share[0], ">= 0.8", *share[1:],
                   note="; ".join(missed))  # fmt: skip
    yield Measured("R4", "CPU-seconds of the slowest", slowest, f"<= {_SECONDS:g}")


def _rounded(expression: Expr) -> str:
    return str(
        expression.xreplace({c: sympy.Float(f"{float(c):.3g}") for c in expression.atoms(sympy.Float)})
    )
