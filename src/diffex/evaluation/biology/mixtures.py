"""B2: is the share of responders found in mixtures of real control and treated cells."""

from collections.abc import Iterator
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.cells import RATIO, fkhr_table
from diffex.evaluation.resampling import bootstrap_mean
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import FKHR
from diffex.responses.responders import find_responders

_CELLS = 300
_FRACTIONS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
_LOW = 0.05
_PARTIAL_DOSES = (7.81, 15.63)
_RESAMPLES = 100


def measure_mixtures(bench: Bench) -> Iterator[Measured]:
    """Measure B2: error of the fraction, claims, and calls of single cells, on the measured ratio.

    Control and treated wells are cut in two at random for each repeat: one half gives the cells, the
    other the references.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        Mean error by fraction beside that of thresholding, shares of claims, AUROC of posteriors.
    """
    table = fkhr_table(bench.real(FKHR))
    repeats = bench.size(200, 4)
    for fraction in _FRACTIONS:
        found = mixtures(table, "positive", fraction, repeats, bench.seed)
        yield from _rows(found, fraction, "saturated wells")
    for dose in _PARTIAL_DOSES:
        for fraction in (0.0, 0.05, 0.1, 0.2):
            found = mixtures(table, dose, fraction, bench.size(50, 2), bench.seed)
            yield from _partial_rows(found, fraction, f"{dose} nM")


def mixtures(
    table: pd.DataFrame, responders: str | float, fraction: float, repeats: int, seed: int
) -> pd.DataFrame:
    """Mix cells in exact numbers and ask for the fraction.

    Parameters
    ----------
    table : DataFrame
        From `fkhr_table`.
    responders : str or float
        ``"positive"``, or a dose whose wells give the responders; the reference is of
        saturated wells.
    fraction : float
        Of responders among the 300 cells.
    repeats : int
        Mixtures.
    seed : int
        Of the wells and cells chosen.

    Returns
    -------
    DataFrame
        A row per mixture: ``fraction, low, high, p, verdict, auroc, threshold_fraction, threshold_auroc``.
    """
    control, treated = (table[table["label"] == label] for label in ("negative", "positive"))
    pool = treated if responders == "positive" else table[np.isclose(table["dose"], float(responders))]
    count, rows = round(_CELLS * fraction), []
    for state in np.random.SeedSequence(seed).generate_state(repeats):
        random = np.random.default_rng(state)
        cells, reference = _by_wells(control, random)
        moved, saturated = _by_wells(treated, random)
        moved = moved if responders == "positive" else pool
        values = np.concatenate(
            [
                random.choice(cells[RATIO], _CELLS - count, replace=False),
                random.choice(moved[RATIO], count, replace=False),
            ]
        )
        truth = np.arange(_CELLS) >= _CELLS - count
        rows.append(_asked(values, truth, reference, saturated, int(state)))
    return pd.DataFrame(rows)


def _by_wells(table: pd.DataFrame, random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    wells = random.permutation(table["well"].unique())
    first = table["well"].isin(wells[: len(wells) // 2])
    return table[first], table[~first]


def _asked(
    values: NDArray[np.float64],
    truth: NDArray[np.bool_],
    control: pd.DataFrame,
    treated: pd.DataFrame,
    seed: int,
) -> dict[str, float | str]:
    found = find_responders(
        values, control[RATIO], treated[RATIO], control_wells=control["well"].to_numpy(dtype=str),
        treated_wells=treated["well"].to_numpy(dtype=str), seed=seed, repeats=_RESAMPLES,
    )  # fmt: skip
    halfway = (control[RATIO].median() + treated[RATIO].median()) / 2
    mixed = truth.any()
    return {
        "fraction": found.fraction,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "verdict": found.verdict,
        "auroc": float(roc_auc_score(truth, found.posterior)) if mixed else float("nan"),
        "threshold_fraction": float((values > halfway).mean()),
        "threshold_auroc": float(roc_auc_score(truth, values)) if mixed else float("nan"),
    }


def _rows(found: pd.DataFrame, fraction: float, source: str) -> Iterator[Measured]:
    what, repeats = f"{fraction:.0%} from {source}", len(found)
    error = 100 * (found["fraction"] - fraction).abs().to_numpy()
    plain = 100 * (found["threshold_fraction"] - fraction).abs().mean()
    covered = ((found["low"] <= fraction) & (found["high"] >= fraction)).mean()
    note = f"thresholding halfway: {plain:.2f}; interval covers in {covered:.0%} of {repeats}"
    target = "<= 1.5" if fraction <= _LOW else "<= 3"
    yield Measured("B2", f"mean error in points, {what}", *_first(error, target), note=note)
    claimed = int((found["p"] <= _LOW).sum())
    if fraction == 0:
        limit = _LOW + 2 * sqrt(_LOW * (1 - _LOW) / repeats)
        rate = wilson(claimed, repeats)
        yield Measured("B2", f"responders claimed, {what}", rate[0], f"<= {limit:.3f}", *rate[1:])
        return
    rate = wilson(claimed, repeats)
    target = ">= 0.90" if fraction >= 2 * _LOW else REPORTED
    mixture = (found["verdict"] == "mixture").mean()
    yield Measured(
        "B2", f"responders claimed, {what}", rate[0], target, *rate[1:],
        note=f"called a mixture rather than a shift in {mixture:.0%}",
    )  # fmt: skip
    yield Measured(
        "B2", f"AUROC of single-cell calls, {what}", *_first(found["auroc"].to_numpy(), ">= 0.95"),
        note=f"the ratio itself: {found['threshold_auroc'].mean():.4f}",
    )  # fmt: skip


def _partial_rows(found: pd.DataFrame, fraction: float, source: str) -> Iterator[Measured]:
    """Cells that have moved part of the way: no saturated reference fits them, so nothing is promised."""
    what = f"{fraction:.0%} from {source}"
    error = 100 * (found["fraction"] - fraction).abs().to_numpy()
    plain = 100 * (found["threshold_fraction"] - fraction).abs().mean()
    claimed = (found["p"] <= _LOW).mean()
    note = f"claimed in {claimed:.0%}; thresholding halfway: {plain:.2f}"
    if fraction > 0:
        note += f"; AUROC {found['auroc'].mean():.3f}, of the ratio {found['threshold_auroc'].mean():.3f}"
    yield Measured("B2", f"mean error in points, {what}", *_first(error, REPORTED), note=note)


def _first(values: NDArray[np.float64], target: str) -> tuple[float, str, float, float]:
    """Mean, target and interval, as a row takes them."""
    mean, low, high = bootstrap_mean(values, seed=0)
    return mean, target, low, high
