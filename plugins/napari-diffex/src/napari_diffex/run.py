"""A run folder, read by its files alone: head, effects, cells and example pictures, each checked."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from napari_diffex.concepts import Concept, best_concepts
from napari_diffex.errors import RunError
from napari_diffex.tables import read_rows

SCHEMA = 1
HEAD = "explanation.json"
EFFECTS = "effects.parquet"
CELLS = "cells.parquet"
EXAMPLES = "examples/examples.npz"
_ARRAYS = ("ids", "concepts", "strengths", "original", "null", "edits")

Pixels = NDArray[np.float32]


@final
@dataclass(frozen=True, eq=False)
class Run:
    """What napari shows of a run.

    Parameters
    ----------
    folder : Path
        Where it is.
    summary : dict
        Its head.
    concepts : tuple of Concept
        The best row of each, significant ones first, then by rank.
    cells : tuple of str
        Ids of all cells, in the run's order.
    shown : tuple of str
        Ids of the cells that have pictures.
    edited : tuple of str
        Ids of the concepts that have pictures.
    strengths : ndarray, shape (s,)
        Of the edits, along the concept's sign; negative ones go the other way.
    original, null : ndarray, shape (n, c, h, w)
        Grey values.
    edits : ndarray, shape (k, s, n, c, h, w)
        Grey values.
    """

    folder: Path
    summary: dict[str, Any]
    concepts: tuple[Concept, ...]
    cells: tuple[str, ...]
    shown: tuple[str, ...]
    edited: tuple[str, ...]
    strengths: NDArray[np.float64]
    original: Pixels
    null: Pixels
    edits: Pixels

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(self.summary["images"]["channel_names"])

    @property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest value a pixel may have."""
        low, high = self.summary["images"]["value_range"]
        return float(low), float(high)

    @property
    def pixel_size(self) -> float | None:
        """Side of a pixel in micrometres, where it is known."""
        return self.summary["images"]["pixel_size_um"]

    @property
    def identity(self) -> dict[str, str]:
        """What tells this run from any other."""
        parts = {key: str(self.summary[key]) for key in ("method", "target", "created")}
        return {**parts, "model": str(self.summary["model"]["state_hash"])}


def looks_like_run(folder: Path) -> bool:
    """Tell whether a folder is a run, whole or not.

    Parameters
    ----------
    folder : Path
        Any folder.

    Returns
    -------
    bool
        True where it has at least one of the files that only a run has.
    """
    return any((folder / name).is_file() for name in (HEAD, EFFECTS, EXAMPLES))


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Parameters
    ----------
    folder : Path
        The ``--out`` folder of a diffex command that ended.

    Returns
    -------
    Run
        Checked.

    Raises
    ------
    RunError
        If it is no run, of another schema, still being written, or damaged; the message names the file.
    """
    if not looks_like_run(folder):
        raise RunError(f"{folder} is no diffex run, expected the --out folder of a diffex command.")
    summary = _read_head(folder / HEAD)
    examples = _read_examples(folder / EXAMPLES)
    _check_channels(examples, summary, folder / EXAMPLES)
    return Run(
        folder=folder,
        summary=summary,
        concepts=best_concepts(folder / EFFECTS),
        cells=tuple(str(row["id"]) for row in read_rows(folder / CELLS, text=("id",))),
        shown=tuple(map(str, examples["ids"])),
        edited=tuple(map(str, examples["concepts"])),
        strengths=examples["strengths"].astype(np.float64),
        original=examples["original"].astype(np.float32),
        null=examples["null"].astype(np.float32),
        edits=examples["edits"].astype(np.float32),
    )


def _read_head(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RunError(f"{path} is missing: the run is still being written, or was interrupted.")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged (not JSON): make the run again.") from error
    if not isinstance(summary, dict) or "schema" not in summary:
        raise RunError(f"{path} is damaged (it has no schema version): make the run again.")
    if summary["schema"] != SCHEMA:
        raise RunError(
            f"{path} is of schema {summary['schema']!r}, expected {SCHEMA}: "
            "install the napari-diffex of the diffex that wrote it, or make the run again."
        )
    missing = _first_missing(summary)
    if missing:
        raise RunError(f"{path} is damaged at {missing}: make the run again.")
    return summary


def _first_missing(summary: dict[str, Any]) -> str | None:
    """Name the first part that is missing or of another type."""
    model, images = summary.get("model"), summary.get("images")
    is_named = {key: isinstance(summary.get(key), str) for key in ("method", "target", "created")}
    checks = {
        **is_named,
        "model": isinstance(model, dict) and isinstance(model.get("state_hash"), str),
        "images": isinstance(images, dict) and _is_image_part(images),
    }
    return next((name for name, holds in checks.items() if not holds), None)


def _is_image_part(images: dict[str, Any]) -> bool:
    names, value_range, size = (
        images.get(key, False) for key in ("channel_names", "value_range", "pixel_size_um")
    )
    return (
        isinstance(names, list)
        and bool(names)
        and all(isinstance(name, str) for name in names)
        and isinstance(value_range, list)
        and len(value_range) == 2
        and all(_is_number(value) for value in value_range)
        and (size is None or (_is_number(size) and size > 0))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _read_examples(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise RunError(f"{path} is missing: the folder is incomplete; make the run again.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in _ARRAYS if key in archive.files}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, KeyError, AttributeError) as error:
        raise RunError(f"{path} is damaged (not plain arrays): make the run again.") from error
    missing = [key for key in _ARRAYS if key not in arrays]
    if missing:
        raise RunError(f"{path} lacks {', '.join(missing)}, expected an array of each: make the run again.")
    _check_arrays(arrays, path)
    return arrays


def _check_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    n, k, s = (len(np.atleast_1d(arrays[key])) for key in ("ids", "concepts", "strengths"))
    picture = (*arrays["original"].shape, 0, 0, 0, 0)[1:4]
    expected = {
        "ids": (n,),
        "concepts": (k,),
        "strengths": (s,),
        "original": (n, *picture),
        "null": (n, *picture),
        "edits": (k, s, n, *picture),
    }
    for key, shape in expected.items():
        if arrays[key].shape != shape:
            raise RunError(
                f"{path} holds shape {arrays[key].shape} in {key}, expected {shape}: make the run again."
            )
    for key in ("strengths", "original", "null", "edits"):
        if arrays[key].dtype.kind not in "fiu" or not np.isfinite(arrays[key]).all():
            raise RunError(f"{path} holds no finite numbers in {key}: make the run again.")


def _check_channels(arrays: Mapping[str, NDArray[Any]], summary: dict[str, Any], path: Path) -> None:
    found, expected = arrays["original"].shape[1], len(summary["images"]["channel_names"])
    if found != expected:
        raise RunError(
            f"{path} holds pictures of {found} channels, expected the {expected} that {HEAD} names: "
            "make the run again."
        )
