"""The server's side of the worker: asks it, hears its news, and starts it again when it has died."""

import asyncio
import itertools
import multiprocessing
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, final

from diffex.app.lru import Recent
from diffex.app.questions import EditQuestion
from diffex.app.wire import pack, unpack
from diffex.base.errors import DiffexError

_TRIES = 3
_PAGES = 256
_NEWS = 256


class WorkerError(DiffexError):
    """The worker ended before it answered, or cannot be started."""


@final
class Desk:
    """One worker process, asked from one event loop.

    Parameters
    ----------
    run : Path
        The run folder.
    device : str
        Where the worker renders.
    """

    def __init__(self, run: Path, device: str) -> None:
        self._arguments = (str(run), device)
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._sending = threading.Lock()
        self._numbers = itertools.count()
        self._open: dict[int, asyncio.Future[tuple[dict[str, Any], bytes]]] = {}
        self._latest: Recent[str, int] = Recent(_PAGES)
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._failures = 0
        self._closing = False
        self.news: dict[str, Any] = {"worker": "starting"}
        self.unusual: list[float] | None = None

    def start(self) -> None:
        """Start the worker; call it inside the event loop."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(*self._arguments, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._publish({"worker": "starting"})
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop, self._pipe, self._process), daemon=True).start()

    def stop(self) -> None:
        """Close the pipe, which ends the worker; kill it if it does not listen."""
        self._closing = True
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)

    @property
    def worker_id(self) -> int | None:
        """Process id of the worker."""
        return None if self._process is None else self._process.pid

    async def edit(self, question: EditQuestion) -> dict[str, Any]:
        """Ask for an edit; the latest question of a page wins.

        Parameters
        ----------
        question : EditQuestion
            Checked already.

        Returns
        -------
        dict
            The answer, or ``{"stale": True}`` where a later question of the same page came before it.

        Raises
        ------
        WorkerError
            If the worker died, or cannot be started.
        """
        if question.number < self._latest.get(question.page, lambda: question.number):
            return {"stale": True}
        self._latest.put(question.page, question.number)
        answer, _ = await self.ask({"do": "edit", "edit": question.model_dump()})
        return answer

    async def ask(self, head: dict[str, Any], payload: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Ask the worker.

        Parameters
        ----------
        head : dict
            ``do`` and what belongs to it.
        payload : bytes, optional
            Of an image.

        Returns
        -------
        (dict, bytes)
            Its answer.

        Raises
        ------
        WorkerError
            If it died, or cannot be started.
        """
        if self.news["worker"] == "failed":
            raise WorkerError(self.news["why"])
        number = next(self._numbers)
        future: asyncio.Future[tuple[dict[str, Any], bytes]] = asyncio.get_running_loop().create_future()
        self._open[number] = future
        try:
            await asyncio.to_thread(self._send, pack(head | {"question": number}, payload))
            return await future
        finally:
            self._open.pop(number, None)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["asyncio.Queue[dict[str, Any]]"]:
        """Hear the news of worker and job.

        Yields
        ------
        asyncio.Queue of dict
            Begins with the worker's state.
        """
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_NEWS)
        news.put_nowait(self.news)
        self._listeners.add(news)
        try:
            yield news
        finally:
            self._listeners.discard(news)

    def _send(self, message: bytes) -> None:
        assert self._pipe is not None
        try:
            with self._sending:
                self._pipe.send_bytes(message)
        except OSError:  # it has just died: the listening thread finds out and answers all that is open
            return

    def _listen(self, loop: asyncio.AbstractEventLoop, pipe: Connection, process: BaseProcess) -> None:
        try:
            while True:
                head, payload = unpack(pipe.recv_bytes())
                loop.call_soon_threadsafe(self._hear, head, payload)
        except (EOFError, OSError, RuntimeError):  # RuntimeError: the loop is closed
            process.join()
        if not self._closing:
            loop.call_soon_threadsafe(self._ended, process)

    def _hear(self, head: dict[str, Any], payload: bytes) -> None:
        if "answer" in head:
            future = self._open.get(head.pop("answer"))
            if future is not None and not future.done():
                future.set_result((head, payload))
            return
        news = head["news"]
        if news.get("worker") == "ready":
            self._failures, self.unusual = 0, news.pop("unusual")
        self._publish(news)

    def _ended(self, process: BaseProcess) -> None:
        """Tell whoever waits, and start the worker again unless that is hopeless."""
        if process is not self._process or self._closing:
            return
        if self.news["worker"] == "failed":
            self._fail_open(str(self.news["why"]))
            return
        why = f"The worker ended ({_cause(process.exitcode)}) and is started again."
        self._publish({"worker": "ended", "why": why})
        self._fail_open(f"{why} Try once more.")
        self._failures += 1
        if self._failures >= _TRIES:
            told = f"The worker ended {_TRIES} times before it was ready ({_cause(process.exitcode)})."
            self._publish({"worker": "failed", "why": f"{told} Start the app again."})
        else:
            self.start()

    def _fail_open(self, why: str) -> None:
        for future in self._open.values():
            if not future.done():
                future.set_exception(WorkerError(why))

    def _publish(self, news: dict[str, Any]) -> None:
        if "worker" in news:
            self.news = news
        for listener in self._listeners:
            if listener.full():  # a page that does not listen loses the oldest
                listener.get_nowait()
            listener.put_nowait(news)


def _work(run: str, device: str, pipe: Connection) -> None:
    from diffex.app.worker import work  # the server's own process loads nothing that computes

    work(run, device, pipe)


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by signal {signal.Signals(-code).name}, perhaps for lack of memory"
    return f"exit code {code}"
