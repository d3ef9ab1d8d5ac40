"""Why single images are not of a class: asked after the run, and kept beside it, a file per image."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from diffex.base.errors import FolderError
from diffex.base.files import atomic_path, plain
from diffex.runs.arrays import read_arrays
from diffex.runs.summary import Part

COUNTERFACTUALS = "counterfactuals"
MOST_KEPT = 12
"""A run keeps the newest of this many images."""

_PICTURES = ("original", "null", "moved")
Pixels = NDArray[np.floating]


class Share(Part):
    """How far a change goes along one attribute, and which share of its squared length that is."""

    concept: str
    words: str
    amount: float
    share: float


class Logits(Part):
    """Logits of the classes, in their order."""

    original: list[float]
    null: list[float]
    counterfactual: list[float]


class Told(Part):
    """What is said of one counterfactual.

    `rest` is the share of the change that is along none of the run's attributes; `distance` is in standard
    deviations of the codes; `changes` are the largest measured ones, in words.
    """

    id: str
    target: str
    class_names: list[str] = Field(min_length=2)
    flipped: bool
    distance: float
    logits: Logits
    shares: list[Share]
    rest: float
    changes: str


@final
@dataclass(frozen=True, eq=False)
class Counterfactual:
    """The smallest change found for one image.

    Parameters
    ----------
    told : Told
        What is said of it.
    original, null, moved : ndarray, shape (c, h, w)
        The image, its null edit, and the counterfactual, in grey values.
    """

    told: Told
    original: Pixels
    null: Pixels
    moved: Pixels


def keep_counterfactuals(run: Path, found: Sequence[Counterfactual]) -> int:
    """Keep counterfactuals in the run; nothing else in it changes.

    Parameters
    ----------
    run : Path
        Run folder.
    found : sequence of Counterfactual
        The first `MOST_KEPT` are kept. One of the same pixels replaces the earlier one, and the oldest others
        go where there are too many.

    Returns
    -------
    int
        How many of those found are kept.

    Raises
    ------
    FolderError
        If they cannot be written.
    """
    folder, kept = run / COUNTERFACTUALS, found[:MOST_KEPT]
    written = {_write(folder, one) for one in kept}
    others = sorted(set(folder.glob("*.npz")) - written, key=lambda path: path.stat().st_mtime_ns)
    for path in others[: max(0, len(others) + len(written) - MOST_KEPT)]:
        path.unlink(missing_ok=True)
    return len(kept)


def _write(folder: Path, found: Counterfactual) -> Path:
    pixels = np.ascontiguousarray(found.original, dtype=np.float32)
    path = folder / f"{hashlib.sha256(pixels.tobytes()).hexdigest()[:16]}.npz"
    told = json.dumps(plain(found.told.model_dump()), ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            told=np.array(told),
            original=pixels,
            null=np.asarray(found.null, dtype=np.float32),
            moved=np.asarray(found.moved, dtype=np.float32),
        )
    return path


def kept_counterfactuals(run: Path) -> tuple[str, ...]:
    """List what a run keeps.

    Parameters
    ----------
    run : Path
        Run folder.

    Returns
    -------
    tuple of str
        Names of at most `MOST_KEPT` files in the run, in the order of their names.
    """
    return tuple(f"{COUNTERFACTUALS}/{path.name}" for path in sorted((run / COUNTERFACTUALS).glob("*.npz")))[
        :MOST_KEPT
    ]


def drop_counterfactuals(run: Path) -> None:
    """Remove what a run keeps, and the folder if nothing else is in it.

    Parameters
    ----------
    run : Path
        Run folder.
    """
    folder = run / COUNTERFACTUALS
    for path in folder.glob("*.npz"):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def read_counterfactual(path: Path, channels: int) -> Counterfactual:
    """Read one counterfactual and check it.

    Parameters
    ----------
    path : Path
        Written by `keep_counterfactuals`.
    channels : int
        Of the run's images.

    Returns
    -------
    Counterfactual
        As kept.

    Raises
    ------
    FolderError
        If it is missing, damaged, pickled, or does not fit the run.
    """
    arrays = read_arrays(path)
    missing = [key for key in ("told", *_PICTURES) if key not in arrays]
    if missing:
        raise FolderError(f"{path} is damaged (it lacks {missing[0]}): run diffex counterfactual again.")
    shape = arrays["original"].shape
    alike = all(arrays[key].shape == shape and np.isfinite(arrays[key]).all() for key in _PICTURES)
    if len(shape) != 3 or shape[0] != channels or not shape[1] * shape[2] or not alike:
        raise FolderError(
            f"{path} is damaged (its pictures do not fit each other or the run): "
            "run diffex counterfactual again."
        )
    return Counterfactual(_told(arrays["told"], path), *(arrays[key] for key in _PICTURES))


def _told(text: NDArray[Any], path: Path) -> Told:
    try:
        told = Told.model_validate_json(str(text))
    except ValidationError as error:
        raise FolderError(f"{path} is damaged (what it tells): run diffex counterfactual again.") from error
    counts = {len(told.class_names)} | {len(row) for _, row in told.logits if isinstance(row, list)}
    if len(counts) > 1:
        raise FolderError(f"{path} is damaged (logits of other classes): run diffex counterfactual again.")
    return told
