"""The example pictures of a run: plain arrays in one file, never pickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import FolderError
from diffex.runs.arrays import read_arrays

Arrays = Mapping[str, NDArray[Any]]
ANSWERED = "answered"
"""What each pixel of the strongest edit that looks real adds to the change of the margin, in logits."""

_KEYS = ("ids", "concepts", "strengths", "original", "null", "edits")


def check_examples(examples: Arrays, path: Path) -> None:
    """Refuse arrays that are missing, pickled, or do not fit each other.

    Parameters
    ----------
    examples : mapping of str to ndarray
        ``ids`` (n), ``concepts`` (k), ``strengths`` (s), ``original`` and ``null`` (n, c, h, w), ``edits``
        (k, s, n, c, h, w), and, of classifiers with gradients, ``answered`` (k, n, c, h, w).
    path : Path
        Named in the message.

    Raises
    ------
    FolderError
        If an array is missing, holds objects, or has another shape.
    """
    missing = [key for key in _KEYS if key not in examples]
    if missing:
        raise FolderError(
            f"{path} lacks {', '.join(missing)}, expected an array of each: make the run again."
        )
    objects = [key for key, array in examples.items() if np.asarray(array).dtype == object]
    if objects:
        raise FolderError(f"{path} holds Python objects in {objects[0]}, expected plain arrays.")
    expected = _shapes(examples)
    wrong = [key for key, shape in expected.items() if key in examples and examples[key].shape != shape]
    if wrong:
        raise FolderError(
            f"{path} holds shape {examples[wrong[0]].shape} in {wrong[0]}, expected {expected[wrong[0]]}: "
            "make the run again."
        )


def _shapes(examples: Arrays) -> dict[str, tuple[int, ...]]:
    n, k, s = (len(np.atleast_1d(examples[key])) for key in ("ids", "concepts", "strengths"))
    picture = (*examples["original"].shape, 0, 0, 0, 0)[1:4]
    return {
        "ids": (n,),
        "concepts": (k,),
        "strengths": (s,),
        "original": (n, *picture),
        "null": (n, *picture),
        "edits": (k, s, n, *picture),
        ANSWERED: (k, n, *picture),
    }


def write_examples(path: Path, examples: Arrays) -> None:
    """Write the arrays, compressed.

    Parameters
    ----------
    path : Path
        The file; not atomic, `write_run` stages it.
    examples : mapping of str to ndarray
        As `check_examples` wants them.
    """
    arrays: dict[str, Any] = {key: np.asarray(array) for key, array in examples.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_examples(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays and check them.

    Parameters
    ----------
    path : Path
        An npz file.

    Returns
    -------
    dict of str to ndarray
        The arrays.

    Raises
    ------
    FolderError
        If it is missing, damaged or pickled, or the arrays do not fit each other.
    """
    examples = read_arrays(path)
    check_examples(examples, path)
    return examples
