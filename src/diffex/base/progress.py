"""One way to show that long work goes on: a bar on a terminal, plain log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")
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
    yield from _bar(items, what, total) if sys.stderr.isatty() else _lines(items, what, total)


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
