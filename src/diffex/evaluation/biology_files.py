"""B6: the same cells in every form that microscopy stores them in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from skimage.filters import gaussian

from diffex.evaluation.bench import Bench, Task
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import NUCLEI
from diffex.images import CropRequest, Images, crop_fields, open_images
from diffex.images.decoding import read_stored
from diffex.images.ome_writing import write_ome_tiff, write_ome_zarr
from diffex.measurements import measure

_NAMES = ("dna", "inverted", "blurred")
_PIXEL_UM = 0.65
_SIZE = 64


def measure_files(bench: Bench) -> Iterator[Measured]:
    """Measure B6: crops, pixels and measurements of the same cells from every form of file.

    Parameters
    ----------
    bench : Bench
        Size of the run, and where bbbc039_nuclei is: real fields with label images.

    Yields
    ------
    Measured
        The share of forms whose pixels and masks are identical, and the largest difference of a measurement.
    """
    root = bench.real(NUCLEI) / "fields"
    paths = sorted((root / "images").glob("*.png"))[: bench.size(8, 1)]
    with tempfile.TemporaryDirectory() as folder:
        forms = every_form({path.stem: _channels(path) for path in paths}, root / "labels", Path(folder))
        reference = next(iter(forms.values()))
        some = np.arange(bench.size(len(reference), 16))
        masks = reference.read_masks(some)
        table = measure(reference.read(some), _NAMES, masks, _PIXEL_UM)
        differ = [name for name, images in forms.items() if not _same(images, reference)]
        gaps = [
            float(np.nanmax(np.abs(measure(images.read(some), _NAMES, masks, images.pixel_size_um) - table)))
            for images in forms.values()
        ]
    note = f"{len(reference)} cells as {', '.join(forms)}" + "".join(f"; {name} differs" for name in differ)
    yield Measured(
        "B6", "share of forms with identical crops", 1 - len(differ) / len(forms), ">= 1", note=note
    )
    yield Measured("B6", "largest difference of a measurement between forms", max(gaps), "<= 0", note=note)


def every_form(fields: dict[str, NDArray[Any]], labels: Path, folder: Path) -> dict[str, Images]:
    """Store fields and their cells in every form, and open each.

    Parameters
    ----------
    fields : dict of str to ndarray
        Three channels of uint8 by name, ``(3, h, w)``.
    labels : Path
        Folder of their label images.
    folder : Path
        Where to write.

    Returns
    -------
    dict of str to Images
        The same cells, in the same order, by the name of the form.
    """
    requests = _requests(fields, labels, folder)
    made = {name: _cropped(folder / name, request) for name, request in requests.items()}
    reference = next(iter(made.values()))
    for name, path, columns in _stored_cells(reference, folder / "cells"):
        made[name] = open_images(
            path, columns=columns, pixel_size_um=_PIXEL_UM, channel_names=None if columns else _NAMES
        )
    return made


def _requests(fields: dict[str, NDArray[Any]], labels: Path, folder: Path) -> dict[str, CropRequest]:
    rows = []
    for name, pixels in fields.items():
        for form in ("tiff", "zarr", "png", *_NAMES):
            (folder / form).mkdir(parents=True, exist_ok=True)
        write_ome_tiff(folder / "tiff" / f"{name}.ome.tif", pixels, _NAMES, _PIXEL_UM)
        write_ome_zarr(folder / "zarr" / f"{name}.zarr", pixels, _NAMES, _PIXEL_UM)
        Image.fromarray(np.moveaxis(pixels, 0, -1).copy()).save(folder / "png" / f"{name}.png")
        for channel, plane in zip(_NAMES, pixels, strict=True):
            Image.fromarray(plane).save(folder / channel / f"{name}.png")
        row = {channel: f"{channel}/{name}.png" for channel in _NAMES}
        rows.append({"path": f"png/{name}.png", "labels": str(labels / f"{name}.png"), **row})
    table = folder / "fields.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    given: dict[str, Any] = {"size": _SIZE, "pixel_size_um": _PIXEL_UM}
    separate = {channel: channel for channel in _NAMES} | {"labels": "labels"}
    whole = {"path": "path", "labels": "labels"}
    return {
        "CSV of fields with labels": CropRequest((table,), columns=whole, channel_names=_NAMES, **given),
        "fields with a file per channel": CropRequest((table,), columns=separate, **given),
        "fields as OME-TIFF": CropRequest((folder / "tiff",), (labels,), size=_SIZE),
        "fields as OME-Zarr": CropRequest((folder / "zarr",), (labels,), size=_SIZE),
    }


def _cropped(out: Path, request: CropRequest) -> Images:
    crop_fields(request, out)
    columns = {"path": "path", "mask": "mask", "group": "field"}
    return open_images(out / "cells.csv", columns=columns, channel_names=_NAMES)


def _stored_cells(images: Images, folder: Path) -> Iterator[tuple[str, Path, dict[str, str] | None]]:
    for form in ("png", "tiff", "zarr", *_NAMES):
        (folder / form).mkdir(parents=True)
    rows = []
    for index in range(len(images)):
        pixels, name = images.read([index])[0].numpy().astype(images.dtype), f"{index:05d}"
        Image.fromarray(np.moveaxis(pixels, 0, -1).copy()).save(folder / "png" / f"{name}.png")
        write_ome_tiff(folder / "tiff" / f"{name}.ome.tif", pixels, _NAMES, _PIXEL_UM)
        write_ome_zarr(folder / "zarr" / f"{name}.zarr", pixels, _NAMES, _PIXEL_UM)
        for channel, plane in zip(_NAMES, pixels, strict=True):
            Image.fromarray(plane).save(folder / channel / f"{name}.png")
        rows.append({channel: f"{channel}/{name}.png" for channel in _NAMES})
    pd.DataFrame(rows).to_csv(folder / "cells.csv", index=False)
    yield "PNG folder", folder / "png", None
    yield "OME-TIFF", folder / "tiff", None
    yield "OME-Zarr", folder / "zarr", None
    yield "file per channel", folder / "cells.csv", {channel: channel for channel in _NAMES}


def _channels(path: Path) -> NDArray[np.uint8]:
    stored = read_stored(path)[0][0].astype(np.float64)
    dna = np.clip((stored - 100) / 8, 0, 255)  # as the crops of this set were made
    blurred = gaussian(dna, 2)  # type: ignore[no-untyped-call]
    return np.stack([dna, 255 - dna, blurred]).astype(np.uint8)


def _same(images: Images, reference: Images) -> bool:
    masks = images.read_masks()
    own = reference.read_masks()
    pixels = np.array_equal(images.read().numpy(), reference.read().numpy())
    return pixels and (masks is None or own is None or np.array_equal(masks.numpy(), own.numpy()))


FILES = Task("B6", "the same cells in every form of file", (NUCLEI,), measure_files)
"""For the suite ``biology``."""
