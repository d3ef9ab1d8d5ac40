"""L3 and L4: how soon the app answers one page and ten, and whether its memory stays flat."""

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit

import numpy as np
import torch

from diffex.base.errors import FolderError
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import Measured
from diffex.evaluation.stages import demo_run

_PAGES = 10
_CLIENTS = "plain HTTP clients that ask again as soon as they are answered, not browsers"


def measure_edits(bench: Bench) -> Iterator[Measured]:
    """Measure L3 on the run of the demo.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        The median.
    """
    yield edit_row(demo_run(bench), bench)


def measure_crowd(bench: Bench) -> Iterator[Measured]:
    """Measure L4 on the run of the demo.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Errors, median answer, memory.
    """
    yield from crowd_rows(demo_run(bench), bench)


def edit_row(run: Path, bench: Bench) -> Measured:
    """Measure how long one page waits from a moved slider to the answer, after the first edit of a cell.

    Parameters
    ----------
    run : Path
        A run folder.
    bench : Bench
        Size of the run.

    Returns
    -------
    Measured
        The median.
    """
    with _app(run, bench) as server:
        visit = Visit(server, 0)
        for _ in range(1 + bench.size(100, 15)):
            visit.move()
    waited = 1000 * np.array(visit.seconds[1:] or [np.nan])
    first = 1000 * next(iter(visit.seconds), float("nan"))
    return Measured(
        "L3", "one edit at 64 px after the first, median ms", float(np.median(waited)), "<= 300",
        note=f"{len(waited)} edits, 90 % within {np.quantile(waited, 0.9):.0f} ms, "
        f"the first took {first:.0f} ms; preview in 2 steps, picture, logits and measurements; "
        f"{torch.get_num_threads()} threads",
        holds=not visit.errors,
    )  # fmt: skip


def crowd_rows(run: Path, bench: Bench) -> Iterator[Measured]:
    """Measure ten pages that move sliders for a minute.

    Parameters
    ----------
    run : Path
        A run folder.
    bench : Bench
        Size of the run; a quick one takes ten seconds.

    Yields
    ------
    Measured
        Errors, median answer, and memory at the end over that after a quarter of the time.
    """
    duration = bench.size(60.0, 10.0)
    with _app(run, bench) as server:
        visits = [Visit(server, k) for k in range(_PAGES)]
        visits[0].move()  # the worker has opened the model
        early, late = _crowd(visits, server, duration)
    errors = [error for visit in visits for error in visit.errors]
    waited = [one for visit in visits for one in visit.seconds]
    yield Measured(
        "L4", f"{_PAGES} pages, errors", len(errors), "<= 0",
        note=f"{len(waited)} answers in {duration:g} s; {_CLIENTS}; first error: {(errors or ['none'])[0]}",
    )  # fmt: skip
    yield Measured(
        "L4", f"{_PAGES} pages, median answer, s", float(np.median(waited or [np.nan])), "<= 1",
        note=f"{_CLIENTS}; {torch.get_num_threads()} threads",
    )  # fmt: skip
    yield Measured(
        "L4", f"{_PAGES} pages, memory at the end over that after a quarter", late / early, "<= 1.05",
        note=f"{early:.0f} to {late:.0f} MB, server and worker; read from /proc, so on Linux only",
    )  # fmt: skip


def _crowd(visits: list["Visit"], server: "Server", duration: float) -> tuple[float, float]:
    """Move all sliders at once; memory after a quarter of the time and at the end."""
    threads = [threading.Thread(target=_keep_moving, args=(visit, duration)) for visit in visits]
    for thread in threads:
        thread.start()
    time.sleep(duration / 4)
    early = server.memory_mb()
    for thread in threads:
        thread.join()
    return early, server.memory_mb()


@final
@dataclass(frozen=True)
class Server:
    """A running ``diffex app``.

    Parameters
    ----------
    host : str
        With its port.
    cookie : str
        With the token.
    page : str
        The page of live edits.
    process : int
        Process id.
    """

    host: str
    cookie: str
    page: str
    process: int

    @property
    def sliders(self) -> int:
        """How many sliders the page has."""
        return self.page.count('type="range"')

    @property
    def cells(self) -> list[str]:
        """Names of the run's example cells on the page."""
        return re.findall(r'class="thumb" data-cell="(run-\d+)"', self.page)

    def memory_mb(self) -> float:
        """Resident memory of the server and its worker; NaN where /proc is not there."""
        with suppress(OSError, ValueError):
            children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
            return sum(_resident_mb(one) for one in [str(self.process), *children])
        return float("nan")


@final
@dataclass(eq=False)
class Visit:
    """One page, with one question in flight.

    Parameters
    ----------
    server : Server
        Asked.
    number : int
        Which page.
    seconds : list of float
        What each answer took.
    errors : list of str
        What was no answer.
    """

    server: Server
    number: int
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Connect."""
        self._connection = http.client.HTTPConnection(self.server.host, timeout=120)
        self._random = np.random.default_rng(self.number)

    def move(self) -> None:
        """Move all sliders and wait for the answer."""
        cells = self.server.cells
        question = {
            "page": f"page-{self.number}",
            "number": len(self.seconds) + len(self.errors),
            "cell": cells[self.number % len(cells)],
            "strengths": self._random.uniform(-1, 1, self.server.sliders).tolist(),
        }
        started = time.monotonic()
        try:
            answer = self._ask(question)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            return
        if "pictures" in answer:
            self.seconds.append(time.monotonic() - started)
        else:
            self.errors.append(str(answer))

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        headers = {
            "cookie": self.server.cookie,
            "origin": f"http://{self.server.host}",
            "content-type": "application/json",
        }
        self._connection.request("POST", "/edit", json.dumps(question), headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer


def _keep_moving(visit: Visit, duration: float) -> None:
    end = time.monotonic() + duration
    while time.monotonic() < end:
        visit.move()


@contextmanager
def _app(run: Path, bench: Bench) -> Iterator[Server]:
    """Start the app as a user does: this room may not import it."""
    command = [sys.executable, "-m", "diffex.cli", "app", str(run), "--no-browser", "--json"]
    log = bench.out / "app.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--device", bench.device.type], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            printed = "".join(_until_brace(process.stdout))
            yield _enter(printed, process.pid, log)
        finally:
            process.terminate()


def _until_brace(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line.startswith("}"):
            return


def _enter(printed: str, process: int, log: Path) -> Server:
    found = re.search(r"http://[^\"]+", printed)
    if found is None:
        raise FolderError(f"diffex app did not start, expected its address: {log.read_text()[-300:]}")
    address = urlsplit(found[0])
    connection = http.client.HTTPConnection(address.netloc, timeout=120)
    connection.request("GET", f"/?{address.query}")
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.headers["set-cookie"] or "").split(";")[0]
    connection.request("GET", "/", headers={"cookie": cookie})
    return Server(address.netloc, cookie, connection.getresponse().read().decode(), process)


def _resident_mb(process: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return float(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
