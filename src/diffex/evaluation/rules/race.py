"""R6: how soon a formula as good as gplearn's is there."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.rules.measured import search
from diffex.evaluation.rules.recovery import KINDS, Case, planted_case
from diffex.rules.constants import fit_constants
from diffex.rules.discovery import Search, begin, find_rule, in_units
from diffex.rules.expression import complexity, numeric
from diffex.rules.factors import Factor, Factors
from diffex.rules.fidelity import r2_of
from diffex.rules.front import Halves, candidates

_CAP, _CLOSE = 120.0, 0.001


@final
@dataclass(frozen=True)
class Reached:
    """What a search came to.

    Parameters
    ----------
    r2 : float
        On values it was not fitted to.
    seconds, nodes : float
        Infinite where the R2 is less than it should be.
    """

    r2: float
    seconds: float
    nodes: float


def measure_race(bench: Bench) -> Iterator[Measured]:
    """Measure R6: CPU-seconds until a search holds a formula as good as gplearn's best, on planted tasks.

    gplearn (T. Stephens, 0.4) gets 120 CPU-seconds. Both clocks stop at the first formula within 0.001 of the
    best R2 on other values that gplearn ever reached. Our whole search, which goes on to see whether another
    formula does better, is reported beside it.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Median ratio of seconds, and of sizes.
    """
    peers, firsts, ends = list[Reached](), list[Reached](), list[Reached]()
    for i in range(bench.size(10, 2)):
        task = halved(planted_case(KINDS[i % len(KINDS)], bench.seed + 100 + i))
        best, peer = _race_gplearn(task, bench.size(_CAP, 5.0), bench.seed)
        peers.append(peer)
        firsts.append(first_as_good(task, best - _CLOSE, search(bench)))
        ends.append(_end(task, best - _CLOSE, search(bench)))
    theirs, own, whole = (np.array([one.seconds for one in some]) for some in (peers, firsts, ends))
    what = "gplearn's CPU-seconds to its best R2 on other values over ours"
    note = f"medians {np.median(theirs):.2f} and {np.median(own):.2f} s; 0 where ours did not reach it"
    yield Measured("R6", f"{what}, median of tasks", float(np.median(theirs / own)), ">= 10", note=note)
    note = f"ours {np.median(whole):.1f} s, median; 0 where the rule chosen is not as good"
    yield Measured("R6", f"{what} of the whole search", float(np.median(theirs / whole)), REPORTED, note=note)
    for what, some in (("first as good", firsts), ("chosen in the end", ends)):
        ratio = float(np.median([own.nodes / peer.nodes for own, peer in zip(some, peers, strict=True)]))
        yield Measured("R6", f"nodes of our formula {what} over gplearn's, median", ratio, "<= 1")
    gain = min(own.r2 - peer.r2 for own, peer in zip(ends, peers, strict=True))
    yield Measured("R6", "our held-out R2 minus gplearn's, smallest", gain, REPORTED)


def halved(case: Case) -> Halves:
    """Give half of the values of a case to find a formula from, half to judge it.

    Parameters
    ----------
    case : Case
        Planted.

    Returns
    -------
    Halves
        The first half to fit.
    """
    x, y, half = case.factors.values, case.y, len(case.y) // 2
    return Halves(case.factors.names, x[:half], y[:half], x[half:], y[half:])


def _race_gplearn(task: Halves, cap: float, seed: int) -> tuple[float, Reached]:
    """Let gplearn evolve, generation by generation, for `cap` CPU-seconds; its best R2 comes first."""
    from gplearn.genetic import SymbolicRegressor

    peer = SymbolicRegressor(
        population_size=1000, random_state=seed, function_set=("add", "sub", "mul"),
        parsimony_coefficient=0.001, warm_start=True,
    )  # fmt: skip
    reached, spent = list[Reached](), 0.0
    while spent < cap:
        start = time.process_time()
        peer.set_params(generations=len(reached) + 1).fit(task.x, task.y)
        spent += time.process_time() - start
        r2 = r2_of(peer.predict(task.x_judge), task.y_judge)
        reached.append(Reached(r2, spent, len(peer._program.program)))
    best = max(one.r2 for one in reached)
    return best, next(one for one in reached if one.r2 >= best - _CLOSE)


def first_as_good(task: Halves, goal: float, how: Search) -> Reached:
    """Search until a formula is good enough.

    Parameters
    ----------
    task : Halves
        Values to find it from, and values to judge it.
    goal : float
        R2 on the latter.
    how : Search
        Engines, limits, seed.

    Returns
    -------
    Reached
        The first formula that is, fitted to all values there are.
    """
    start = time.process_time()
    few, scale, parts = begin(_factors(task), task.y, None, how)
    best = -np.inf
    for candidate in candidates(parts, how.engines, how.limits, how.seed):
        plain = in_units(candidate.expression, few.names, scale)
        expression = fit_constants(plain, task.names, task.x, task.y).expression
        spent = time.process_time() - start
        r2 = r2_of(numeric(expression, task.names)(task.x_judge), task.y_judge)
        if r2 >= goal:
            return Reached(r2, spent, complexity(expression))
        best = max(best, r2)
    return Reached(best, np.inf, np.inf)


def _end(task: Halves, goal: float, how: Search) -> Reached:
    """The rule that the whole search ends with."""
    start = time.process_time()
    rule = find_rule("margin", _factors(task), task.y, None, how)
    spent = time.process_time() - start
    r2 = r2_of(numeric(rule.expression, task.names)(task.x_judge), task.y_judge)
    return Reached(r2, spent, rule.nodes) if r2 >= goal else Reached(r2, np.inf, np.inf)


def _factors(task: Halves) -> Factors:
    return Factors(tuple(Factor(name, name) for name in task.names), task.x)
