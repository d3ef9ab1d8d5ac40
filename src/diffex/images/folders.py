"""Folders of images: one sub-folder per class, or flat."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from diffex.base.errors import InputError
from diffex.images import ome_zarr
from diffex.images.listing import Listing
from diffex.images.naming import clean_text, shown
from diffex.images.vendor import VENDOR_SUFFIXES

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"}) | VENDOR_SUFFIXES
_SPLIT_NAMES = frozenset({"train", "test", "val", "valid", "validation"})
_log = logging.getLogger("diffex")


def list_folder(root: Path) -> Listing:
    """List the images of a folder.

    Parameters
    ----------
    root : Path
        With one sub-folder per class (searched to any depth), or with the images themselves.
        Hidden files and files that are not PNG, JPEG, TIFF, OME-Zarr or a vendor's are ignored.

    Returns
    -------
    Listing
        In sorted order; ids are paths relative to `root`; no labels where the folder is flat.

    Raises
    ------
    InputError
        If there are no images, or images lie beside class folders.
    """
    try:
        loose, classes = _loose_images(root), _class_images(root)
    except OSError as error:
        raise InputError(
            f"{shown(root)} cannot be listed ({error.strerror}), expected a readable folder: "
            "check its permissions."
        ) from error
    if loose and classes:
        raise InputError(
            f"{shown(root)} holds {len(loose)} images beside {len(classes)} sub-folders with images, "
            "expected either one sub-folder per class or images alone: "
            "move the ones that do not belong elsewhere."
        )
    if not loose and not classes:
        raise InputError(
            f"{shown(root)} holds no images, expected PNG, JPEG or TIFF files or OME-Zarr folders, in one "
            "sub-folder per class or flat."
        )
    _warn_of_splits(root, classes)
    files = loose or [file for images in classes.values() for file in images]
    labels = tuple(name for name, images in classes.items() for _ in images) or None
    ids = tuple(clean_text(file.relative_to(root).as_posix()) for file in files)
    return Listing(ids, tuple((file,) for file in files), labels=labels)


def list_zarr(root: Path) -> Listing:
    """List the images of an OME-Zarr folder.

    Parameters
    ----------
    root : Path
        An image, or a plate whose wells become the groups.

    Returns
    -------
    Listing
        Ids are paths relative to `root` (its own name for a single image); no labels.

    Raises
    ------
    InputError
        If it is neither.
    """
    images = ome_zarr.list_zarr_images(root)
    if images == (root,):
        return Listing((clean_text(root.name),), ((root,),))
    ids = tuple(clean_text(image.relative_to(root).as_posix()) for image in images)
    wells = tuple(Path(name).parent.as_posix() for name in ids)
    return Listing(ids, tuple((image,) for image in images), groups=wells)


def images_below(folder: Path) -> Iterator[Path]:
    """Find the images of a folder and of all folders in it.

    Parameters
    ----------
    folder : Path
        Hidden ones in it are left out.

    Yields
    ------
    Path
        Files, and folders of OME-Zarr, sorted within each folder.
    """
    for where, folders, names in os.walk(folder):
        images = [name for name in (*names, *folders) if _is_image(Path(where, name))]
        folders[:] = sorted(name for name in folders if _visible(name) and name not in images)
        yield from (Path(where, name) for name in sorted(images))


def _loose_images(root: Path) -> list[Path]:
    return sorted(file for file in root.iterdir() if _is_image(file))


def _class_images(root: Path) -> dict[str, list[Path]]:
    folders = sorted(
        one for one in root.iterdir() if _visible(one.name) and one.is_dir() and not _is_image(one)
    )
    found = {clean_text(folder.name): list(images_below(folder)) for folder in folders}
    empty = [shown(name) for name, images in found.items() if not images]
    if empty:
        _log.info("%s: sub-folders without images are no classes: %s.", shown(root), ", ".join(empty))
    return {name: found[name] for name in sorted(found) if found[name]}


def _is_image(file: Path) -> bool:
    suffix = file.suffix.lower()
    kind = (suffix == ome_zarr.SUFFIX and file.is_dir()) or (suffix in SUFFIXES and file.is_file())
    return kind and _visible(file.name)


def _visible(name: str) -> bool:
    return not name.startswith(".")


def _warn_of_splits(root: Path, classes: dict[str, list[Path]]) -> None:
    if classes and {name.lower() for name in classes} <= _SPLIT_NAMES:
        _log.warning(
            "%s: the classes are %s, which look like splits: open one of its sub-folders instead.",
            shown(root),
            ", ".join(classes),
        )
