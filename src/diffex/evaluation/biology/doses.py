"""B1: how the measured nucleus/ring ratio, and the top attribute, answer to wortmannin."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.replication import replication_units
from diffex.evaluation.attributes.top import top_attribute
from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.cells import RATIO, fkhr_table
from diffex.evaluation.real_fits import real_model, real_side
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import FKHR, open_fkhr_doses
from diffex.evaluation.stages import attribute_config, explained
from diffex.explainers.responders.scoring import followed_attributes, score_cells
from diffex.responses.departure import departures
from diffex.responses.dose_curve import dose_curve
from diffex.responses.hill import HillFit
from diffex.responses.trend import Trend, dose_trend

_TARGET = "positive"
_TOP_DOSE = 31.25
_ROWS = "ABC"
_RESAMPLES = 1000


@final
@dataclass(frozen=True)
class _Answer:
    """How a number per cell follows the dose, over the wells of the short series."""

    trend: Trend
    hill: HillFit


def measure_doses(bench: Bench) -> Iterator[Measured]:
    """Measure B1's yardstick: trend, EC50 and first departure of the measured ratio.

    Parameters
    ----------
    bench : Bench
        Data and seed.

    Yields
    ------
    Measured
        Reported; the attribute's rows are compared with them.
    """
    table = _wortmannin(fkhr_table(bench.real(FKHR)))
    yield from _told("the ratio", _answer(table, table[RATIO], bench.seed))
    yield _departure("the ratio", table, table[RATIO])


def measure_dose_attribute(bench: Bench) -> Iterator[Measured]:
    """Measure B1 proper: the top attribute of a model that never saw a dose, on all dose wells.

    The generator, its classifier and the explanation know the untreated and the saturated wells alone.

    Parameters
    ----------
    bench : Bench
        Data, seed, stages.

    Yields
    ------
    Measured
        Beside the ratio's.
    """
    folder = bench.real(FKHR)
    model = real_model(bench, FKHR).model
    run = explained(
        bench, f"{FKHR}-{_TARGET}", real_side(bench, FKHR, "test"), model, attribute_config(bench, _TARGET)
    )
    cells = open_fkhr_doses(folder)
    table = _wortmannin(fkhr_table(folder)).set_index("file").loc[list(cells.ids)]
    if top_attribute(run) is None:
        yield Measured("B1", "top attribute", float("nan"), ">= 0.9", note="no attribute is significant")
        return
    top = followed_attributes(run, 1)
    control = (table["dose"] == 0).to_numpy()
    found = score_cells(cells, model, top, _TARGET, control, cells.groups)
    score = found.table[top[0].concept.id].to_numpy()
    yield from beside_the_ratio(table, score, top[0].words, bench.seed)


def beside_the_ratio(table: pd.DataFrame, score: FloatArray, words: str, seed: int) -> Iterator[Measured]:
    """Compare a score per cell with the measured ratio: trend, EC50, first departure, cell by cell.

    Parameters
    ----------
    table : DataFrame
        Untreated and dosed cells, as of `fkhr_table`.
    score : ndarray, shape (n,)
        Of the same cells.
    words : str
        What the score stands for.
    seed : int
        Of all resampling.

    Yields
    ------
    Measured
        Each with its target.
    """
    found, ratio = (_answer(table, values, seed) for values in (score, table[RATIO]))
    yield from _told("the top attribute", found, ">= 0.9", words)
    less = found.trend.correlation - ratio.trend.correlation
    yield Measured("B1", "Spearman of the top attribute less the ratio's", less, ">= -0.05")
    factor = float(np.exp(abs(np.log(found.hill.ec50 / ratio.hill.ec50))))
    yield Measured("B1", "EC50 of top attribute and ratio, larger over smaller", factor, "<= 1.5")
    yield _departure("the top attribute", table, score)
    yield from _agreement(table, score, seed)


def _wortmannin(table: pd.DataFrame) -> pd.DataFrame:
    """Leave the untreated and the dosed cells."""
    return table[table["label"].isin(["negative", "dose"])]


def _answer(table: pd.DataFrame, values: "pd.Series[float] | FloatArray", seed: int) -> _Answer:
    inside = (
        (table["label"] == "dose") & (table["dose"] <= _TOP_DOSE) & table["well"].str[0].isin(list(_ROWS))
    )
    series, kept = table[inside], np.asarray(values)[inside]
    wells = series["well"].to_numpy(dtype=str)
    return _Answer(
        dose_trend(kept, series["dose"], wells, seed=seed),
        dose_curve(kept, series["dose"], wells, seed=seed).hill,
    )


def _told(name: str, answer: _Answer, target: str = REPORTED, words: str = "") -> Iterator[Measured]:
    said = f"{answer.trend.n} wells, p {answer.trend.p:.2g}"
    yield Measured(
        "B1", f"Spearman of well medians with dose, 0.98 to 31.25 nM, rows A to C: {name}",
        answer.trend.correlation, target, note="; ".join(filter(None, (said, words))),
    )  # fmt: skip
    yield Measured(
        "B1", f"EC50 on the same wells, nM: {name}", answer.hill.ec50, REPORTED, answer.hill.low,
        answer.hill.high, note=answer.hill.words,
    )  # fmt: skip


def _departure(name: str, table: pd.DataFrame, values: "pd.Series[float] | FloatArray") -> Measured:
    wells = table["well"].to_numpy(dtype=str)
    lowest = departures(np.asarray(values)[:, None], [name], table["dose"], wells).lowest[name]
    return Measured(
        "B1", f"lowest dose that departs from controls, nM: {name}",
        float("nan") if lowest is None else lowest, REPORTED, note="all wells, FDR 0.05",
    )  # fmt: skip


def _agreement(table: pd.DataFrame, score: FloatArray, seed: int) -> Iterator[Measured]:
    """Correlate score and ratio cell by cell: over all dose cells, and about the mean of each dose."""
    dosed = (table["label"] == "dose").to_numpy()
    both = pd.DataFrame({"score": score[dosed], "ratio": table.loc[dosed, RATIO].to_numpy()})
    within = both - both.groupby(table.loc[dosed, "dose"].to_numpy()).transform("mean")
    wells = table.loc[dosed, "well"].to_numpy()
    yield _correlation("over all dose cells", both, wells, ">= 0.85", seed)
    yield _correlation("about the mean of each dose", within, wells, REPORTED, seed)


def _correlation(what: str, pairs: pd.DataFrame, wells: NDArray[np.str_], target: str, seed: int) -> Measured:
    values, units = pairs.to_numpy(), replication_units(len(pairs), wells)

    def correlation(rows: IntArray) -> float:
        return float(np.corrcoef(values[rows].T)[0, 1])

    drawn = [correlation(rows) for rows in units.resamples(_RESAMPLES, seed)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Measured(
        "B1", f"correlation of the top attribute's score and the ratio, {what}",
        correlation(np.arange(len(pairs))), target, float(low), float(high),
        note=f"{len(units.sizes)} wells resampled",
    )  # fmt: skip
