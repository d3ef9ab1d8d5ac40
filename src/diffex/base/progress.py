"""One way to show that long work goes on: a bar on a terminal, plain log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Watcher = Callable[[str, int, int | None], None]
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
_log = logging.getLogger("diffex")
_LOG_EVERY_S = 15.0


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Iterate while showing progress with the time left.

    Parameters
    ----------
    items : iterable
        What to go through.
    what : str
        A few words, shown before the bar.
    total : int, optional
        How many items, where ``len`` does not tell.

    Yields
    ------
    object
        The items.
    """
    total = total if total is not None else (len(items) if isinstance(items, Sized) else None)
    watcher = _watcher.get()
    if watcher is not None:
        yield from _watched(items, what, total, watcher)
    else:
        yield from _bar(items, what, total) if sys.stderr.isatty() else _lines(items, what, total)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell somebody else of the progress of all work inside, in this thread, in place of the terminal.

    Parameters
    ----------
    watcher : callable
        Gets the words, how many items are done, and how many there are (None if unknown), before each item.
        What it raises stops the work: this is how work is cancelled.

    Yields
    ------
    None
        While it watches.

    Examples
    --------
    >>> with watched(lambda what, done, total: print(what, done, "of", total)):
    ...     for _ in progress("ab", "Spelling"):
    ...         pass
    Spelling 0 of 2
    Spelling 1 of 2
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def _watched(items: Iterable[T], what: str, total: int | None, watcher: Watcher) -> Iterator[T]:
    for done, item in enumerate(items):
        watcher(what, done, total)
        yield item


def _bar(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total=total, console=Console(stderr=True), transient=True)


def _lines(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= _LOG_EVERY_S and done:
            last = now
            _log.info("%s: %s", what, _left(done, total, now - start))
        yield item


def _left(done: int, total: int | None, elapsed_s: float) -> str:
    if not total:
        return f"{done} done"
    return f"{done} of {total}, about {elapsed_s / done * (total - done):.0f} s left"
