"""A few image files, opened as a model takes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diffex.base.errors import InputError
from diffex.generators.model import Model
from diffex.images import Images
from diffex.images.channels import choose_channels
from diffex.images.checks import common_pixel_size, require_same
from diffex.images.decoding import value_range_of
from diffex.images.headers import read_header
from diffex.images.naming import clean_text, shown
from diffex.images.sources import FileSource


def open_files(files: Sequence[Path], model: Model) -> Images:
    """Open image files in the channels and range of a model, since a few images do not show theirs.

    Parameters
    ----------
    files : sequence of Path
        PNG, JPEG or TIFF, at least one.
    model : Model
        Gives channel names and value range.

    Returns
    -------
    Images
        Without labels; ids are file names, or paths where names repeat. The pixel size is that of the files.

    Raises
    ------
    InputError
        If a file is missing or damaged, they differ in form, or pixels are outside the model's range.
    """
    headers = [read_header(file) for file in files]
    require_same(files, headers)
    form = model.generator.form
    channels = choose_channels(files, headers[0], form.channel_names)
    source = FileSource(tuple((file,) for file in files), (channels.kept,), headers[0].size)
    low, high = model.generator.pixels.value_range
    _check_range(files, source, headers[0].dtype, (low, high))
    return Images(
        source=source,
        rows=np.arange(len(files)),
        ids=_ids(files),
        channel_names=form.channel_names,
        value_range=(low, high),
        size=headers[0].size,
        dtype=headers[0].dtype,
        pixel_size_um=common_pixel_size(files, headers),
    )


def _ids(files: Sequence[Path]) -> tuple[str, ...]:
    names = tuple(clean_text(file.name) for file in files)
    paths = tuple(clean_text(file.as_posix()) for file in files)
    ids = names if len(set(names)) == len(names) else paths
    if len(set(ids)) < len(ids):
        raise InputError("An image is given twice, expected each once: leave one out.")
    return ids


def _check_range(
    files: Sequence[Path], source: FileSource, dtype: str, value_range: tuple[float, float]
) -> None:
    for index, file in enumerate(files):
        pixels = source.read(index)
        low, high = float(pixels.min()), float(pixels.max())
        own = value_range_of(dtype, (low, high)) if np.dtype(dtype).kind != "f" else value_range
        if own != value_range or low < value_range[0] or high > value_range[1]:
            raise InputError(
                f"{shown(file)} holds {dtype} pixels from {low:g} to {high:g}, the model expects the range "
                f"{value_range[0]:g} to {value_range[1]:g}: give images stored as the fitting images were."
            )
