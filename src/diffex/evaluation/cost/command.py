"""C3: what `diffex attributes` takes, as a user runs it, after imports; and its peak memory."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from diffex.base.files import read_json
from diffex.evaluation.bench import Bench, shipped_folder
from diffex.evaluation.commands import DIFFEX, Ended, run_apart
from diffex.evaluation.cost.against import default_search
from diffex.evaluation.cost.ground import RULE
from diffex.evaluation.demo import TARGET, demo_cells
from diffex.evaluation.rows import Measured
from diffex.explainers.config import Search
from diffex.images.store_writing import write_store

_IMPORTS = "import diffex.cli, diffex.explainers.attributes, diffex.generators.model, diffex.report"


@final
@dataclass(frozen=True)
class Explained:
    """What one ``diffex attributes`` took.

    Parameters
    ----------
    search : {"exact", "race", "gradient"}
        Which edits were rendered.
    ended : Ended
        Time and memory of the whole process.
    imports : Ended
        The same of a process that only imports what the command does.
    cost : dict
        Its ``cost.json``.
    """

    search: Search
    ended: Ended
    imports: Ended
    cost: dict[str, Any]

    @property
    def seconds(self) -> float:
        """Wall time after imports."""
        return self.ended.seconds - self.imports.seconds

    @property
    def name(self) -> str:
        """The search, and whether it is the default."""
        return f"attributes, {self.search}" + (" (default)" if self.search == default_search() else "")

    @property
    def note(self) -> str:
        """Where the time went."""
        return (
            f"{self.ended.seconds:.1f} s in all, {self.imports.seconds:.1f} s of them imports; "
            f"{self.cost['nfe_total']:,} evaluations, {self.cost['classifier_calls']:,} classifications"
        )


def measure_command(bench: Bench) -> Iterator[Measured]:
    """Run the command on a store of planted cells, with everything rendered and with a race.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Seconds after imports and peak memory, per search.
    """
    for done in explained_apart(bench, ("exact", "race")):
        yield Measured(
            "C3", f"{done.name}: seconds after imports", done.seconds, "<= 60", seconds=done.ended.seconds,
            note=f"{size_words(bench)}; {done.note}; {done.ended.cpu - done.imports.cpu:.0f} CPU s after "
            f"imports, {cores()}",
        )  # fmt: skip
        yield Measured(
            "C3", f"{done.name}: peak memory in MB", done.ended.megabytes, "<= 2048", seconds=0.0,
            note=f"of the process; {done.imports.megabytes:.0f} MB with its imports alone",
        )  # fmt: skip


def cores() -> str:
    """Say how many cores this process may use.

    Returns
    -------
    str
        For example ``2 cores``.
    """
    count = len(os.sched_getaffinity(0))
    return f"{count} cores" if count > 1 else "1 core"


def size_words(bench: Bench) -> str:
    """Say how large the command's task is.

    Parameters
    ----------
    bench : Bench
        Full or quick.

    Returns
    -------
    str
        N, K and the size of an image.
    """
    images, concepts, _ = _size(bench)
    return f"N={images}, K={concepts}, 64 px"


def _size(bench: Bench) -> tuple[int, int, int]:
    return bench.size((256, 100, 600), (24, 10, 60))


def explained_apart(bench: Bench, searches: Sequence[Search]) -> Iterator[Explained]:
    """Run the command at the size of C3 and C9, once per search.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.
    searches : sequence of {"exact", "race", "gradient"}
        Which edits are rendered.

    Yields
    ------
    Explained
        What each took.
    """
    images, concepts, cells = _size(bench)
    bench.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bench.out) as folder:
        store = write_store(demo_cells(RULE, bench.seed, cells), Path(folder) / "cells.zarr")
        for search in searches:
            yield run_attributes(bench, store, Path(folder) / search, search, images, concepts)


def run_attributes(
    bench: Bench, store: Path, out: Path, search: Search, images: int, concepts: int
) -> Explained:
    """Run ``diffex attributes`` on planted cells with the shipped model.

    Parameters
    ----------
    bench : Bench
        Seed and device.
    store, out : Path
        Images and run folder.
    search : {"exact", "race", "gradient"}
        Which edits are rendered.
    images, concepts : int
        N and K.

    Returns
    -------
    Explained
        What it took.
    """
    imports = run_apart(["-c", _IMPORTS], out.with_name(f"{out.name}-imports.json"))
    words = [
        *DIFFEX, "attributes", str(store), "--model", str(shipped_folder() / RULE), "--target", TARGET,
        "--out", str(out), "--search", search, "--images", str(images), "--concepts", str(concepts),
        "--seed", str(bench.seed), "--device", bench.device.type, "--force", "--json",
    ]  # fmt: skip
    ended = run_apart(words, out.with_suffix(".json"))
    return Explained(search, ended, imports, read_json(out / "cost.json"))
