"""Folders and tables of files, opened as `Images`."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.progress import progress
from diffex.images.channels import Channels, choose_channels, choose_part
from diffex.images.checks import (
    common_pixel_size,
    require_pixel_size,
    require_same,
    require_same_names,
    require_same_size,
    require_size_in_bounds,
)
from diffex.images.decoding import value_range_of
from diffex.images.folders import list_folder, list_zarr
from diffex.images.headers import Header, read_header
from diffex.images.images import Images
from diffex.images.listing import Listing
from diffex.images.naming import shown
from diffex.images.ome_zarr import is_zarr
from diffex.images.sources import FileSource
from diffex.images.stores import is_store, open_store
from diffex.images.tables import TABLE_SUFFIXES, list_table

_log = logging.getLogger("diffex")


def open_images(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    pixel_size_um: float | None = None,
    channel_names: Sequence[str] | None = None,
) -> Images:
    """Open a folder or a table of images; headers are read now, pixels when asked for.

    Parameters
    ----------
    path : str or Path
        A folder with one sub-folder per class, a flat folder (no labels), or a CSV or Parquet table.
        PNG, JPEG, TIFF (plain, ImageJ, OME) and OME-Zarr images (folders ``*.zarr``) of 28 to 256 px, all of
        one size, channel count and dtype. Also an OME-Zarr image or plate, whose wells become the groups,
        or a store of cells as `diffex crop --store` makes them.
    columns : mapping of str to str, optional
        For tables: which column holds ``path`` (default: ``path`` or ``file``), ``label``, ``group``
        (the unit of replication: well, field, donor) and ``mask``. Any other key is the name of a
        channel with a file of its own: ``{"dna": "path1", "brightfield": "path2"}``.
    where : mapping of str to sequence of str, optional
        For tables: keep the rows whose column has one of these values.
    pixel_size_um : float, optional
        Micrometres per pixel; by default what the files' OME or ImageJ metadata say, None where they do not.
    channel_names : sequence of str, optional
        Names for the channels in use, or for all stored ones (then none is left out). By default those of
        the files' metadata; else ``grey``; ``red, green, blue``; or ``ch0``...

    Returns
    -------
    Images
        Ids are relative paths as POSIX text, or the text of the table's path column. Classes are in
        sorted order. Channels that are zero in a sample of 64 images are left out (and logged), and
        grey images saved as RGB have one channel. The value range of integers is their dtype's; float
        images are all read once for it: (0, 1), (-1, 1), or their own bounds rounded outward.

    Raises
    ------
    InputError
        If anything is missing, damaged, mixed, or outside these bounds.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("L", (32, 32), 7).save(folder / "cell.png")
    >>> open_images(folder)
    Images(1 of 32x32 px, channels grey, uint8 in [0, 255])
    """
    if is_store(Path(path)):
        return open_store(Path(path), columns, where, pixel_size_um, channel_names)
    require_pixel_size(pixel_size_um)
    listing = _list(Path(path), columns, where)
    headers, stated = _read_headers(listing, channel_names, pixel_size_um)
    channels = _choose_channels(listing, headers, channel_names)
    size, dtype = headers[0].size, headers[0].dtype
    source = FileSource(listing.files, tuple(part.kept for part in channels), size, listing.masks)
    source.read(0)  # a codec that is not installed shows now, not in the middle of a training
    class_names = tuple(sorted(set(listing.labels or ())))
    return Images(
        source=source,
        rows=np.arange(len(listing.ids)),
        ids=listing.ids,
        channel_names=tuple(name for part in channels for name in part.names),
        value_range=_value_range(source, dtype),
        size=size,
        dtype=dtype,
        labels=_labels(listing, class_names),
        class_names=class_names,
        groups=None if listing.groups is None else np.array(listing.groups),
        table=listing.table,
        pixel_size_um=stated,
        has_masks=listing.masks is not None,
    )


def _list(
    path: Path, columns: Mapping[str, str] | None, where: Mapping[str, Sequence[str]] | None
) -> Listing:
    if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:
        return list_table(path, columns, where)
    if not path.is_dir():
        got = "is neither a folder nor a table" if path.exists() else "does not exist"
        raise InputError(
            f"{shown(path)} {got}, expected a folder of images or a .csv or .parquet table: check the path."
        )
    if columns or where:
        raise InputError(
            f"{shown(path)} is a folder, but --columns and --where need a table: leave them out, or give a "
            ".csv or .parquet file."
        )
    return list_zarr(path) if is_zarr(path) else list_folder(path)


def _read_headers(
    listing: Listing, names: Sequence[str] | None, pixel_size_um: float | None
) -> tuple[list[Header], float | None]:
    rows = listing.files
    headers = [[read_header(file) for file in files] for files in progress(rows, "Checking image headers")]
    for part in range(len(rows[0])):
        of_part = [files[part] for files in rows], [row[part] for row in headers]
        require_same(*of_part)
        if names is None and not listing.parts:
            require_same_names(*of_part)
    require_same_size(rows[0], headers[0], "size of the channels' files")
    depths = {header.dtype for header in headers[0]}
    if len(depths) > 1:
        raise InputError(
            f"The channels' files differ in bit depth ({', '.join(sorted(depths))}), expected one: save all "
            "channels in the same dtype."
        )
    require_size_in_bounds(rows[0][0], headers[0][0].size)
    _check_masks(listing, headers[0][0])
    return headers[0], pixel_size_um or _stated_pixel_size(rows, headers)


def _stated_pixel_size(rows: Sequence[Sequence[Path]], headers: Sequence[Sequence[Header]]) -> float | None:
    stated = common_pixel_size(
        [file for files in rows for file in files], [header for row in headers for header in row]
    )
    if stated is None:
        _log.info("No pixel size is known: lengths and areas are in pixels (or give --pixel-size).")
    return stated


def _check_masks(listing: Listing, header: Header) -> None:
    pairs = zip(listing.files, listing.masks or (), strict=listing.masks is not None)
    for files, mask in progress(list(pairs), "Checking mask headers"):
        if mask is not None:
            require_same_size((files[0], mask), (header, read_header(mask)), "size of image and mask")


def _choose_channels(
    listing: Listing, headers: Sequence[Header], names: Sequence[str] | None
) -> tuple[Channels, ...]:
    if not listing.parts:
        return (choose_channels([files[0] for files in listing.files], headers[0], names),)
    if names is not None:
        raise InputError(
            "channel_names got names for channels that have files of their own, expected none: their names "
            "are the keys of --columns."
        )
    return tuple(
        choose_part([files[i] for files in listing.files], header, name)
        for i, (header, name) in enumerate(zip(headers, listing.parts, strict=True))
    )


def _value_range(source: FileSource, dtype: str) -> tuple[float, float]:
    low, high = math.inf, -math.inf
    if np.dtype(dtype).kind == "f":
        for row in progress(range(len(source.files)), "Reading the range of float images"):
            pixels = source.read(row)
            low, high = min(low, float(pixels.min())), max(high, float(pixels.max()))
    return value_range_of(dtype, (low, high))


def _labels(listing: Listing, class_names: Sequence[str]) -> NDArray[np.int64] | None:
    if listing.labels is None:
        return None
    index = {name: i for i, name in enumerate(class_names)}
    return np.array([index[name] for name in listing.labels], dtype=np.int64)
