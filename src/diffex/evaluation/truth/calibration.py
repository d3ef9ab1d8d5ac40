"""K3: what the whole test finds in runs where there is nothing to find."""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.stats import kstest

from diffex.base.noise import derive_seed
from diffex.effects.arrays import BoolArray, FloatArray
from diffex.evaluation.attributes.null_runs import TESTED, dealt, share_of_runs, tested_table
from diffex.evaluation.attributes.nulls import random_screens
from diffex.evaluation.attributes.screens import Screen
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import SHIPPED_RULES, TARGET, shipped_model
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import planted


def measure_calibration(bench: Bench) -> Iterator[Measured]:
    """Measure K3 on the null runs of A6: random directions called concepts, on the shipped classifiers.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Share of runs with a discovery, and how far one p per run is from uniform.
    """
    models = {name: shipped_model(name, bench.device) for name in SHIPPED_RULES}
    voices = {name: model.classifier for name, model in models.items()}
    target = voices["linear"].card.class_names.index(TARGET)
    cells = planted(bench.size(128, 32), 7000 + bench.seed)
    runs = bench.size(50, 5)
    screens = random_screens(bench, cells, models["linear"].generator, voices, target, runs)
    found, p = null_runs(screens, runs, bench.seed)
    value, low, high, limit = share_of_runs(found)
    note = f"{len(found)} runs of {len(screens)} classifiers, each with {TESTED} directions of its own"
    yield Measured(
        "K3", "share of null runs with any discovery at q = 0.05", value, limit, low, high, note=note
    )
    tested = kstest(p, "uniform", alternative="greater")
    note = "one p per run, of a row drawn at random; one-sided, since conservative is allowed"
    note += (
        f"; share of p under 0.05: {np.mean(p < 0.05):.3f}; two-sided KS p {kstest(p, 'uniform').pvalue:.2g}"
    )
    yield Measured("K3", "KS p of null p against uniform", float(tested.pvalue), "> 0.01", note=note)


def null_runs(screens: Mapping[str, Screen], runs: int, seed: int) -> tuple[BoolArray, FloatArray]:
    """Run the whole test on random directions called concepts.

    Parameters
    ----------
    screens : mapping of str to Screen
        From `random_screens`, by classifier.
    runs : int
        Of each classifier.
    seed : int
        Of the deals.

    Returns
    -------
    (ndarray of bool, ndarray), each of shape (runs * classifiers,)
        Whether a run found anything, and the p of one of its rows, drawn at random.
    """
    found, drawn = [], []
    for name, screen in screens.items():
        for run in range(runs):
            own = derive_seed("null runs", name, run, seed) % 2**31
            tested, calibrating, beside = dealt(run, own)
            table = tested_table(screen, tested, calibrating, beside, own)
            claims = table[table["concept"].isin(tested)]
            found.append(bool(claims["significant"].any()))
            drawn.append(float(claims["p"].iloc[np.random.default_rng(own).integers(len(claims))]))
    return np.array(found), np.array(drawn)
