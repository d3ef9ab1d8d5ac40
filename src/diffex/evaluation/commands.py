"""Commands run in a process of their own, as a user runs them: time, memory, what they print."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from diffex.base.errors import FolderError
from diffex.base.memory import counted_mb, peak_memory_of

DIFFEX = ("-m", "diffex.cli")
"""Python's arguments for ``diffex``: this room may not import the one that takes commands."""

_POLL_S = 0.05


@final
@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Parameters
    ----------
    megabytes : float
        Its peak memory.
    seconds, cpu : float
        Wall time and CPU time, from its start to its end.
    printed : dict
        What ``--json`` printed; empty where it printed nothing or was killed.
    """

    megabytes: float
    seconds: float
    cpu: float
    printed: dict[str, Any]


def run_apart(words: Sequence[str], log: Path, until: Callable[[], bool] | None = None) -> Ended:
    """Run this Python with some arguments.

    Parameters
    ----------
    words : sequence of str
        Arguments of Python, for example ``[*DIFFEX, "doctor", "cells", "--json"]``.
    log : Path
        Gets what the command prints; what it says on the way goes beside it, to ``.log``.
    until : callable, optional
        Asked again and again; the command is killed, without a word, once it says True.

    Returns
    -------
    Ended
        Time, memory, and what it printed.

    Raises
    ------
    FolderError
        If the command fails by itself.
    """
    started, errors = time.monotonic(), log.with_suffix(".log")
    with log.open("w") as out, errors.open("w") as said:
        process = subprocess.Popen([sys.executable, *words], stdout=out, stderr=said)  # noqa: S603 - ours
        try:
            peak, killed, usage = _watched(process, until)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
    if process.returncode and not killed:
        told = errors.read_text(encoding="utf-8").strip()[-300:]
        raise FolderError(f"{' '.join(words[:6])} failed, expected a result: {told}")
    printed = "" if killed else log.read_text(encoding="utf-8").strip()
    cpu = usage.ru_utime + usage.ru_stime
    return Ended(peak, time.monotonic() - started, cpu, json.loads(printed or "{}"))


def _watched(
    process: "subprocess.Popen[bytes]", until: Callable[[], bool] | None
) -> tuple[float, bool, resource.struct_rusage]:
    """Wait for the end; peak memory, whether it was killed, and what the kernel counted."""
    peak, killed = 0.0, False
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return peak or counted_mb(usage), killed, usage
        peak = max(peak, peak_memory_of(process.pid))
        if until is not None and not killed and until():
            process.kill()
            killed = True
        time.sleep(_POLL_S)
