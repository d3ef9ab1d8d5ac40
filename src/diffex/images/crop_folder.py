"""The library call behind ``diffex crop``: crops of all cells of some fields, as a folder."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from PIL import Image

from diffex.base.errors import FolderError, InputError
from diffex.base.files import write_json
from diffex.base.progress import progress
from diffex.images.acquisition import DATES
from diffex.images.centroids import read_centroids
from diffex.images.checks import MAX_SIZE, MIN_SIZE
from diffex.images.cropping import Border, Crops, crop_field, locate_cells
from diffex.images.fields import CELL_KEYS, FieldForm, FieldList, list_fields, read_field, read_form
from diffex.images.label_images import match_label_images, read_labels, require_label_images
from diffex.images.naming import shown
from diffex.images.ome_writing import write_ome_tiff
from diffex.images.ome_zarr import is_zarr
from diffex.images.opening import open_images
from diffex.images.store_writing import write_store
from diffex.images.tables import plain_columns
from diffex.images.writing import place

TABLE = "cells.csv"
_HEAD = "crop.json"
_PIXELS, _MASKS, STORE = "crops", "masks", "cells.zarr"
_OWN = frozenset({TABLE, _HEAD, _PIXELS, _MASKS, STORE})


@final
@dataclass(frozen=True)
class CropRequest:
    """What to cut.

    Parameters
    ----------
    fields : tuple of Path
        Images, OME-Zarr images or plates, folders of images, or one table of fields.
    labels : tuple of str or Path
        Label images, as `diffex.images.label_images.match_label_images` takes them.
    centroids : Path, optional
        Table of cells; instead of label images.
    size : int
        Side of the crops in pixels, 28 to 256.
    border : {"skip", "pad"}
        What becomes of cells at the edge of a field.
    columns : mapping of str to str, optional
        ``field``, ``x``, ``y``, ``cell`` of the table of cells; ``path``, ``labels`` or names of channels of
        a table of fields.
    channel_names : tuple of str, optional
        Instead of the files' own.
    pixel_size_um : float, optional
        Micrometres per pixel, instead of the files' own.
    store : bool
        Whether crops and masks become one sharded Zarr store in place of a file each.
    """

    fields: tuple[Path, ...]
    labels: tuple[str | Path, ...] = ()
    centroids: Path | None = None
    size: int = 64
    border: Border = "skip"
    columns: Mapping[str, str] | None = None
    channel_names: tuple[str, ...] | None = None
    pixel_size_um: float | None = None
    store: bool = False


@final
@dataclass(frozen=True, eq=False)
class CropResult:
    """What was written.

    Parameters
    ----------
    out : Path
        With ``cells.csv``, the crops as OME-TIFF in ``crops`` and masks as PNG in ``masks``; or with
        ``cells.zarr``, which holds all three.
    table : DataFrame
        As in ``cells.csv``: ``path, mask, field, cell, y, x, at_border`` (no ``mask`` from centroids), then
        what was known of cells and fields, and how fields were acquired where that differs: ``acquired`` and
        ``date``, ``magnification``, ``DNA_exposure_s`` and others.
    cells : Path
        What the other commands take.
    columns : str
        For their ``--columns``.
    skipped : int
        Cells at the edge of a field that were left out.
    cut : int
        Cells whose mask reaches the edge of its crop: those are larger than `size`, or padded.
    form : FieldForm
        Channels, dtype, pixel size and acquisition.
    """

    out: Path
    table: pd.DataFrame
    cells: Path
    columns: str
    skipped: int
    cut: int
    form: FieldForm

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before going on."""
        notes = []
        if self.form.pixel_size_um is None:
            notes.append("No pixel size is known: lengths and areas are in pixels (or give --pixel-size).")
        other = [str(name) for name in self.form.acquired()[1] if name not in DATES]
        if other:
            notes.append(
                f"Fields differ in {', '.join(other)}, which may pass for a difference between conditions: "
                f"{'the store' if self.cells.name == STORE else TABLE} has a column of each."
            )
        if self.cut:
            notes.append(f"{self.cut} cells reach the edge of their crop: a larger --size shows all of them.")
        return tuple(notes)

    def as_dict(self) -> dict[str, Any]:
        """Describe it, for JSON."""
        form = asdict(self.form)
        del form["acquisitions"]
        return {
            "out": self.out, "images": self.cells, "cells": len(self.table), "skipped": self.skipped,
            "cut": self.cut, "columns": self.columns, **form, "acquisition": self.acquisition,
            "warnings": self.warnings,
        }  # fmt: skip

    @property
    def acquisition(self) -> dict[str, str | float]:
        """How all fields were acquired, as far as they say and agree."""
        return self.form.acquired()[0]


