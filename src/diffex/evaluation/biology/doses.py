"""B1, measured part: how the nucleus/ring ratio itself answers to wortmannin."""

from collections.abc import Iterator

from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.cells import RATIO, fkhr_table
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import FKHR
from diffex.responses.departure import departures
from diffex.responses.dose_curve import dose_curve
from diffex.responses.trend import dose_trend

_TOP_DOSE = 31.25
_ROWS = "ABC"


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
    table = fkhr_table(bench.real(FKHR))
    dosed = table[table["label"] == "dose"]
    series = dosed[(dosed["dose"] <= _TOP_DOSE) & dosed["well"].str[0].isin(list(_ROWS))]
    wells = series["well"].to_numpy(dtype=str)
    trend = dose_trend(series[RATIO], series["dose"], wells, seed=bench.seed)
    yield Measured(
        "B1", "Spearman of the ratio's well medians with dose, 0.98 to 31.25 nM, rows A to C",
        trend.correlation, REPORTED, note=f"{trend.n} wells, p {trend.p:.2g}",
    )  # fmt: skip
    curve = dose_curve(series[RATIO], series["dose"], wells, seed=bench.seed)
    yield Measured(
        "B1", "EC50 of the ratio on the same wells, nM", curve.hill.ec50, REPORTED, curve.hill.low,
        curve.hill.high, note=curve.hill.words,
    )  # fmt: skip
    both = table[table["label"].isin(["negative", "dose"])]
    found = departures(both[[RATIO]], ["ratio"], both["dose"], both["well"].to_numpy(dtype=str))
    lowest = found.lowest["ratio"]
    yield Measured(
        "B1", "lowest dose at which the ratio departs from controls, nM",
        float("nan") if lowest is None else lowest, REPORTED, note="all wells, FDR 0.05",
    )  # fmt: skip
