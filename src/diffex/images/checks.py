"""What a set of images must satisfy."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffex.base.errors import InputError
from diffex.images.headers import Header
from diffex.images.images import Images
from diffex.images.naming import shown

MIN_SIZE = 28
MAX_SIZE = 256


def require_classes(images: Images, at_least: int = 2) -> None:
    """Refuse sets with too few classes.

    Parameters
    ----------
    images : Images
        A labelled set.
    at_least : int, default 2
        How many classes must have images.

    Raises
    ------
    InputError
        If there are no labels, or fewer classes with images.
    """
    if images.labels is None:
        raise InputError(
            f"These {len(images)} images have no labels, expected at least {at_least} classes: give a folder "
            "with one sub-folder per class, or a table with --columns label=COLUMN."
        )
    there = [name for name, count in images.class_counts().items() if count]
    if len(there) < at_least:
        raise InputError(
            f"Got {len(there)} class ({', '.join(map(shown, there)) or 'none'}), expected at least "
            f"{at_least}: add images of another class, or widen --where."
        )


def require_same(files: Sequence[Path], headers: Sequence[Header]) -> None:
    """Refuse files that differ in size, channels or dtype.

    Parameters
    ----------
    files : sequence of Path
        The files, for the message.
    headers : sequence of Header
        Their headers.

    Raises
    ------
    InputError
        Naming the first two that differ, and how.
    """
    first = headers[0]
    for file, header in zip(files, headers, strict=True):
        pair = (files[0], file)
        _require_equal("size", pair, (_px(first.size), _px(header.size)), "crop or pad all to one size")
        kinds = (_channels(first), _channels(header))
        _require_equal("channel count", pair, kinds, "save all with the same channels")
        depths = (first.dtype, header.dtype)
        _require_equal("bit depth", pair, depths, "save all in the same dtype")


def require_same_names(files: Sequence[Path], headers: Sequence[Header]) -> None:
    """Refuse files that name their channels differently.

    Parameters
    ----------
    files : sequence of Path
        The files, for the message.
    headers : sequence of Header
        Their headers.

    Raises
    ------
    InputError
        Naming the first two that differ, and how.
    """
    for file, header in zip(files, headers, strict=True):
        names = (", ".join(headers[0].names) or "no names", ", ".join(header.names) or "no names")
        cure = "save all with the same channels in the same order, or name them with --channels"
        _require_equal("naming of channels", (files[0], file), names, cure)


def require_pixel_size(pixel_size_um: float | None) -> None:
    """Refuse a pixel size that is none.

    Parameters
    ----------
    pixel_size_um : float or None
        Micrometres per pixel, as a user gave it.

    Raises
    ------
    InputError
        Unless it is None, or finite and above 0.
    """
    if pixel_size_um is not None and not (math.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise InputError(
            f"pixel_size_um got {pixel_size_um}, expected micrometres per pixel above 0: mend it."
        )


def common_pixel_size(files: Sequence[Path], headers: Sequence[Header]) -> float | None:
    """Find the pixel size that all files share, or refuse those that differ.

    Parameters
    ----------
    files : sequence of Path
        The files, for the message.
    headers : sequence of Header
        Their headers.

    Returns
    -------
    float or None
        Micrometres per pixel; None where no file says.

    Raises
    ------
    InputError
        Naming the first two that differ by more than 1 %, or of which only one says.
    """
    first = headers[0].pixel_size_um
    for file, header in zip(files, headers, strict=True):
        other = header.pixel_size_um
        if None in (first, other) or not math.isclose(first or 0, other or 0, rel_tol=0.01):
            sizes = (_micrometres(first), _micrometres(other))
            _require_equal(
                "pixel size", (files[0], file), sizes, "resample them, or say it with --pixel-size"
            )
    return first


def require_same_size(files: Sequence[Path], headers: Sequence[Header], what: str) -> None:
    """Refuse files of one image that differ in size.

    Parameters
    ----------
    files : sequence of Path
        The files, for the message.
    headers : sequence of Header
        Their headers.
    what : str
        What must match, for the message: ``"size of image and mask"``.

    Raises
    ------
    InputError
        Naming the two files and their sizes.
    """
    for file, header in zip(files, headers, strict=True):
        sizes = (_px(headers[0].size), _px(header.size))
        _require_equal(what, (files[0], file), sizes, "save both in the same size")


def require_size_in_bounds(file: Path, size: tuple[int, int]) -> None:
    """Refuse sizes that no method here is made for.

    Parameters
    ----------
    file : Path
        One of the files, for the message.
    size : (int, int)
        Height and width in pixels.

    Raises
    ------
    InputError
        Unless both are 28 to 256 px.
    """
    if min(size) < MIN_SIZE or max(size) > MAX_SIZE:
        raise InputError(
            f"{shown(file)} has {_px(size)}, expected {MIN_SIZE} to {MAX_SIZE} px on each side: "
            "resize the images, or cut crops around the cells (diffex crop)."
        )


def _require_equal(what: str, files: tuple[Path, Path], values: tuple[Any, Any], cure: str) -> None:
    if values[0] != values[1]:
        raise InputError(
            f"The {what} is mixed: {shown(files[0])} has {values[0]} and {shown(files[1])} has {values[1]}, "
            f"expected the same everywhere: {cure}."
        )


def _micrometres(pixel_size: float | None) -> str:
    return "none" if pixel_size is None else f"{pixel_size:g} um"


def _px(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]} px"


def _channels(header: Header) -> str:
    return f"{header.channels}" + (" with alpha" if header.layout.endswith("alpha") else "")
