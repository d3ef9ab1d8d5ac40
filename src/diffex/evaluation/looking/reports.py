"""L5: how large a report is, how long it takes to make, and whether it scrolls."""

import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from diffex.base.errors import FolderError
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.demo import TARGET, demo_cells, shipped_model
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.stages import demo_run
from diffex.explainers.attributes import explain_attributes
from diffex.explainers.config import AttributeConfig
from diffex.runs import read_run, write_run
from diffex.runs.folder import HEAD

_RULE, _CELLS, _MANY = "linear", 600, 20_000
# From top to bottom, 120 pixels a frame; frames are timed by the browser itself.
_SCROLL = """() => new Promise((done) => {
  const times = [];
  const step = (now) => {
    times.push(now);
    window.scrollBy({ top: 120, behavior: "instant" });
    const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 1;
    if (end) done(Math.max(...times.slice(1).map((time, i) => time - times[i])));
    else requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def measure_reports(bench: Bench) -> Iterator[Measured]:
    """Measure L5 on planted cells: a run with default settings, and the same with 20,000 cells in its table.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run; a quick run shows that of the demo.

    Yields
    ------
    Measured
        Megabytes, seconds of ``diffex report`` from its start, and the longest frame while scrolling.

    Raises
    ------
    FolderError
        If a report cannot be made.
    """
    run = _default_run(bench)
    many = with_many_cells(run, bench.stage("looking-many", [run.name, _MANY]))
    for name, folder in (("a default run", run), ("a run of 20,000 cells", many)):
        yield from measure_report(name, folder, bench.out / f"{folder.name}.html")


def _default_run(bench: Bench) -> Path:
    if bench.quick:
        return demo_run(bench)
    folder = bench.stage("looking", [code_hash(RUN_ROOMS), bench.seed])
    if (folder / HEAD).exists():
        return folder
    model = shipped_model(_RULE, bench.device)
    config = AttributeConfig(target=TARGET, seed=bench.seed, force=not model.passed)
    return write_run(explain_attributes(demo_cells(_RULE, bench.seed, _CELLS), model, config), folder)


def with_many_cells(run: Path, folder: Path) -> Path:
    """Write the same run with its cells repeated under other names, 20,000 in all.

    Parameters
    ----------
    run : Path
        Run folder.
    folder : Path
        Gets the other one, unless it is there.

    Returns
    -------
    Path
        `folder`.
    """
    if (folder / HEAD).exists():
        return folder
    explanation = read_run(run)
    cells = explanation.cells.iloc[np.resize(np.arange(len(explanation.cells)), _MANY)]
    ids = [f"{name}-{i}" for i, name in enumerate(cells["id"])]
    half = _MANY // 2
    summary = {
        **explanation.summary,
        "counts": {**explanation.summary["counts"], "images": _MANY},
        "splits": {"selection": ids[:half], "estimation": ids[half:]},
    }
    return write_run(replace(explanation, summary=summary, cells=cells.assign(id=ids)), folder)


def measure_report(name: str, run: Path, file: Path) -> Iterator[Measured]:
    """Make the report of a run and look at it.

    Parameters
    ----------
    name : str
        Of the run, for the rows.
    run : Path
        Run folder.
    file : Path
        Gets the report.

    Yields
    ------
    Measured
        Megabytes, seconds, and the longest frame while scrolling.

    Raises
    ------
    FolderError
        If the report cannot be made.
    """
    started = time.monotonic()
    _make(run, file)
    seconds = time.monotonic() - started
    yield Measured("L5", f"report of {name}, MB", file.stat().st_size / 1e6, "<= 15")
    yield Measured("L5", f"report of {name}, seconds to make", seconds, "<= 20", note="with Python's start")
    yield _longest_frame(name, file)


def _make(run: Path, file: Path) -> None:
    """Make a report as a user does: this room may not import the one that makes it."""
    command = [sys.executable, "-m", "diffex.cli", "report", str(run), "--out", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        raise FolderError(f"diffex report {run} failed, expected a report: {done.stderr.strip()[-300:]}")


def _longest_frame(name: str, file: Path) -> Measured:
    what = f"report of {name}, longest frame while scrolling, ms"
    browser = shutil.which("chromium")
    if browser is None or importlib.util.find_spec("playwright") is None:
        note = "not measured: it needs Chromium and the Python package playwright"
        return Measured("L5", what, float("nan"), REPORTED, note=note)
    return Measured("L5", what, _scrolled(browser, file), "<= 100", note="headless Chromium, 1200 by 900")


def _scrolled(browser: str, file: Path) -> float:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1200, "height": 900})
        page.goto(file.resolve().as_uri())
        longest = float(page.evaluate(_SCROLL))
        chromium.close()
    return longest
