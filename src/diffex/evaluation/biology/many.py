"""B7: 100,000 cells of a Zarr store scored by the command, killed on the way, and its memory."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from diffex.evaluation.bench import Bench
from diffex.evaluation.commands import DIFFEX, Ended, run_apart
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.stages import demo_run
from diffex.images import Images, PlantedCells, images_from_arrays
from diffex.images.store_writing import write_store


def measure_many(bench: Bench) -> Iterator[Measured]:
    """Measure B7 on planted cells, of which 2,000 differ.

    Parameters
    ----------
    bench : Bench
        Size of the run, seed, device.

    Yields
    ------
    Measured
        Growth of memory from 10,000 to 100,000 cells, difference after a kill, cells per second without
        and with effects.
    """
    many, few, different, gradients = bench.size((100_000, 10_000, 2000, 512), (2304, 256, 256, 16))
    run, cells = demo_run(bench), _cells(different, bench.seed)
    with tempfile.TemporaryDirectory(dir=bench.out) as folder:
        stage = Path(folder)
        small = write_store(repeated(cells, few), stage / "few.zarr")
        first = score_store(small, run, stage / "few", bench)
        large = write_store(repeated(cells, many), stage / "many.zarr")
        killed = score_store(large, run, stage / "many", bench, kill=True)
        second = score_store(large, run, stage / "many", bench)
        tables = [pd.read_parquet(stage / name / "cells.parquet") for name in ("few", "many")]
        some = write_store(repeated(cells, gradients), stage / "some.zarr")
        third = score_store(some, run, stage / "some", bench, "--effects").printed
    kept = second.printed["kept"]
    yield Measured(
        "B7", f"peak memory of the command, {many:,} over {few:,} cells", second.megabytes / first.megabytes,
        "<= 1.1",
        note=f"{second.megabytes:.0f} and {first.megabytes:.0f} MB; {killed.megabytes:.0f} when killed",
    )  # fmt: skip
    yield Measured(
        "B7", "largest difference of a number after a kill, from a scoring that was not", differ(*tables),
        "<= 0.001", note=f"{kept:,} of {many:,} cells were there from the killed try", holds=kept > 0,
    )  # fmt: skip
    yield Measured(
        "B7", "cells/s: scores along attributes, codes and logits, exact",
        (many - kept) / second.printed["seconds"], ">= 200",
        note=f"{len(os.sched_getaffinity(0))} cores; no distilled head: the encoder alone is slower",
    )  # fmt: skip
    lines = ", ".join(f"{one['correlation']:.2f}" for one in third["effects"])
    yield Measured(
        "B7", "cells/s with effects, by exact gradients", gradients / third["seconds"], REPORTED,
        note=f"correlation with full renders, by attribute: {lines}",
    )  # fmt: skip


def repeated(cells: Images, count: int) -> Images:
    """Repeat images under other names.

    Parameters
    ----------
    cells : Images
        A few.
    count : int
        How many are wanted.

    Returns
    -------
    Images
        Of half precision, as a store keeps them.
    """
    many = cells.subset(np.arange(count) % len(cells))
    return replace(many, ids=tuple(f"cell-{k:06d}" for k in range(count)), dtype="float16")


def score_store(store: Path, run: Path, out: Path, bench: Bench, *more: str, kill: bool = False) -> Ended:
    """Score a store as a user does.

    Parameters
    ----------
    store, run, out : Path
        Of the command.
    bench : Bench
        Its device.
    *more : str
        Further options.
    kill : bool
        Whether to kill it once some cells are done.

    Returns
    -------
    Ended
        Memory, and what it printed.

    Raises
    ------
    FolderError
        If the command fails.
    """
    words = [*DIFFEX, "score", str(store), "--run", str(run), "--out", str(out), "--json"]

    def some_done() -> bool:
        return kill and bool(list(out.glob(".parts/*.npy")))

    log = out.with_suffix(".json")
    return run_apart([*words, "--device", bench.device.type, *more], log, some_done)


def differ(one: pd.DataFrame, two: pd.DataFrame) -> float:
    """Compare the numbers of two tables of cells whose pixels repeat.

    Parameters
    ----------
    one, two : DataFrame
        The shorter first; the rows of each are the same cells again and again.

    Returns
    -------
    float
        Largest difference of the first rows, and of the last ones.
    """
    numbers = [column for column in one.columns if column.startswith(("logit_", "code_", "score_"))]
    a, b = one[numbers].to_numpy(), two[numbers].to_numpy()
    tail = b[-(len(b) % len(a)) or -len(a) :]
    return float(max(np.abs(b[: len(a)] - a).max(), np.abs(tail - a[: len(tail)]).max()))


def _cells(count: int, seed: int) -> Images:
    drawn = PlantedCells().images(count, seed)
    pixels = drawn.read().half().float().numpy()
    return images_from_arrays(pixels, channel_names=drawn.channel_names, pixel_size_um=drawn.pixel_size_um)
