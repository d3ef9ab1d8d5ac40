"""C7: how long `diffex fit` takes on real cells until its gates pass."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from diffex.evaluation.bench import Bench
from diffex.evaluation.cost.command import cores
from diffex.evaluation.real_fits import real_model
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import FKHR
from diffex.evaluation.stages import Fitted


def measure_fits(bench: Bench) -> Iterator[Measured]:
    """Fit bbbc013_fkhr with three seeds; the first fit is that of A2 to A6.

    Parameters
    ----------
    bench : Bench
        Data, first seed, size of the run.

    Yields
    ------
    Measured
        Median minutes, and fits whose gates all passed.
    """
    seeds = range(bench.seed, bench.seed + bench.size(3, 1))
    made = [real_model(replace(bench, seed=seed), FKHR) for seed in seeds]
    yield from fit_rows(made, "C7", "<= 20", cores())


def fit_rows(made: list[Fitted], row: str, target: str, where: str) -> Iterator[Measured]:
    """Sum fits up.

    Parameters
    ----------
    made : list of Fitted
        One per seed.
    row : str
        Id.
    target : str
        Of the minutes.
    where : str
        Cores, or the name of the accelerator.

    Yields
    ------
    Measured
        Median minutes, which hold where most fits passed their gates and none was interrupted, and how many
        passed.
    """
    minutes = [one.seconds / 60 for one in made]
    passed = [one.model.passed for one in made]
    each = "; ".join(
        f"{took:.1f} min, {sum(gate.passed for gate in one.model.gates)} of {len(one.model.gates)} gates"
        for took, one in zip(minutes, made, strict=True)
    )
    broken = sum(one.resumed for one in made)
    halted = f"; {broken} interrupted, whose last part alone is counted" if broken else ""
    over = f", median of {len(made)} seeds" if len(made) > 1 else ""
    yield Measured(
        row, f"minutes of fit to passed gates{over}", float(np.median(minutes)), target,
        seconds=sum(one.seconds for one in made), note=f"{where}; by seed: {each}{halted}",
        holds=sum(passed) > len(made) / 2 and not broken,
    )  # fmt: skip
    failed = sorted({gate.words for one in made for gate in one.model.gates if not gate.passed})
    yield Measured(
        row, "fits whose gates all passed", sum(passed), f">= {len(made)}", seconds=0.0,
        note="failed: " + ", ".join(failed) if failed else "",
    )  # fmt: skip
