"""``diffex crop``: crops of cells from whole fields."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffex.cli.app import app
from diffex.cli.options import Common, OutFolder, spread
from diffex.cli.output import emit, say

if TYPE_CHECKING:
    from diffex.images import CropResult


class Border(StrEnum):
    """What becomes of cells at the edge of a field."""

    skip = "skip"
    pad = "pad"


@app.command()
@spread
def crop(
    *,
    fields: Annotated[
        list[Path],
        typer.Argument(
            metavar="FIELD...",
            help="TIFF, PNG, OME-Zarr image or plate, folder of these, or one table of fields.",
        ),
    ],
    out: OutFolder,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Label image of each field, repeatable; a folder of them under the fields' names "
            "(NAME.tif, NAME_cp_masks.png...), maybe the fields' own; or the name of one within OME-Zarr."
        ),
    ] = None,
    centroids: Annotated[
        Path | None, typer.Option(help="Table with a row per cell, CellProfiler's and pycytominer's too.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of a crop in pixels, 28 to 256.")] = 64,
    border: Annotated[
        Border, typer.Option(help="Leave out cells at the edge of a field, or pad their crops.")
    ] = Border.skip,
    columns: Annotated[
        str | None,
        typer.Option(
            help="field, x, y, cell of --centroids; path, labels or names of channels of a table of fields."
        ),
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option(help="Micrometres per pixel, instead of the files' own.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channel names between commas, instead of the files' own.")
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="One sharded Zarr store, cells.zarr, in place of a file per cell.")
    ] = False,
    common: Common,
) -> None:
    """Cut crops around the cells of whole fields.

    OUT gets the crops as OME-TIFF, the cells' masks, and cells.csv, which the other commands take; or,
    with --store, cells.zarr, which they take as well and which suits sets of 100,000 cells. How many cells
    at the edge of a field were left out, and the --columns for the other commands, are said.

    Crops keep depth, channel names, pixel size and, of OME-TIFF (and bioformats2raw's OME-Zarr), when and
    how a field was acquired: date and time, microscope, magnification, numerical aperture, and of each
    channel exposure and wavelengths. Where fields differ in these, cells.csv has columns of them: date,
    acquired, magnification, DNA_exposure_s... What all share is in crop.json.

    Example: diffex crop plate/*.ome.tif --labels masks --out cells
    """
    from diffex.images import CropRequest, crop_fields, parse_columns

    request = CropRequest(
        tuple(fields),
        tuple(labels or ()),
        centroids,
        size,
        border.value,
        None if columns is None else parse_columns(columns),
        None if channels is None else tuple(name.strip() for name in channels.split(",")),
        pixel_size,
        store,
    )
    result = crop_fields(request, out)
    emit(common, result.as_dict(), lambda: _show(result))


def _show(result: "CropResult") -> None:
    form = result.form
    known = ", ".join(f"{name} {value}" for name, value in result.acquisition.items())
    say(
        f"{len(result.table)} cells of {result.table['field'].nunique()} fields are in "
        f"{result.cells}; {result.skipped} at the edge left out.",
        f"Channels {', '.join(form.channel_names)}; {form.dtype}; "
        + ("no pixel size" if form.pixel_size_um is None else f"{form.pixel_size_um:g} um per pixel")
        + f". Go on with: --columns {result.columns}",
        *([f"All fields: {known}."] if known else []),
        *result.warnings,
    )
