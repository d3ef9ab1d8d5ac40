"""Label images: which one belongs to which field, and what is in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.progress import progress
from diffex.images.decoding import read_stored
from diffex.images.fields import LABEL_ENDINGS, FieldForm, FieldList
from diffex.images.folders import SUFFIXES
from diffex.images.headers import read_header
from diffex.images.naming import shown
from diffex.images.ome_zarr import SUFFIX, is_zarr

_SUFFIXES = sorted({*SUFFIXES, SUFFIX, ".ome.tif", ".ome.tiff", ".ome.zarr"})


def match_label_images(fields: FieldList, given: Sequence[str | Path]) -> tuple[Path, ...]:
    """Find the label image of each field.

    Parameters
    ----------
    fields : FieldList
        Of `diffex.images.fields.list_fields`.
    given : sequence of str or Path
        One label image per field, in the order of the fields; or one folder, in which each is named after
        its field (also ``..._cp_masks``, ``_masks``, ``_labels``); or the name of a label image that every
        OME-Zarr field holds.

    Returns
    -------
    tuple of Path
        One per field.

    Raises
    ------
    InputError
        If one is missing, or the number of label images is not that of fields.
    """
    if len(given) == 1:
        inside = [files[0] / "labels" / str(given[0]) for files in fields.files]
        if all(is_zarr(path) for path in inside):
            return tuple(inside)
        folder = Path(given[0])
        if folder.is_dir() and not is_zarr(folder):
            return tuple(
                _in_folder(folder, name, files) for name, files in zip(fields.ids, fields.files, strict=True)
            )
        if not folder.exists():
            raise _absent(folder, fields)
    if len(given) != len(fields.ids):
        raise InputError(
            f"--labels got {len(given)} label images for {len(fields.ids)} fields, expected one for each in "
            "the same order, or a folder of them: check both."
        )
    return tuple(Path(one) for one in given)


def require_label_images(labels: Sequence[Path], fields: FieldList, form: FieldForm) -> None:
    """Refuse label images that cannot be those of their fields, by their headers.

    Parameters
    ----------
    labels : sequence of Path
        One per field.
    fields : FieldList
        The fields.
    form : FieldForm
        Their sizes.

    Raises
    ------
    InputError
        If one is missing, holds colours or floats, or has another size than its field.
    """
    for path, files, size in zip(
        progress(labels, "Checking label images"), fields.files, form.sizes, strict=True
    ):
        header = read_header(path)
        if header.channels != 1 or np.dtype(header.dtype).kind not in "ui":
            channels = "one channel" if header.channels == 1 else f"{header.channels} channels"
            raise InputError(
                f"{shown(path)} has {channels} of {header.dtype}, expected a label image of one channel of "
                "integers, 0 for background and a number per cell: save it as 16-bit or 32-bit integers."
            )
        if header.size != size:
            raise InputError(
                f"{shown(path)} is {header.size[1]}x{header.size[0]} px and its field {shown(files[0])} "
                f"{size[1]}x{size[0]} px, expected one size: give the label image of this field."
            )


def read_labels(path: Path) -> NDArray[np.integer[Any]]:
    """Decode a label image.

    Parameters
    ----------
    path : Path
        Accepted by `require_label_images`.

    Returns
    -------
    ndarray of int, shape (h, w)
        0 is background.
    """
    labels: NDArray[np.integer[Any]] = read_stored(path)[0][0]
    return labels


def _in_folder(folder: Path, name: str, files: Sequence[Path]) -> Path:
    for ending in LABEL_ENDINGS:
        for stem in dict.fromkeys((name, Path(name).name)):
            for suffix in (*_SUFFIXES, *map(str.upper, _SUFFIXES)):
                path = folder / f"{stem}{ending}{suffix}"
                if path.exists() and path not in files:
                    return path
    raise InputError(
        f"{shown(folder)} holds no label image of field {shown(name)}, expected for example "
        f"{shown(Path(name).name)}.tif or {shown(Path(name).name)}_cp_masks.png: check the names."
    )


def _absent(given: Path, fields: FieldList) -> InputError:
    first = fields.files[0][0]
    if not is_zarr(first):
        return InputError(
            f"{shown(given)} is missing, expected a label image per field or a folder of them: check the "
            "path."
        )
    inside = first / "labels"
    have = sorted(one.name for one in inside.iterdir() if is_zarr(one)) if inside.is_dir() else []
    return InputError(
        f"--labels got {shown(given)}, which is neither a file nor a label image in {shown(first)}, expected "
        f"one that every field holds (here: {', '.join(map(shown, have)) or 'none'}): check the name."
    )
