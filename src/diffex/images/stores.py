"""Cells of a sharded Zarr store, opened as `Images`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.hashing import hash_value
from diffex.images import refusals
from diffex.images.caching import ArrayCache
from diffex.images.checks import require_pixel_size, require_size_in_bounds
from diffex.images.images import Images
from diffex.images.listing import Listing
from diffex.images.naming import shown
from diffex.images.store_writing import ABOUT, MASKS, PIXELS, SCHEMA, TABLE
from diffex.images.tables import list_table
from diffex.images.zarr_part import zarr_for

if TYPE_CHECKING:
    import zarr

_HEAD = "zarr.json"
_ROLES = ("label", "group")


@final
@dataclass(frozen=True, eq=False)
class StoreSource:
    """Cells in a store, read by chunks; those used last stay in memory.

    Parameters
    ----------
    path : Path
        The store.
    pixels : zarr.Array
        ``(n, c, h, w)``.
    masks : zarr.Array, optional
        ``(n, h, w)``, bool.
    chunk, shard : int
        Cells in each.
    cache : ArrayCache
        Bounded; shared by all subsets of a set.
    """

    path: Path
    pixels: "zarr.Array[Any]"
    masks: "zarr.Array[Any] | None"
    chunk: int
    shard: int
    cache: ArrayCache = field(default_factory=ArrayCache)

    def read(self, index: int) -> NDArray[np.float32]:
        """Give cell `index`, ``(c, h, w)``."""
        return np.asarray(self._chunk(PIXELS, self.pixels, index)[index % self.chunk], dtype=np.float32)

    def read_mask(self, index: int) -> NDArray[np.bool_] | None:
        """Give the mask of cell `index`, ``(h, w)``; None where the store has none."""
        if self.masks is None:
            return None
        return np.asarray(self._chunk(MASKS, self.masks, index)[index % self.chunk])

    def fingerprint(self, index: int) -> str:
        """Hash name, size and time of the shards that hold cell `index`, and its place."""
        files = [_shard(self.path, name, array.ndim, index // self.shard) for name, array in self._arrays()]
        states = [file.stat() for file in files]
        return hash_value([self.path.name, index, *((one.st_size, one.st_mtime_ns) for one in states)])

    def require_whole(self) -> None:
        """Refuse a store that has lost shards: Zarr would read zeros.

        Raises
        ------
        InputError
            Naming the first.
        """
        for name, array in self._arrays():
            for number in range(-(-array.shape[0] // self.shard)):
                file = _shard(self.path, name, array.ndim, number)
                if not file.is_file():
                    raise _damaged(self.path, f"{file.relative_to(self.path).as_posix()} is missing")

    def _arrays(self) -> list[tuple[str, "zarr.Array[Any]"]]:
        return [(PIXELS, self.pixels)] + ([] if self.masks is None else [(MASKS, self.masks)])

    def _chunk(self, name: str, array: "zarr.Array[Any]", index: int) -> NDArray[Any]:
        number = index // self.chunk
        held = self.cache.get((name, number))
        if held is None:
            try:
                held = np.asarray(array[number * self.chunk : (number + 1) * self.chunk])
            # Each codec raises errors of its own on damaged bytes; the user needs one sentence.
            except Exception as error:
                raise _damaged(self.path, str(error)[:80]) from error
            if held.dtype.kind == "f" and not np.isfinite(held).all():
                raise refusals.not_finite(self.path)
            self.cache.put((name, number), held)
        return held


def is_store(path: Path) -> bool:
    """Tell whether a path is a store of cells, as `write_store` makes them.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        True where its head says so.
    """
    return ABOUT in _attributes(path)


def open_store(
    path: Path,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    pixel_size_um: float | None = None,
    channel_names: Sequence[str] | None = None,
) -> Images:
    """Open a store of cells; no pixel is read.

    Parameters
    ----------
    path : Path
        The folder.
    columns : mapping of str to str, optional
        Which columns of its table hold ``label`` and ``group``; by default those of these names.
    where : mapping of str to sequence of str, optional
        Keep the cells whose column has one of these values.
    pixel_size_um : float, optional
        Instead of the store's own.
    channel_names : sequence of str, optional
        Likewise.

    Returns
    -------
    Images
        In the store's order.

    Raises
    ------
    InputError
        If the store is damaged or of another schema, or a column is absent.
    MissingPartError
        If zarr is not installed.
    """
    require_pixel_size(pixel_size_um)
    about, source = _attributes(path)[ABOUT], _source(path)
    height, width = source.pixels.shape[2:]
    require_size_in_bounds(path, (height, width))
    listing = _list(path, dict(columns or {}), where)
    classes = tuple(sorted(set(listing.labels or ())))
    position = {name: k for k, name in enumerate(classes)}
    return Images(
        source=source,
        rows=listing.table.pop("row").to_numpy(dtype=np.int64),
        ids=listing.ids,
        channel_names=_names(about["channel_names"], channel_names),
        value_range=(float(about["value_range"][0]), float(about["value_range"][1])),
        size=(height, width),
        dtype=source.pixels.dtype.name,
        labels=None if listing.labels is None else np.array([position[name] for name in listing.labels]),
        class_names=classes,
        groups=None if listing.groups is None else np.array(listing.groups),
        table=listing.table,
        pixel_size_um=pixel_size_um or about["pixel_size_um"],
        has_masks=source.masks is not None,
    )


def _attributes(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((path / _HEAD).read_text(encoding="utf-8"))["attributes"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _source(path: Path) -> StoreSource:
    zarr = zarr_for(f"{shown(path)}, a Zarr store,")
    about = _attributes(path)[ABOUT]
    if about.get("schema") != SCHEMA:
        raise refusals.unreadable(path, f"its schema is {about.get('schema')}, this diffex knows {SCHEMA}")
    try:
        group: Any = zarr.open_group(path, mode="r")
        masks = group[MASKS] if (path / MASKS).is_dir() else None
        source = StoreSource(path, group[PIXELS], masks, int(about["chunk"]), int(about["shard"]))
        source.require_whole()
    except InputError:
        raise
    # Damaged metadata raise errors of every kind.
    except Exception as error:
        raise refusals.unreadable(path, "its Zarr metadata are missing or damaged") from error
    return source


def _list(path: Path, columns: dict[str, str], where: Mapping[str, Sequence[str]] | None) -> Listing:
    foreign = sorted(set(columns) - set(_ROLES))
    if foreign:
        raise InputError(
            f"--columns got {foreign[0]}={columns[foreign[0]]} for the store {shown(path)}, which holds its "
            "own pixels and masks, expected label or group: leave it out."
        )
    import pyarrow.parquet

    have = pyarrow.parquet.read_schema(path / TABLE).names
    roles = {name: name for name in _ROLES if name in have} | columns
    return list_table(path / TABLE, {"path": "id", **roles}, where)


def _names(stored: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is not None and (len(wanted) != len(stored) or len(set(wanted)) != len(wanted)):
        raise InputError(
            f"channel_names got {', '.join(wanted)}, expected {len(stored)} different names, one for each of "
            f"{', '.join(stored)}: name each once."
        )
    return tuple(stored if wanted is None else wanted)


def _shard(path: Path, name: str, axes: int, number: int) -> Path:
    return path.joinpath(name, "c", str(number), *["0"] * (axes - 1))


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        f"{shown(path)} is damaged or cut short ({shown(why)}), expected a whole store of cells: copy it "
        "again or make it again."
    )
