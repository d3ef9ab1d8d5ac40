"""Numbers of many cells, kept block by block, so that an interrupted scoring goes on where it was."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffex.base.files import atomic_path
from diffex.base.progress import progress

BLOCK = 2048
"""Cells in a part."""

_FOLDER = ".parts"


def fill_parts(out: Path, cells: int, read: Callable[[NDArray[np.int64]], NDArray[np.float32]]) -> int:
    """Compute the parts that are not there yet.

    Parameters
    ----------
    out : Path
        Folder of the result, claimed for this request.
    cells : int
        How many there are.
    read : callable
        From the positions of cells to their numbers, ``(b, m)``.

    Returns
    -------
    int
        Cells that an earlier try had done.
    """
    starts = range(0, cells, BLOCK)
    missing = [start for start in starts if not _file(out, start).is_file()]
    for start in progress(missing, "Scoring blocks of cells"):
        numbers = read(np.arange(start, min(start + BLOCK, cells)))
        with atomic_path(_file(out, start)) as temporary, temporary.open("wb") as stream:
            np.save(stream, numbers, allow_pickle=False)
    return cells - sum(min(BLOCK, cells - start) for start in missing)


def read_parts(out: Path, cells: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Read the parts in order, one at a time.

    Parameters
    ----------
    out : Path
        As for `fill_parts`.
    cells : int
        Likewise.

    Yields
    ------
    (slice, ndarray)
        Positions of the cells, and their numbers.
    """
    for start in range(0, cells, BLOCK):
        yield slice(start, min(start + BLOCK, cells)), np.load(_file(out, start), allow_pickle=False)


def drop_parts(out: Path) -> None:
    """Remove the parts, once the result is whole.

    Parameters
    ----------
    out : Path
        As for `fill_parts`.
    """
    shutil.rmtree(out / _FOLDER, ignore_errors=True)


def _file(out: Path, start: int) -> Path:
    return out / _FOLDER / f"{start:09d}.npy"
