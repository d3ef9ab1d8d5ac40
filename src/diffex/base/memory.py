"""How much memory a process held at most."""

import re
import resource
import sys
from pathlib import Path

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


def peak_memory_mb() -> float:
    """Give the peak resident memory of this process.

    On Linux the kernel's mark is read: ``ru_maxrss`` of a process starts at the memory of whoever started it.

    Returns
    -------
    float
        In MB.

    Examples
    --------
    >>> peak_memory_mb() > 1
    True
    """
    return peak_memory_of("self") or counted_mb(resource.getrusage(resource.RUSAGE_SELF))


def peak_memory_of(pid: int | str) -> float:
    """Give the peak resident memory of a running process, where the kernel tells.

    Parameters
    ----------
    pid : int or str
        Its number, or ``"self"``.

    Returns
    -------
    float
        In MB; 0 where it has ended, or without ``/proc``.
    """
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except OSError:
        return 0.0
    return 0.0 if found is None else int(found[1]) / 1024


def counted_mb(usage: resource.struct_rusage) -> float:
    """Read the peak off what was counted for a process, at its end too.

    Parameters
    ----------
    usage : struct_rusage
        From ``getrusage`` or ``wait4``.

    Returns
    -------
    float
        In MB; on Linux, no less than its parent held.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 2**20