def crop_fields(request: CropRequest, out: Path) -> CropResult:
    """Cut crops of all cells and write them with their table.

    Everything is written beside `out` and moved there at the end, so that `out` is whole or absent; after an
    interruption the same call starts over.

    Parameters
    ----------
    request : CropRequest
        Fields and where their cells are.
    out : Path
        A new or empty folder, or one of an earlier crop, which is replaced.

    Returns
    -------
    CropResult
        What was written.

    Raises
    ------
    InputError
        If fields, label images or the table are missing, damaged, or do not fit each other, or no cell is
        left.
    FolderError
        If `out` holds something else or cannot be written.
    """
    plan = _plan(request)
    _require_free(out)
    parts: list[pd.DataFrame] = []
    skipped = cut = 0
    with _staging(out) as stage:
        for index in progress(range(len(plan.fields.ids)), "Cropping fields"):
            crops, found = _crop_one(plan, index)
            parts.append(_write_crops(stage, plan, index, crops))
            skipped += found - len(parts[-1])
            cut += _count_cut(crops)
        table = pd.concat(parts, ignore_index=True)
        if not len(table):
            raise _no_cells(skipped, len(parts))
        table.to_csv(stage / TABLE, index=False, encoding="utf-8")
        if request.store:
            _pack(stage, plan)
        write_json(stage / _HEAD, _head(plan, len(table), skipped))
        _move(stage, out)
    cells = out / (STORE if request.store else TABLE)
    return CropResult(out, table, cells, _columns(plan), skipped, cut, plan.form)


@final
@dataclass(frozen=True, eq=False)
class _Plan:
    request: CropRequest
    fields: FieldList
    form: FieldForm
    labels: tuple[Path, ...] | None
    cells: list[pd.DataFrame]  # of each field, where there are no label images


def _plan(request: CropRequest) -> _Plan:
    of_fields = dict(request.columns or {})
    of_cells = {key: of_fields.pop(key) for key in CELL_KEYS if key in of_fields}
    if not MIN_SIZE <= request.size <= MAX_SIZE:
        raise InputError(
            f"--size got {request.size}, expected {MIN_SIZE} to {MAX_SIZE} px: choose about twice a "
            "cell's diameter."
        )
    fields = list_fields(request.fields, of_fields, _label_folder(request))
    labels = match_label_images(fields, request.labels) if request.labels else fields.labels
    if (labels is None) == (request.centroids is None):
        raise InputError(
            f"Got {'neither label images nor' if labels is None else 'both label images and'} a table of "
            "centroids, expected one of them: give --labels or --centroids."
        )
    if of_cells and labels is not None:
        raise InputError(
            f"--columns got {', '.join(of_cells)}, which are columns of a table of centroids, expected "
            "--centroids with them: leave them out."
        )
    form = read_form(fields, request.channel_names, request.pixel_size_um)
    if labels is not None:
        require_label_images(labels, fields, form)
    cells = [] if request.centroids is None else read_centroids(request.centroids, fields, of_cells)
    fields = replace(fields, table=_beside(fields.table, form.acquired()[1]))
    return _Plan(request, fields, form, labels, cells)


def _beside(table: pd.DataFrame, apart: pd.DataFrame) -> pd.DataFrame:
    """Add what files say to what a table says; where both do, the table is right."""
    said = plain_columns(table)
    return pd.concat([table, apart[[name for name in apart if str(name).lower() not in said]]], axis=1)


def _label_folder(request: CropRequest) -> Path | None:
    folder = Path(request.labels[0]) if len(request.labels) == 1 else None
    return folder if folder is not None and folder.is_dir() and not is_zarr(folder) else None


def _no_cells(skipped: int, fields: int) -> InputError:
    if not skipped:
        return InputError(
            f"There is no cell in {fields} fields, expected some: check that label images or centroids are "
            "those of these fields."
        )
    return InputError(
        f"No cell is left of {skipped} in {fields} fields, expected some off the edge: take a smaller --size "
        "or --border pad, or check labels and centroids."
    )


def _crop_one(plan: _Plan, index: int) -> tuple[Crops, int]:
    field = read_field(plan.fields.files[index], plan.form)
    labels = None if plan.labels is None else read_labels(plan.labels[index])
    try:
        cells = plan.cells[index] if labels is None else locate_cells(labels)
        crops = crop_field(field, cells, plan.request.size, labels=labels, border=plan.request.border)
    except InputError as error:
        raise InputError(f"Field {shown(plan.fields.ids[index])}: {error}") from error
    return crops, len(cells)


