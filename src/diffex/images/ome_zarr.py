"""OME-Zarr images and plates (NGFF 0.4 and 0.5, older ones where they say the same) in local folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.images import refusals
from diffex.images.naming import shown
from diffex.images.stacks import StackHeader, usable_names
from diffex.images.units import pixel_size_um
from diffex.images.zarr_acquisition import read_zarr_acquisition
from diffex.images.zarr_chunks import find_cut_chunk
from diffex.images.zarr_part import zarr_for

if TYPE_CHECKING:
    import zarr

SUFFIX = ".zarr"
_MARKS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_OLD_AXES = "tczyx"
_IMAGE_AXES = "cyx"


@final
@dataclass(frozen=True, eq=False)
class _Level:
    """The finest level of an image."""

    folder: Path
    array: "zarr.Array[Any]"
    axes: tuple[str, ...]
    scale: tuple[float, ...]
    units: tuple[str, ...]
    names: tuple[object, ...]

    def length(self, axis: str) -> int:
        return self.array.shape[self.axes.index(axis)] if axis in self.axes else 1


def is_zarr(path: Path) -> bool:
    """Tell whether a path is a folder of Zarr's.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        True where it holds the metadata of a Zarr group or array.
    """
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def list_zarr_images(path: Path) -> tuple[Path, ...]:
    """List the images of an OME-Zarr folder.

    Parameters
    ----------
    path : Path
        An image, a plate, a well, or a collection as bioformats2raw writes it.

    Returns
    -------
    tuple of Path
        The folder of each image, in the order of the metadata: by well, then by field.

    Raises
    ------
    InputError
        If it holds none of these, or its metadata are damaged.
    MissingPartError
        If zarr is not installed.

    Examples
    --------
    >>> list_zarr_images(Path("plate.zarr"))  # doctest: +SKIP
    (PosixPath('plate.zarr/A/1/0'), PosixPath('plate.zarr/A/2/0'))
    """
    about = _attributes(path)
    try:
        if "plate" in about:
            wells = [path / str(well["path"]) for well in about["plate"]["wells"]]
            images = tuple(image for well in wells for image in list_zarr_images(well))
        elif "well" in about:
            images = tuple(path / str(image["path"]) for image in about["well"]["images"])
        elif "bioformats2raw.layout" in about:
            images = tuple(sorted((one for one in path.iterdir() if one.name.isdigit()), key=_number))
        else:
            images = (path,) if "multiscales" in about else ()
    except (KeyError, TypeError) as error:
        raise refusals.unreadable(path, "its metadata of plate and wells are damaged") from error
    if not images:
        raise refusals.unreadable(path, "it has neither OME-Zarr's multiscales nor its plate")
    return images


def read_zarr_header(path: Path) -> StackHeader:
    """Read shape, dtype, channel names and pixel size of an image.

    Parameters
    ----------
    path : Path
        The folder of one image; a plate's is ``plate.zarr/A/1/0``.

    Returns
    -------
    StackHeader
        Of the finest level; no chunk is decoded.

    Raises
    ------
    InputError
        If the folder is no image, holds a volume or a film, is above 64 megapixels, or a chunk is cut short.
    MissingPartError
        If zarr is not installed.
    """
    level = _finest_level(path)
    size, channels = (level.length("y"), level.length("x")), level.length("c")
    refusals.refuse_bomb(path, size, channels)
    dtype = level.array.dtype
    if dtype.kind not in "uifb":
        raise refusals.unreadable(path, f"pixels of type {dtype} are not numbers it knows")
    cut = find_cut_chunk(level.folder)
    if cut is not None:
        raise _damaged_chunk(path, cut.relative_to(path).as_posix())
    return StackHeader(
        size,
        channels,
        "uint8" if dtype.kind == "b" else dtype.name,
        names=usable_names(level.names, channels),
        pixel_size_um=_pixel_size(level),
        acquisition=read_zarr_acquisition(path).of(channels),
    )


def read_zarr(path: Path) -> NDArray[Any]:
    """Decode an image.

    Parameters
    ----------
    path : Path
        A folder whose header was accepted by `read_zarr_header`.

    Returns
    -------
    ndarray, shape (c, h, w)
        The finest level, in the stored dtype. Chunks that were never written hold the fill value, as the
        format says.

    Raises
    ------
    InputError
        If a chunk is damaged or cut short.
    """
    level = _finest_level(path)
    try:
        array = np.asarray(level.array[...])
    # Each codec raises errors of its own on damaged bytes; the user needs one sentence.
    except Exception as error:
        raise _damaged_chunk(path, str(error)[:80]) from error
    array = array.reshape([n for axis, n in zip(level.axes, array.shape, strict=True) if axis in _IMAGE_AXES])
    kept = [axis for axis in level.axes if axis in _IMAGE_AXES]
    planes = array.transpose([kept.index(axis) for axis in _IMAGE_AXES if axis in kept])
    planes = planes if "c" in kept else planes[None]
    return planes.astype(np.uint8) * np.uint8(255) if planes.dtype.kind == "b" else planes


def _damaged_chunk(path: Path, why: str) -> InputError:
    return InputError(
        f"{shown(path)} has a chunk that is damaged or cut short ({shown(why)}), expected a whole OME-Zarr "
        "image: copy it again or leave it out."
    )


def _number(path: Path) -> int:
    return int(path.name)


def _open(path: Path) -> "zarr.Group":
    library = zarr_for(f"{shown(path)}, an OME-Zarr folder,")
    try:
        group: zarr.Group = library.open_group(path, mode="r")
    # Damaged metadata raise errors of every kind.
    except Exception as error:
        raise refusals.unreadable(path, "its Zarr metadata are missing or damaged") from error
    return group


def _attributes(path: Path) -> dict[str, Any]:
    attributes = dict(_open(path).attrs)
    inner = attributes.get("ome", attributes)  # NGFF 0.5 puts all below one key
    return dict(inner) if isinstance(inner, Mapping) else {}


def _finest_level(path: Path) -> _Level:
    about = _attributes(path)
    if "plate" in about or "well" in about:
        raise refusals.unreadable(path, "it is a plate or a well, not one image")
    try:
        scales = about["multiscales"][0]
        finest = scales["datasets"][0]
        array = _open(path)[finest["path"]]
        axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in scales.get("axes", _OLD_AXES)]
        level = _Level(
            path / str(finest["path"]),
            array,  # type: ignore[arg-type]  # a group has no shape, which the next line finds
            tuple(str(axis["name"]) for axis in axes),
            _scale(len(array.shape), finest, scales),  # type: ignore[union-attr]
            tuple(str(axis.get("unit", "")) for axis in axes),
            tuple(channel.get("label") for channel in about.get("omero", {}).get("channels", ())),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise refusals.unreadable(path, "its OME-Zarr metadata are missing or damaged") from error
    _refuse_axes(path, level)
    return level


def _scale(axes: int, *holders: Mapping[str, Any]) -> tuple[float, ...]:
    total = np.ones(axes)
    for holder in holders:
        for change in holder.get("coordinateTransformations", ()):
            if change["type"] == "scale":
                total = total * np.asarray(change["scale"], dtype=float)
    return tuple(float(value) for value in total)


def _refuse_axes(path: Path, level: _Level) -> None:
    known = set(level.axes) <= set(_OLD_AXES) and {"y", "x"} <= set(level.axes)
    if not known or len(level.axes) != len(level.array.shape):
        raise refusals.unreadable(
            path, f"its axes {', '.join(level.axes)} do not fit its shape {level.array.shape}"
        )
    for axis, what in refusals.PLANES.items():
        if level.length(axis.lower()) > 1:
            raise refusals.not_one_plane(path, level.length(axis.lower()), what)


def _pixel_size(level: _Level) -> float | None:
    at = [level.axes.index(axis) for axis in "yx"]
    if level.units[at[0]] != level.units[at[1]]:
        return None
    return pixel_size_um((level.scale[at[0]], level.scale[at[1]]), level.units[at[1]])
