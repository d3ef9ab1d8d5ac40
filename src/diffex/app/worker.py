"""The one process that computes: it reads questions, drops stale ones, answers the rest in batches."""

import queue
import signal
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, final

from diffex.app.answers import answer_of
from diffex.app.jobs import Jobs
from diffex.app.painting import png
from diffex.app.questions import EditQuestion
from diffex.app.studio import Studio
from diffex.app.wire import pack, unpack
from diffex.base.devices import resolve_device
from diffex.base.errors import DiffexError

Message = tuple[dict[str, Any], bytes]
_BATCH = 16


def work(run: str, device: str, pipe: Connection) -> None:
    """Be the worker: open the model, say so, answer until the pipe is closed.

    Parameters
    ----------
    run : str
        The run folder.
    device : str
        Where to render.
    pipe : Connection
        To the server.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes the pipe
    line = _Line(pipe)
    try:
        studio = Studio(Path(run), resolve_device(device))
        line.tell({"worker": "ready", "unusual": studio.unusual()})
    except DiffexError as error:
        line.tell({"worker": "failed", "why": str(error)})
        return
    Worker(studio, line.tell, line.answer).serve(line.messages)


@final
class _Line:
    """The pipe, read by a thread of its own so that it never blocks, written by any thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self.messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def tell(self, news: dict[str, Any]) -> None:
        self._send(pack({"news": news}))

    def answer(self, number: int, content: dict[str, Any], payload: bytes = b"") -> None:
        self._send(pack({"answer": number, **content}, payload))

    def _send(self, message: bytes) -> None:
        with self._lock:
            self._pipe.send_bytes(message)

    def _read(self) -> None:
        while True:
            try:
                self.messages.put(unpack(self._pipe.recv_bytes()))
            except (EOFError, OSError):
                self.messages.put(None)
                return


@final
class Worker:
    """Answers questions with a studio.

    Parameters
    ----------
    studio : Studio
        What is computed with.
    tell : callable
        Gets news of jobs.
    answer : callable
        Gets the number of a question, the answer, and bytes.
    """

    def __init__(
        self, studio: Studio, tell: Callable[[dict[str, Any]], None], answer: Callable[..., None]
    ) -> None:
        self._studio, self._answer = studio, answer
        self._jobs = Jobs(studio, tell)

    def serve(self, messages: "queue.SimpleQueue[Message | None]") -> None:
        """Answer until there is nothing more to come.

        Parameters
        ----------
        messages : queue
            Questions with bytes; None ends it.
        """
        while True:
            waiting = [messages.get()]
            while not messages.empty():
                waiting.append(messages.get())
            asked = [message for message in waiting if message is not None]
            self._answer_all(asked)
            if None in waiting:
                return

    def _answer_all(self, asked: list[Message]) -> None:
        edits, thumbs = [], []
        for head, payload in asked:
            match head["do"]:
                case "edit":
                    edits.append((int(head["question"]), EditQuestion.model_validate(head["edit"])))
                case "thumb":
                    thumbs.append((int(head["question"]), str(head["cell"])))
                case "drop":
                    self._guarded([head["question"]], partial(self._drop, head, payload))
                case "job":
                    self._guarded([head["question"]], partial(self._start, head))
                case "cancel":
                    self._guarded([head["question"]], lambda: [self._jobs.cancel()])
        self._edit(edits)
        for start in range(0, len(thumbs), _BATCH):
            self._thumbs(thumbs[start : start + _BATCH])

    def _drop(self, head: dict[str, Any], content: bytes) -> list[dict[str, Any]]:
        return [{"cell": self._studio.drop(head["name"], content), "name": head["name"]}]

    def _start(self, head: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._jobs.start(head["cell"])]

    def _edit(self, edits: list[tuple[int, EditQuestion]]) -> None:
        """Answer the latest question of each page; questions of one depth are rendered in one batch."""
        latest = {question.page: question.number for _, question in sorted(edits, key=lambda e: e[1].number)}
        for full in (False, True):
            batch = []
            for number, question in edits:
                if question.number < latest[question.page]:
                    if not full:
                        self._answer(number, {"stale": True})
                elif question.full == full and self._allowed(number, question):
                    batch.append((number, question))
            for start in range(0, len(batch), _BATCH):
                self._edit_batch(batch[start : start + _BATCH], full=full)

    def _edit_batch(self, batch: list[tuple[int, EditQuestion]], *, full: bool) -> None:
        depth = self._studio.depths["full" if full else "live"]
        questions = [question for _, question in batch]
        self._guarded(
            [number for number, _ in batch],
            lambda: [
                answer_of(self._studio, edited, question)
                for edited, question in zip(self._studio.edit(questions, depth), questions, strict=True)
            ],
        )

    def _thumbs(self, batch: list[tuple[int, str]]) -> None:
        try:
            pictures = self._studio.pictures([cell for _, cell in batch])
        except DiffexError as error:
            for number, _ in batch:
                self._answer(number, {"error": str(error)})
            return
        for (number, _), pixels in zip(batch, pictures, strict=True):
            self._answer(number, {}, png(pixels, self._studio.contrast))

    def _allowed(self, number: int, question: EditQuestion) -> bool:
        """Refuse a question that would spoil the batch it is in."""
        try:
            self._studio.check(question)
        except DiffexError as error:
            self._answer(number, {"error": str(error)})
            return False
        return True

    def _guarded(self, numbers: list[int], compute: Callable[[], list[dict[str, Any]]]) -> None:
        try:
            answers = compute()
        except DiffexError as error:
            answers = [{"error": str(error)}] * len(numbers)
        for number, answer in zip(numbers, answers, strict=True):
            self._answer(number, answer)
