"""C5, memory: the peak of `diffex attributes` on few images and on many."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.many import repeated
from diffex.evaluation.cost.command import run_attributes
from diffex.evaluation.cost.ground import RULE
from diffex.evaluation.demo import demo_cells
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import in_memory
from diffex.images.store_writing import write_store


def measure_memory(bench: Bench) -> Iterator[Measured]:
    """Run the command on stores of two sizes; everything else is the same.

    N and K are options of the command whatever the set, so they are small here: what is opened, sampled,
    encoded to propose concepts and kept in tables is that of a set of the size.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Ratio of the peaks.
    """
    few, many, images, concepts = bench.size((1000, 20_000, 64, 20), (100, 1000, 24, 10))
    cells = in_memory(demo_cells(RULE, bench.seed, few))
    bench.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bench.out) as folder:
        stage = Path(folder)
        small, large = (
            run_attributes(
                bench, write_store(repeated(cells, count), stage / f"{count}.zarr"), stage / f"run-{count}",
                "race", images, concepts,
            )
            for count in (few, many)
        )  # fmt: skip
    peaks = small.ended.megabytes, large.ended.megabytes
    yield Measured(
        "C5", f"peak memory of attributes, {many:,} over {few:,} images", peaks[1] / peaks[0], "<= 1.1",
        note=f"{peaks[1]:.0f} and {peaks[0]:.0f} MB, {large.imports.megabytes:.0f} with the imports alone; a "
        f"process each, on stored cells ({few:,} differ, the others repeat them); race, N={images}, "
        f"K={concepts}: renders are few, all that depends on the size of the set is there",
    )  # fmt: skip
