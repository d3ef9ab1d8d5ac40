"""Whether the chunks of a local Zarr array are whole, where the codec itself would not notice."""

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEADS = ("zarr.json", ".zarray")
_EMPTY = 2**64 - 1
_HEADER = struct.Struct("<12xI")  # of a Blosc frame: its length stands at byte 12


def find_cut_chunk(array: Path) -> Path | None:
    """Find a chunk that ends early, in an array compressed with Blosc or with shards whose index comes first.

    Blosc decodes a cut frame to random numbers and says nothing; other codecs raise when they decode. A shard
    with its index at the end loses the index when cut, which Zarr notices.

    Parameters
    ----------
    array : Path
        The folder of an array.

    Returns
    -------
    Path or None
        The first such chunk; None where there is none, or nothing is to be feared.
    """
    about = _head(array)
    codecs = {str(codec.get("name")): codec.get("configuration", {}) for codec in about.get("codecs", ())}
    sharding = codecs.get("sharding_indexed")
    if sharding is not None and sharding.get("index_location", "end") == "start":
        outer, inner = about["chunk_grid"]["configuration"]["chunk_shape"], sharding["chunk_shape"]
        count = math.prod(a // b for a, b in zip(outer, inner, strict=True))
        return next((file for file in _chunks(array) if _is_cut_shard(file, count)), None)
    if "blosc" in codecs or (about.get("compressor") or {}).get("id") == "blosc":
        return next((file for file in _chunks(array) if _is_cut(file)), None)
    return None


def _head(array: Path) -> dict[str, Any]:
    head = next(path for name in _HEADS if (path := array / name).is_file())
    about: dict[str, Any] = json.loads(head.read_text(encoding="utf-8"))
    return about


def _chunks(array: Path) -> Iterator[Path]:
    files = (file for file in sorted(array.rglob("*")) if file.is_file())
    return (file for file in files if not file.name.startswith((".z", "zarr.json")))


def _is_cut(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(_HEADER.size)
    return len(head) < _HEADER.size or _HEADER.unpack(head)[0] > file.stat().st_size


def _is_cut_shard(file: Path, count: int) -> bool:
    """Compare a shard's size with its index: offset and length of each chunk, all ones where it is empty."""
    index = struct.Struct(f"<{2 * count}Q")
    with file.open("rb") as stream:
        head = stream.read(index.size)
    if len(head) < index.size:
        return True
    numbers = index.unpack(head)
    ends = (a + b for a, b in zip(numbers[::2], numbers[1::2], strict=True) if a != _EMPTY)
    return max(ends, default=0) > file.stat().st_size
