"""K1 and K2: are the true effects of factors recovered, and which explainer recovers them best."""

from collections.abc import Callable, Iterator

import numpy as np

from diffex.base.files import write_json
from diffex.effects.arrays import FloatArray, IntArray
from diffex.evaluation.attributes.recovery import spearman
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.truth.explainers import OURS, REPAIRED, Looked, lookers
from diffex.evaluation.truth.mapping import mapped_cells
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.recovered import Edits, edits_of
from diffex.evaluation.truth.rendering import opened
from diffex.evaluation.truth.saliency_effects import against_saliency
from diffex.evaluation.truth.scores import active_auroc, ndcg, over_classifiers, pearson, sign_accuracy
from diffex.evaluation.truth.subjects import PAIRS, Subjects, true_pairs
from diffex.images.planted_factors import FACTORS

_OTHER = ("interaction", "threshold", "shortcut")


def measure_effects(bench: Bench) -> Iterator[Measured]:
    """Measure K1: recovered against true effects, and paired with every peer that shares our generator.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    made, pool = opened(bench)
    names, count = list(made.voices), len(pool.levels)
    looked = {name: lookers(pool, name, made.target) for name in names}
    ours = edits_by(pool, made, looked, OURS)
    yield _truth_row(made)
    graded = [name for name in names if name.startswith("graded")]
    for what, some, target in (
        ("graded linear rules", graded, ">= 0.9"),
        ("shipped linear rule", ["linear"], REPORTED),
    ):
        score = _score(lambda e, rows, name: spearman(e.main(rows), made.truth.effects(name)), ours)
        value = over_classifiers(some, score, count, bench.seed)
        note = f"{len(some)} classifiers"
        yield Measured("K1", f"{what}: Spearman over 12 factors", value[0], target, *value[1:], note=note)
    pairs = {name: found.mean(axis=0) for name, found in true_pairs(bench, made).items()}
    true = {name: np.concatenate([made.truth.effects(name), pairs[name]]) for name in names}
    score = _score(lambda e, rows, name: pearson(_both(e, rows), true[name]), ours)
    value = over_classifiers(_OTHER, score, count, bench.seed)
    note = "; ".join(f"{name} {score(name, np.arange(count)):.2f}" for name in _OTHER)
    what = f"other rules: Pearson over 12 effects and {len(PAIRS)} pairs"
    yield Measured("K1", what, value[0], ">= 0.9", *value[1:], note=note)
    score = _score(lambda e, rows, name: ndcg(e.main(rows), made.truth.effects(name)), ours)
    value = over_classifiers(_OTHER, score, count, bench.seed)
    yield Measured("K1", "other rules: nDCG@5", value[0], ">= 0.95", *value[1:])
    yield from _against_peers(bench, pool, made, looked)
    yield from against_saliency(bench, made, pool, mapped_cells(bench))
    _write(bench, made, pairs, ours)


def measure_active(bench: Bench) -> Iterator[Measured]:
    """Measure K2: active against null factors, and signs.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    made, pool = opened(bench)
    names, count = list(made.voices), len(pool.levels)
    looked = {name: lookers(pool, name, made.target) for name in names}
    ours = edits_by(pool, made, looked, OURS)
    score = _score(lambda e, rows, n: active_auroc(e.main(rows), made.active(n), made.null(n)), ours)
    value = over_classifiers(names, score, count, bench.seed)
    each = {name: score(name, np.arange(count)) for name in names}
    note = "; ".join(f"{n} {v:.2f}" for n, v in each.items() if np.isfinite(v)) or "no factor is null"
    yield Measured("K2", "AUROC of active against null factors", value[0], ">= 0.95", *value[1:], note=note)
    score = _score(
        lambda e, rows, n: sign_accuracy(e.main(rows), made.truth.effects(n), made.active(n)), ours
    )
    value = over_classifiers(names, score, count, bench.seed)
    note = "; ".join(f"{name} {score(name, np.arange(count)):.2f}" for name in names)
    yield Measured("K2", "sign accuracy of active factors", value[0], ">= 0.95", *value[1:], note=note)


def edits_by(
    pool: Pool, made: Subjects, looked: dict[str, dict[str, Looked]], explainer: str
) -> dict[str, Edits]:
    """Take one explainer's edits of every classifier.

    Parameters
    ----------
    pool : Pool
        Rendered.
    made : Subjects
        Classifiers.
    looked : dict
        From `lookers`, by classifier.
    explainer : str
        Which.

    Returns
    -------
    dict of str to Edits
        By classifier.
    """
    return {n: edits_of(pool, n, made.target, looked[n][explainer].columns) for n in made.voices}


def _score(
    rate: Callable[[Edits, IntArray, str], float], edits: dict[str, Edits]
) -> Callable[[str, IntArray], float]:
    return lambda name, rows: rate(edits[name], rows, name)


def _both(edits: Edits, rows: IntArray) -> FloatArray:
    return np.concatenate([edits.main(rows), edits.pairs(rows)])


def _truth_row(made: Subjects) -> Measured:
    worst = max(
        float(made.truth.errors(name).max() / np.abs(made.truth.effects(name)).max()) for name in made.voices
    )
    note = f"{len(FACTORS)} factors, {len(made.voices)} classifiers; oracle R2 {made.oracle.r2.mean():.2f}"
    note += f"; the generator misses a gate for: {', '.join(made.ungated) or 'none'}"
    what = "largest Monte-Carlo error of a true effect, as a share of the classifier's largest effect"
    return Measured("K1", what, worst, REPORTED, note=note)


def _against_peers(
    bench: Bench, pool: Pool, made: Subjects, looked: dict[str, dict[str, Looked]]
) -> Iterator[Measured]:
    names, count = list(made.voices), len(pool.levels)
    ours = edits_by(pool, made, looked, OURS)
    for peer in [one for one in looked[names[0]] if one != OURS]:
        theirs = edits_by(pool, made, looked, peer)

        def gain(name: str, rows: IntArray, theirs: dict[str, Edits] = theirs) -> float:
            true = made.truth.effects(name)
            return spearman(ours[name].main(rows), true) - spearman(theirs[name].main(rows), true)

        value = over_classifiers(names, gain, count, bench.seed)
        notes = sorted({looked[name][peer].note for name in names} - {""})
        target = REPORTED if peer == REPAIRED else ">= 0"
        what = f"Spearman over 12 factors, all classifiers: ours minus {peer}"
        yield Measured("K1", what, value[0], target, *value[1:], note="; ".join(notes))


def _write(bench: Bench, made: Subjects, pairs: dict[str, FloatArray], ours: dict[str, Edits]) -> None:
    """Keep recovered and true effects beside the figures."""
    table = {
        name: {
            "factors": list(FACTORS),
            "true": made.truth.effects(name),
            "error": made.truth.errors(name),
            "recovered": edits.main(np.arange(len(edits.margins))),
            "pairs": ["*".join(pair) for pair in PAIRS],
            "true_pairs": pairs[name],
            "recovered_pairs": edits.pairs(np.arange(len(edits.margins))),
        }
        for name, edits in ours.items()
    }
    write_json(bench.figure("true_effects.json"), table)
