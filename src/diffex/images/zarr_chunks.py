"""Whether the chunks of a local Zarr array are whole, where the codec itself would not notice."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEADS = ("zarr.json", ".zarray")
_HEADER = struct.Struct("<12xI")  # of a Blosc frame: its length stands at byte 12


def find_cut_chunk(array: Path) -> Path | None:
    """Find a chunk that ends early, in an array compressed with Blosc.

    Blosc decodes a cut frame to random numbers and says nothing; other codecs raise when they decode.

    Parameters
    ----------
    array : Path
        The folder of an array.

    Returns
    -------
    Path or None
        The first such chunk; None where there is none, or another codec is used.
    """
    if not _is_blosc(array):
        return None
    return next((file for file in _chunks(array) if _is_cut(file)), None)


def _is_blosc(array: Path) -> bool:
    head = next(path for name in _HEADS if (path := array / name).is_file())
    about: dict[str, Any] = json.loads(head.read_text(encoding="utf-8"))
    codecs = [str(codec.get("name")) for codec in about.get("codecs", ())]
    codecs += [str((about.get("compressor") or {}).get("id"))]
    return "blosc" in codecs


def _chunks(array: Path) -> Iterator[Path]:
    files = (file for file in sorted(array.rglob("*")) if file.is_file())
    return (file for file in files if not file.name.startswith((".z", "zarr.json")))


def _is_cut(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(_HEADER.size)
    return len(head) < _HEADER.size or _HEADER.unpack(head)[0] > file.stat().st_size
