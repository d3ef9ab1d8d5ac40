"""Many cells as one sharded Zarr store, instead of a file per cell."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diffex.base.errors import FolderError
from diffex.base.progress import progress
from diffex.images.images import Images
from diffex.images.naming import shown
from diffex.images.zarr_part import zarr_for

if TYPE_CHECKING:
    import zarr

ABOUT = "diffex_cells"
"""Attribute of the Zarr group that says what the cells are."""

TABLE = "cells.parquet"
"""In the store: ``id, row, label, group`` and the images' other columns."""

PIXELS, MASKS = "pixels", "masks"
OWN_COLUMNS = ("id", "row", "label", "group")
SCHEMA = 1

_CHUNK_NUMBERS = 2**20  # about 4 MB of float32 are decoded to read one cell
_CHUNKS_IN_SHARD = 16


def write_store(images: Images, path: Path) -> Path:
    """Write images as a Zarr store of version 3: arrays ``pixels`` (n, c, h, w) and ``masks`` (n, h, w).

    One shard of cells is in memory at a time, about 64 MB. Everything is written beside `path` and moved
    there at the end, so that the store is whole or absent.

    Parameters
    ----------
    images : Images
        Any number of them.
    path : Path
        The new folder; its name ends in ``.zarr`` by custom.

    Returns
    -------
    Path
        The folder, which `open_images` takes.

    Raises
    ------
    FolderError
        If `path` is there already, or cannot be written.
    MissingPartError
        If zarr is not installed.
    """
    if path.exists():
        raise FolderError(f"{shown(path)} is there already, expected a new name: choose another.")
    stage = path.with_name(f".{path.name}.writing")
    shutil.rmtree(stage, ignore_errors=True)  # what a killed run left
    try:
        _write(images, stage)
        stage.replace(path)
    except OSError as error:
        raise FolderError(
            f"Cannot write {shown(path)}: {error.strerror or error}. Free some space or choose another "
            "folder."
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return path


def _write(images: Images, stage: Path) -> None:
    zarr = zarr_for("A Zarr store")
    stage.parent.mkdir(parents=True, exist_ok=True)
    group = zarr.open_group(stage, mode="w", zarr_format=3)
    chunk = max(1, _CHUNK_NUMBERS // (images.channels * images.size[0] * images.size[1]))
    pixels = _array(group, PIXELS, (len(images), images.channels, *images.size), images.dtype, chunk)
    masks = _array(group, MASKS, (len(images), *images.size), "bool", chunk) if images.has_masks else None
    starts = range(0, len(images), chunk * _CHUNKS_IN_SHARD)
    for start in progress(starts, "Writing shards of cells"):
        some = images.subset(np.arange(start, min(start + starts.step, len(images))))
        pixels[start : start + len(some)] = some.read().numpy().astype(images.dtype)
        if masks is not None:
            own = some.read_masks()
            assert own is not None
            masks[start : start + len(some)] = own.numpy()
    _table(images).to_parquet(stage / TABLE, index=False)
    group.attrs[ABOUT] = dict(_about(images, chunk))


def _array(
    group: "zarr.Group", name: str, shape: tuple[int, ...], dtype: str, chunk: int
) -> "zarr.Array[Any]":
    # Empty chunks are written too, so that an absent shard is a lost one and not zeros.
    return group.create_array(
        name, shape=shape, dtype=dtype, chunks=(chunk, *shape[1:]),
        shards=(chunk * _CHUNKS_IN_SHARD, *shape[1:]), config={"write_empty_chunks": True},
    )  # fmt: skip


def _about(images: Images, chunk: int) -> Mapping[str, Any]:
    return {
        "schema": SCHEMA,
        "channel_names": list(images.channel_names),
        "value_range": list(images.value_range),
        "pixel_size_um": images.pixel_size_um,
        "chunk": chunk,
        "shard": chunk * _CHUNKS_IN_SHARD,
    }


def _table(images: Images) -> pd.DataFrame:
    own: dict[str, Any] = {"id": list(images.ids), "row": range(len(images))}
    if images.labels is not None:
        own["label"] = np.asarray(images.class_names, dtype=object)[images.labels]
    if images.groups is not None:
        own["group"] = images.groups.astype(object)
    kept = images.table.rename(columns=lambda name: f"{name}_given" if name in OWN_COLUMNS else str(name))
    return pd.concat([pd.DataFrame(own), kept], axis=1)
