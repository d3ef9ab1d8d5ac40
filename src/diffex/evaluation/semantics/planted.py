"""S1 and S4: are planted semantics found by phrases, and do edits do what they say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import Measured
from diffex.evaluation.semantics.cached import Cached, cached_edits
from diffex.evaluation.semantics.words import factor_of
from diffex.images import PlantedCells
from diffex.images.planted_factors import FACTORS

_CLASSIFIERS, _ACTIVE, _CELLS = 24, 3, 400
_LARGE, _NOTHING = 1.0, 0.1  # standard deviations of the margin
_SAID = 0.5  # standard deviations of the factor: an edit that happened


@final
@dataclass(frozen=True)
class _Score:
    """What was called for one classifier."""

    large: int
    recalled: int
    right: int
    called: int
    false: int
    leaked: int


def measure_planted(bench: Bench) -> Iterator[Measured]:
    """Find planted semantics with the shipped text model (S1).

    Parameters
    ----------
    bench : Bench
        Seed and sizes.

    Yields
    ------
    Measured
        Recall, signs, share of false calls, and what of the edits that failed the check was called.
    """
    cached = cached_edits(bench)
    moves = true_moves(cached, bench.size(_CELLS, 60))
    rng = np.random.default_rng(derive_seed("semantic rules", bench.seed))
    rules = [random_rule(rng) for _ in range(bench.size(_CLASSIFIERS, 4))]
    scores = [_score(cached, weights, moves, bench.seed) for weights in rules]
    large, recalled = sum(s.large for s in scores), sum(s.recalled for s in scores)
    share = wilson(recalled, large)
    yield Measured(
        "S1", "recall of phrases with a true effect of 1 s.d. or more", share[0], ">= 0.9",
        share[1], share[2], note=f"{recalled} of {large}, {len(rules)} classifiers",
    )  # fmt: skip
    signs = wilson(sum(s.right for s in scores), recalled)
    yield Measured("S1", "sign accuracy of these", signs[0], ">= 0.95", signs[1], signs[2])
    false = np.array([s.false / max(s.called, 1) for s in scores])
    error = float(false.std(ddof=1) / np.sqrt(len(false))) if len(false) > 1 else float("nan")
    yield Measured(
        "S1", "mean share of false calls", float(false.mean()), f"<= {0.05 + 2 * error:.4f}",
        float(false.mean() - 1.96 * error), float(false.mean() + 1.96 * error),
        note=f"0.05 + 2 s.e.; {sum(s.called for s in scores)} phrases called",
    )  # fmt: skip
    leaked = float(sum(s.leaked for s in scores))
    yield Measured("S1", "calls of edits that failed their check", leaked, "<= 0")


def measure_edits(bench: Bench) -> Iterator[Measured]:
    """Ask the oracle whether edits do what they say (S4).

    Parameters
    ----------
    bench : Bench
        Seed and sizes.

    Yields
    ------
    Measured
        Share of edits that move their factor, and how much more than other factors.
    """
    table = edit_table(cached_edits(bench))
    kept = bench.figure("semantic-edits").with_suffix(".csv")
    kept.parent.mkdir(parents=True, exist_ok=True)
    table.drop(columns="per_image").to_csv(kept, index=False)
    every = np.concatenate([np.array(row) for row in table["per_image"]])
    happened = wilson(int((every >= _SAID).sum()), len(every))
    yield Measured(
        "S4", "edits with an on-target change of 0.5 s.d. or more (oracle)", happened[0], ">= 0.9",
        happened[1], happened[2], note=f"{len(table)} phrases, {len(every)} edits",
    )  # fmt: skip
    phrases = wilson(int((table["on_target"] >= _SAID).sum()), len(table))
    yield Measured("S4", "phrases with a mean on-target change of 0.5 s.d. or more", phrases[0], "reported",
                   phrases[1], phrases[2])  # fmt: skip
    ratio = float(table["ratio"].median())
    yield Measured("S4", "on-target over mean off-target change, median phrase", ratio, ">= 4")


def edit_table(cached: Cached) -> pd.DataFrame:
    """Say for every phrase of a planted factor what its edits change, as the oracle reads it.

    Parameters
    ----------
    cached : Cached
        Rendered edits.

    Returns
    -------
    DataFrame
        Columns ``phrase, factor, on_target, off_target, ratio`` and ``per_image``, on-target changes in
        standard deviations in the direction named.
    """
    null = cached.edits.subject.null_logits  # (n, 12)
    rows = []
    for k, node in enumerate(cached.tree.phrases()):
        named = factor_of(node.phrase)
        if named is None:
            continue
        j, sense = named
        change = cached.edits.logits[k, :, 0] - null
        own, others = sense * change[:, j], np.delete(change, j, axis=1)
        off = float(np.abs(others).mean())
        rows.append(
            {
                "phrase": node.phrase, "factor": FACTORS[j], "on_target": float(own.mean()),
                "off_target": off, "ratio": float(own.mean()) / off, "per_image": own.tolist(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def true_moves(cached: Cached, cells: int) -> FloatArray:
    """Give what the oracle reads when each factor goes from -1 to +1 by exact intervention.

    Parameters
    ----------
    cached : Cached
        Gives the oracle.
    cells : int
        Simulated cells, not those that are edited.

    Returns
    -------
    ndarray, shape (12, 12)
        Mean change of every reading, a row per factor moved.
    """
    planted = PlantedCells()
    factors, seeds = planted.sample_factors(cells, 77_000), list(range(77_000, 77_000 + cells))
    ends = [
        [cached.read(planted.render(planted.do(factors, name, value=value), seeds)) for value in (1.0, -1.0)]
        for name in FACTORS
    ]
    return np.stack([(high - low).mean(0) for high, low in ends])


def random_rule(rng: np.random.Generator) -> FloatArray:
    """Draw a linear rule over three factors, of either sign.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of the draw.

    Returns
    -------
    ndarray, shape (12,)
        Weights.
    """
    weights = np.zeros(len(FACTORS))
    chosen = rng.choice(len(FACTORS), _ACTIVE, replace=False)
    weights[chosen] = rng.uniform(1.0, 1.5, _ACTIVE) * rng.choice([-1, 1], _ACTIVE)
    return weights


def _score(cached: Cached, weights: FloatArray, moves: FloatArray, seed: int) -> _Score:
    edits = cached.judged(weights)
    table = cached.assessed(edits, seed)
    scale = float((edits.subject.null_logits[:, 1]).std())
    true = {}
    for node in cached.tree.phrases():
        named = factor_of(node.phrase)
        true[node.id] = 0.0 if named is None else named[1] * float(moves[named[0]] @ weights) / scale
    called = table[table["significant"]]
    best = called.drop_duplicates("concept")
    large = [one for one, effect in true.items() if abs(effect) >= _LARGE]
    found = best[best["concept"].isin(large)]
    right = [
        np.sign(r["effect"]) == np.sign(r["sign"] * true[r["concept"]]) for r in found.to_dict("records")
    ]
    return _Score(
        large=len(large),
        recalled=len(found),
        right=sum(bool(r) for r in right),
        called=len(best),
        false=sum(abs(true[one]) < _NOTHING for one in best["concept"]),
        leaked=int((called["edit"] != "done").sum()),
    )
