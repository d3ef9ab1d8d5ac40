"""Whole fields of cells: which files they are, and what they share."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.progress import progress
from diffex.images import refusals
from diffex.images.acquisition import Acquisition, join_acquisitions, split_acquisitions
from diffex.images.cellprofiler import find_file
from diffex.images.checks import common_pixel_size, require_pixel_size, require_same_names, require_same_size
from diffex.images.decoding import read_stored
from diffex.images.folders import images_below, list_folder, list_zarr
from diffex.images.headers import Header, read_header
from diffex.images.naming import clean_text, shown
from diffex.images.ome_writing import OME_DTYPES
from diffex.images.ome_zarr import is_zarr
from diffex.images.tables import TABLE_SUFFIXES, list_table

FIELD_KEYS = ("path", "labels")
CELL_KEYS = ("field", "x", "y", "cell")
LABEL_ENDINGS = ("", "_cp_masks", "_masks", "_mask", "_labels", "_label")
"""What a label image's name has beyond its field's: Cellpose's and StarDist's own, and common ones."""

_REFUSED_KEYS = ("label", "group", "mask")
_log = logging.getLogger("diffex")


@final
@dataclass(frozen=True, eq=False)
class FieldList:
    """Fields to cut cells from.

    Parameters
    ----------
    ids : tuple of str
        A name per field: its path without suffix, below the folder that they share.
    files : tuple of tuple of Path
        The files of each field: one, or one per channel.
    parts : tuple of str
        The channel that each file of a field holds; empty where one file holds all.
    labels : tuple of Path, optional
        Label image per field.
    table : DataFrame
        What is known of each field, a row per field.
    """

    ids: tuple[str, ...]
    files: tuple[tuple[Path, ...], ...]
    parts: tuple[str, ...]
    labels: tuple[Path, ...] | None
    table: pd.DataFrame


@final
@dataclass(frozen=True)
class FieldForm:
    """What all fields of a set share.

    Parameters
    ----------
    channel_names : tuple of str
        In the order of the pixels.
    dtype : str
        Of the files.
    pixel_size_um : float or None
        Micrometres per pixel; None where no file says.
    kept : tuple of int
        How many channels of each of a field's files are used: all but alpha.
    sizes : tuple of (int, int)
        Height and width of each field.
    acquisitions : tuple of Acquisition
        How each field was acquired, as far as its files say.
    """

    channel_names: tuple[str, ...]
    dtype: str
    pixel_size_um: float | None
    kept: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    acquisitions: tuple[Acquisition, ...]

    def acquired(self) -> tuple[dict[str, str | float], pd.DataFrame]:
        """Give how all fields were acquired, and where they differ: see `split_acquisitions`."""
        return split_acquisitions(self.acquisitions, self.channel_names)


def list_fields(
    paths: Sequence[Path], columns: Mapping[str, str] | None = None, label_folder: Path | None = None
) -> FieldList:
    """List fields.

    Parameters
    ----------
    paths : sequence of Path
        Image files, OME-Zarr images or plates (all their fields), folders of images; or one ``.csv`` or
        ``.parquet`` table of fields, such as CellProfiler's ``Image.csv``.
    columns : mapping of str to str, optional
        For a table: which column holds ``path``, and ``labels`` where there are label images; any other key
        is the name of a channel with files of its own. Files of CellProfiler's ``FileName_X`` are looked for
        beside the table, then in ``PathName_X``, then in a folder of that name beside the table.
    label_folder : Path, optional
        Where the label images lie: within a folder of fields, or among them, they are no fields.

    Returns
    -------
    FieldList
        In the order given. A plate's fields know their ``well``; a table's all their other columns.

    Raises
    ------
    InputError
        If nothing is there, or a field is given twice.
    """
    if len(paths) == 1 and paths[0].suffix.lower() in TABLE_SUFFIXES:
        return _of_table(paths[0], dict(columns or {}))
    if columns:
        raise InputError(
            f"--columns got {', '.join(columns)} for fields that are given as files, expected a table of "
            "fields for that: give the .csv or .parquet file in place of the fields."
        )
    found = [one for path in paths for one in _expanded(path, label_folder)]
    found = found if label_folder is None else _without_labels(found, label_folder)
    files = [file for file, _ in found]
    wells = [well for _, well in found]
    whole = [_absolute(file) for file in files]
    root = _absolute(paths[0]) if len(paths) == 1 and files[0] != paths[0] else _shared_folder(whole)
    table = pd.DataFrame({"well": wells}) if any(wells) else pd.DataFrame(index=range(len(files)))
    ids = _ids([file.relative_to(root).as_posix() for file in whole])
    return FieldList(ids, tuple((file,) for file in files), (), None, table)


def read_form(
    fields: FieldList, channel_names: Sequence[str] | None = None, pixel_size_um: float | None = None
) -> FieldForm:
    """Read the headers of all fields and check that they belong together.

    Parameters
    ----------
    fields : FieldList
        Of `list_fields`.
    channel_names : sequence of str, optional
        Names for the channels; by default the files' own.
    pixel_size_um : float, optional
        Micrometres per pixel; by default the files' own.

    Returns
    -------
    FieldForm
        Sizes may differ between fields, all else is shared.

    Raises
    ------
    InputError
        If a file is missing or damaged, or fields differ in channels, their names, depth or pixel size.
    """
    require_pixel_size(pixel_size_um)
    headers = [[read_header(file) for file in files] for files in progress(fields.files, "Checking fields")]
    for files, row in zip(fields.files, headers, strict=True):
        require_same_size(files, row, "size of the channels' files")
    first = headers[0]
    named = channel_names is not None or bool(fields.parts)
    for part in range(len(first)):
        _require_same_form([row[part] for row in fields.files], [row[part] for row in headers], named)
    flat = [header for row in headers for header in row]
    _require_dtype(fields.files[0][0], {header.dtype for header in flat})
    every = [file for files in fields.files for file in files]
    return FieldForm(
        _names(fields, first, channel_names),
        first[0].dtype,
        pixel_size_um or common_pixel_size(every, flat),
        tuple(_kept(header) for header in first),
        tuple(row[0].size for row in headers),
        tuple(join_acquisitions([(one.acquisition, _kept(one)) for one in row]) for row in headers),
    )


def read_field(files: Sequence[Path], form: FieldForm) -> NDArray[Any]:
    """Decode one field.

    Parameters
    ----------
    files : sequence of Path
        Of one field.
    form : FieldForm
        What the fields share.

    Returns
    -------
    ndarray, shape (c, h, w)
        In the stored dtype.

    Raises
    ------
    InputError
        If a file is damaged or holds NaN or Inf.
    """
    planes = [read_stored(file)[0][:kept] for file, kept in zip(files, form.kept, strict=True)]
    for file, plane in zip(files, planes, strict=True):
        if not np.isfinite(plane).all():
            raise refusals.not_finite(file)
    return np.concatenate(planes)


def _of_table(path: Path, columns: dict[str, str]) -> FieldList:
    refused = [key for key in columns if key in _REFUSED_KEYS]
    if refused:
        raise InputError(
            f"--columns got {', '.join(refused)} for a table of fields, expected path, labels or names of "
            "channels: all other columns are kept anyway; leave it out."
        )
    roles = {("mask" if key == "labels" else key): column for key, column in columns.items()}
    listing = list_table(path, roles, None)
    labels = listing.masks
    if labels is not None and None in labels:
        raise InputError(
            f"{shown(path)} has no label image in column {columns['labels']!r} for {labels.count(None)} of "
            f"{len(labels)} fields, expected one in every row: fill them in."
        )
    table = listing.table if len(listing.table.columns) else pd.DataFrame(index=range(len(listing.ids)))
    names = [columns[part] for part in listing.parts] or [columns.get("path", "")]
    files = tuple(
        tuple(find_file(file, name, table.iloc[row], path) for file, name in zip(some, names, strict=True))
        for row, some in enumerate(listing.files)
    )
    if labels is not None:
        named = [(row, one) for row, one in enumerate(labels) if one is not None]
        labels = tuple(find_file(one, columns["labels"], table.iloc[row], path) for row, one in named)
    return FieldList(_ids(listing.ids), files, listing.parts, labels, table)


def _expanded(path: Path, label_folder: Path | None) -> list[tuple[Path, str]]:
    if not path.is_dir():
        return [(path, "")]
    if label_folder is not None and _absolute(path) in _absolute(label_folder).parents:
        return [(file, "") for file in _images_apart(path, _absolute(label_folder))]
    listing = list_zarr(path) if is_zarr(path) else list_folder(path)
    wells = [well.replace("/", "") for well in listing.groups or [""] * len(listing.ids)]
    return [(files[0], well) for files, well in zip(listing.files, wells, strict=True)]


def _images_apart(folder: Path, labels: Path) -> list[Path]:
    found = [file for file in images_below(folder) if not _absolute(file).is_relative_to(labels)]
    if not found:
        raise InputError(
            f"{shown(folder)} holds no images beside its label images, expected fields there: check both."
        )
    return found


def _without_labels(found: Sequence[tuple[Path, str]], folder: Path) -> list[tuple[Path, str]]:
    """Leave out the label images that lie among the fields, under their names."""
    fields = {_absolute(file).with_name(_without_suffix(file.name)) for file, _ in found}
    own = [one for one in found if not _is_labels(_absolute(one[0]), fields, _absolute(folder))]
    if len(own) < len(found):
        _log.info("%d files are label images of others, no fields.", len(found) - len(own))
    return own


def _is_labels(file: Path, fields: set[Path], folder: Path) -> bool:
    stem = _without_suffix(file.name)
    parents = [stem.removesuffix(ending) for ending in LABEL_ENDINGS[1:] if stem.endswith(ending)]
    return file.parent == folder and any(file.with_name(one) in fields for one in parents if one)


def _absolute(file: Path) -> Path:
    # resolve() would follow links, and a field is named after where the user has it
    return Path(os.path.normpath(file.absolute()))


def _shared_folder(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([file.parent for file in files])) if len(files) > 1 else files[0].parent


def _ids(names: Sequence[str]) -> tuple[str, ...]:
    for texts in ([_without_suffix(name) for name in names], list(names)):
        if len(set(texts)) == len(texts):
            return tuple(clean_text(text) for text in texts)
    raise InputError("A field is given twice, expected each once: leave one out.")


def _without_suffix(name: str) -> str:
    path = Path(name)
    stem = path.stem
    short = stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem
    return path.with_name(short or stem).as_posix()


def _require_same_form(files: Sequence[Path], headers: Sequence[Header], named: bool) -> None:
    first = headers[0]
    for file, header in zip(files, headers, strict=True):
        if (header.channels, header.dtype) != (first.channels, first.dtype):
            raise InputError(
                f"Fields differ: {shown(files[0])} has {first.channels} channels of {first.dtype} and "
                f"{shown(file)} has {header.channels} of {header.dtype}, expected the same everywhere: crop "
                "them into folders of their own."
            )
    if not named:
        require_same_names(files, headers)


def _require_dtype(file: Path, found: set[str]) -> None:
    if len(found) > 1:
        raise InputError(
            f"The channels' files differ in bit depth ({', '.join(sorted(found))}), expected one: save all "
            "channels in the same dtype."
        )
    if not found <= set(OME_DTYPES):
        raise InputError(
            f"{shown(file)} holds {found.pop()} pixels, expected one of {', '.join(OME_DTYPES)}, which "
            "OME-TIFF knows: save it in one of these."
        )


def _kept(header: Header) -> int:
    return header.channels - header.layout.endswith("alpha")


def _names(fields: FieldList, headers: Sequence[Header], names: Sequence[str] | None) -> tuple[str, ...]:
    own = headers[0].channel_names[: _kept(headers[0])]
    if fields.parts:
        crowded = [part for part, one in zip(fields.parts, headers, strict=True) if _kept(one) != 1]
        if crowded or names is not None:
            raise InputError(
                f"Channels with files of their own ({', '.join(fields.parts)}) got "
                + (f"several channels in a file of {crowded[0]}" if crowded else "names from --channels")
                + ", expected one grey image per file, named by --columns."
            )
        return fields.parts
    if names is None:
        return own
    if len(names) != len(own) or len(set(names)) != len(names):
        raise InputError(
            f"channel_names got {', '.join(names)}, expected {len(own)} different names for the channels "
            f"{', '.join(own)}: give one to each."
        )
    return tuple(names)