def _write_crops(stage: Path, plan: _Plan, index: int, crops: Crops) -> pd.DataFrame:
    name = plan.fields.ids[index]
    folder = place(Path(), name)
    acquisition = plan.form.acquisitions[index]
    numbers = crops.table["cell"]
    stems = numbers if pd.api.types.is_integer_dtype(numbers) else pd.RangeIndex(1, len(numbers) + 1)
    paths = [(Path(_PIXELS) / folder / f"{stem:05d}.ome.tif").as_posix() for stem in stems]
    masks = [(Path(_MASKS) / folder / f"{stem:05d}.png").as_posix() for stem in stems]
    for path in (paths[:1] + masks[:1]) if crops.masks is not None else paths[:1]:
        (stage / path).parent.mkdir(parents=True, exist_ok=True)
    for path, pixels in zip(paths, crops.pixels, strict=True):
        write_ome_tiff(stage / path, pixels, plan.form.channel_names, plan.form.pixel_size_um, acquisition)
    for path, mask in zip(masks, crops.masks if crops.masks is not None else (), strict=False):
        Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(stage / path)
    known = {"path": paths} | ({} if crops.masks is None else {"mask": masks}) | {"field": name}
    return _rows(pd.DataFrame(known, index=range(len(paths))), crops.table, plan.fields.table, index)


def _rows(own: pd.DataFrame, cells: pd.DataFrame, fields: pd.DataFrame, index: int) -> pd.DataFrame:
    places = cells[["cell", "y", "x", "at_border"]]
    more = cells.drop(columns=places.columns)
    more = more.assign(**{str(name): fields[name].iloc[index] for name in fields.columns if name not in more})
    # A table's own paths belong to other files than the new ones.
    taken = {"mask", *own.columns, *places.columns}
    more = more.rename(columns=lambda name: f"{name}_given" if name in taken else name)
    return pd.concat([own, places, more], axis=1)


def _columns(plan: _Plan) -> str:
    group = f"group={_unit(plan.fields.table)}"
    if plan.request.store:
        return group
    return f"path=path,{group}" if plan.labels is None else f"path=path,mask=mask,{group}"


def _unit(fields: pd.DataFrame) -> str:
    """Name the column of wells, which repeat where fields of a well do not; on several plates the fields."""
    by_name = plain_columns(fields)
    plates = fields[by_name["plate"]].nunique() if "plate" in by_name else 1
    known = "well" in by_name and fields[by_name["well"]].notna().all()
    return by_name["well"] if known and plates == 1 else "field"


def _pack(stage: Path, plan: _Plan) -> None:
    """Turn the files of a stage into one store."""
    roles = {key: key for key in ("path", "mask")[: 1 if plan.labels is None else 2]}
    images = open_images(
        stage / TABLE,
        columns=roles,
        pixel_size_um=plan.form.pixel_size_um,
        channel_names=plan.form.channel_names,
    )
    write_store(images, stage / STORE)
    (stage / TABLE).unlink()
    for folder in (_PIXELS, _MASKS):
        shutil.rmtree(stage / folder, ignore_errors=True)


def _count_cut(crops: Crops) -> int:
    if crops.masks is None:
        return 0
    rows, columns = crops.masks[:, [0, -1], :].any((1, 2)), crops.masks[:, :, [0, -1]].any((1, 2))
    return int((rows | columns).sum())


def _head(plan: _Plan, cells: int, skipped: int) -> dict[str, Any]:
    request, form = plan.request, plan.form
    return {
        "schema": 1, "fields": len(plan.fields.ids), "cells": cells, "skipped": skipped, "size": request.size,
        "border": request.border, "channel_names": form.channel_names, "dtype": form.dtype,
        "pixel_size_um": form.pixel_size_um,
        "acquisition": form.acquired()[0],
    }  # fmt: skip


def _require_free(out: Path) -> None:
    held = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if (out.exists() and not out.is_dir()) or (held and not (_HEAD in held and held <= _OWN)):
        other = sorted(held - _OWN) or [out.name]
        raise FolderError(
            f"{shown(out)} holds another thing ({shown(other[0])}), expected a new or empty folder or one "
            "of diffex crop alone: choose another with --out."
        )


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    stage = out.with_name(f".{out.name}.cropping")
    try:
        for left in (stage, _old(out)):  # what a killed run left
            if left.is_dir():
                shutil.rmtree(left)
        stage.mkdir(parents=True)
        yield stage
    except OSError as error:
        raise FolderError(
            f"Cannot write {shown(out)}: {error.strerror or error}. "
            "Free some space or choose a folder that can be written with --out."
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _old(out: Path) -> Path:
    return out.with_name(f".{out.name}.replaced")


def _move(stage: Path, out: Path) -> None:
    if out.is_dir() and any(out.iterdir()):
        out.rename(_old(out))
    stage.replace(out)
    shutil.rmtree(_old(out), ignore_errors=True)
