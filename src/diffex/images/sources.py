"""Pixels read from files when asked for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.hashing import hash_value
from diffex.images.caching import ArrayCache
from diffex.images.decoding import read_image, read_mask
from diffex.images.naming import shown


@final
@dataclass(frozen=True, eq=False)
class FileSource:
    """Images in files, with the ones used last kept in memory.

    Parameters
    ----------
    files : tuple of tuple of Path
        The files of each image, whose channels are joined.
    kept : tuple of tuple of int
        Which stored channels of each of an image's files are used.
    size : (int, int)
        Height and width that every file must have.
    masks : tuple of (Path or None), optional
        Object mask per image.
    cache : ArrayCache
        Bounded; shared by all subsets of a set.
    """

    files: tuple[tuple[Path, ...], ...]
    kept: tuple[tuple[int, ...], ...]
    size: tuple[int, int]
    masks: tuple[Path | None, ...] | None = None
    cache: ArrayCache = field(default_factory=ArrayCache)

    def read(self, index: int) -> NDArray[np.float32]:
        """Give image `index`, ``(c, h, w)``, read-only."""
        pixels = self.cache.get(("pixels", index))
        if pixels is None:
            pairs = zip(self.files[index], self.kept, strict=True)
            pixels = np.concatenate([self._read_file(file, kept) for file, kept in pairs])
            self.cache.put(("pixels", index), pixels)
        return pixels

    def read_mask(self, index: int) -> NDArray[np.bool_] | None:
        """Give the mask of image `index`, ``(h, w)``, read-only; None where there is none."""
        file = None if self.masks is None else self.masks[index]
        if file is None:
            return None
        mask = self.cache.get(("mask", index))
        if mask is None:
            mask = read_mask(file)
            self._check_size(file, mask.shape)
            self.cache.put(("mask", index), mask)
        return mask

    def fingerprint(self, index: int) -> str:
        """Hash name, size and time of the files of image `index`, its mask included."""
        mask = None if self.masks is None else self.masks[index]
        return hash_value([_file_state(file) for file in (*self.files[index], mask) if file is not None])

    def _read_file(self, file: Path, kept: tuple[int, ...]) -> NDArray[np.float32]:
        pixels = read_image(file).pixels
        self._check_size(file, pixels.shape[1:])
        if max(kept) >= len(pixels):
            raise InputError(f"{shown(file)} has lost channels since it was opened: open the images again.")
        return pixels[list(kept)]

    def _check_size(self, file: Path, size: tuple[int, ...]) -> None:
        if tuple(size) != self.size:
            raise InputError(f"{shown(file)} has changed size since it was opened: open the images again.")


def _file_state(file: Path) -> tuple[str, int, int | str]:
    try:
        state = file.stat()
    except OSError as error:
        raise InputError(f"{shown(file)} has gone since it was opened: open the images again.") from error
    # The name alone: the same folder reached by another path, or moved, is the same set.
    if file.is_dir():
        parts = sorted(part for part in file.rglob("*") if part.is_file())
        return (
            file.name,
            len(parts),
            hash_value([(str(part.relative_to(file)), *_file_state(part)) for part in parts]),
        )
    return file.name, state.st_size, state.st_mtime_ns
