"""Pixels that know their value range, channel names and pixel size."""

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import Protocol, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.hashing import hash_tensors, hash_value


class PixelSource(Protocol):
    """Where pixels come from: files, an array, a simulator."""

    def read(self, index: int) -> NDArray[np.float32]:
        """Read image `index` as ``(c, h, w)`` in the value range."""
        ...

    def read_mask(self, index: int) -> NDArray[np.bool_] | None:
        """Read the object mask of image `index` as ``(h, w)``, or None where there is none."""
        ...

    def fingerprint(self, index: int) -> str:
        """Give text that changes when the pixels of image `index` change (path, size, time)."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Images:
    """A set of images of one size, read when asked for.

    Parameters
    ----------
    source : PixelSource
        Reads pixels and masks; `rows` index into it.
    rows : ndarray of int, shape (n,)
        Which images of the source these are.
    ids : tuple of str
        A name per image, unique.
    channel_names : tuple of str
        A name per channel.
    value_range : (float, float)
        What the stored numbers can be, for example ``(0, 255)``.
    size : (int, int)
        Height and width in pixels.
    dtype : str
        The dtype of the files, for example ``"uint8"``; edits are written back in it.
    labels : ndarray of int, shape (n,), optional
        Index into `class_names`.
    class_names : tuple of str
        In the order of the labels.
    groups : ndarray of str, shape (n,), optional
        Unit of replication: well, field, donor. Splits never divide a group.
    table : DataFrame
        All other columns, a row per image.
    pixel_size_um : float, optional
        Micrometres per pixel; None where unknown.
    has_masks : bool
        Whether the source has object masks.
    """

    source: PixelSource
    rows: NDArray[np.int64]
    ids: tuple[str, ...]
    channel_names: tuple[str, ...]
    value_range: tuple[float, float]
    size: tuple[int, int]
    dtype: str = "float32"
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    groups: NDArray[np.str_] | None = None
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    pixel_size_um: float | None = None
    has_masks: bool = False

    def __len__(self) -> int:
        """Count the images."""
        return len(self.rows)

    def __repr__(self) -> str:
        """Say what is there in one line."""
        height, width = self.size
        low, high = self.value_range
        classes = ", ".join(f"{name} {count}" for name, count in self.class_counts().items())
        return (
            f"Images({len(self)} of {height}x{width} px, channels {'/'.join(self.channel_names)}, "
            f"{self.dtype} in [{low:g}, {high:g}]" + (f"; {classes}" if classes else "") + ")"
        )

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.channel_names)

    def class_counts(self) -> dict[str, int]:
        """Count images by class.

        Returns
        -------
        dict of str to int
            Empty where there are no labels.
        """
        if self.labels is None:
            return {}
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    def read(self, indices: Sequence[int] | NDArray[np.int64] | None = None) -> Tensor:
        """Read pixels.

        Parameters
        ----------
        indices : sequence of int, optional
            Which images, default all (mind the memory).

        Returns
        -------
        Tensor
            ``(n, c, h, w)``, float32, in `value_range`.
        """
        rows = self.rows if indices is None else self.rows[np.asarray(indices, dtype=np.int64)]
        if not len(rows):
            return torch.empty(0, self.channels, *self.size)
        return torch.from_numpy(np.stack([self.source.read(int(row)) for row in rows]))

    def read_masks(self, indices: Sequence[int] | NDArray[np.int64] | None = None) -> Tensor | None:
        """Read object masks.

        Parameters
        ----------
        indices : sequence of int, optional
            Which images, default all.

        Returns
        -------
        Tensor or None
            ``(n, h, w)``, bool; None where the set has no masks.
        """
        if not self.has_masks:
            return None
        rows = self.rows if indices is None else self.rows[np.asarray(indices, dtype=np.int64)]
        masks = [self.source.read_mask(int(row)) for row in rows]
        empty = np.zeros(self.size, dtype=bool)
        return torch.from_numpy(np.stack([empty if mask is None else mask for mask in masks]))

    def batches(self, batch_size: int) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Stream through all images in order.

        Parameters
        ----------
        batch_size : int
            Images per batch.

        Yields
        ------
        (ndarray of int, Tensor)
            Positions in this set, and pixels ``(b, c, h, w)``.
        """
        for start in range(0, len(self), batch_size):
            positions = np.arange(start, min(start + batch_size, len(self)))
            yield positions, self.read(positions)

    def remember(self, limit_bytes: int = 256 * 2**20) -> "Images":
        """Let what reads the files keep more of it, for reading again and again in random order.

        Parameters
        ----------
        limit_bytes : int, default 256 MiB
            Shared by all subsets of the set.

        Returns
        -------
        Images
            These images.
        """
        cache = getattr(self.source, "cache", None)
        if cache is not None:
            cache.limit_bytes = max(cache.limit_bytes, limit_bytes)
        return self

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> "Images":
        """Keep some images.

        Parameters
        ----------
        indices : sequence of int
            Positions to keep, in the order wanted.

        Returns
        -------
        Images
            The kept ones; nothing is read.
        """
        keep = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            rows=self.rows[keep],
            ids=tuple(self.ids[i] for i in keep),
            labels=None if self.labels is None else self.labels[keep],
            groups=None if self.groups is None else self.groups[keep],
            table=self.table.iloc[keep].reset_index(drop=True) if len(self.table.columns) else self.table,
        )

    def of_class(self, name: str) -> "Images":
        """Keep the images of one class.

        Parameters
        ----------
        name : str
            One of `class_names`.

        Returns
        -------
        Images
            Those images.

        Raises
        ------
        InputError
            If the class is unknown or nothing is labelled.
        """
        if self.labels is None or name not in self.class_names:
            raise InputError(
                f"Unknown class {name!r}; these images have {', '.join(self.class_names) or 'no labels'}."
            )
        return self.subset(np.flatnonzero(self.labels == self.class_names.index(name)))

    def fingerprint(self) -> str:
        """Hash ids, labels, groups and the source's fingerprints.

        Returns
        -------
        str
            32 hexadecimal digits; changes when files or labels change.
        """
        return hash_value(
            {
                "ids": self.ids,
                "files": [self.source.fingerprint(int(row)) for row in self.rows],
                "labels": self.labels,
                "groups": self.groups,
                "classes": self.class_names,
                "channels": self.channel_names,
                "range": self.value_range,
            }
        )


@final
@dataclass(frozen=True, eq=False)
class ArraySource:
    """Pixels (and masks) held in memory.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        In the value range.
    masks : ndarray of bool, shape (n, h, w), optional
        Object masks.
    """

    pixels: NDArray[np.float32]
    masks: NDArray[np.bool_] | None = None

    def read(self, index: int) -> NDArray[np.float32]:
        """Give image `index`, ``(c, h, w)``."""
        return np.asarray(self.pixels[index], dtype=np.float32)

    def read_mask(self, index: int) -> NDArray[np.bool_] | None:
        """Give the mask of image `index`, ``(h, w)``."""
        return None if self.masks is None else self.masks[index]

    def fingerprint(self, index: int) -> str:
        """Hash the pixels of image `index`."""
        return hash_tensors({"pixels": torch.from_numpy(self.read(index))})


def images_from_arrays(
    pixels: NDArray[np.float32] | Tensor,
    *,
    value_range: tuple[float, float] = (0.0, 1.0),
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] = (),
    channel_names: Sequence[str] = (),
    ids: Sequence[str] = (),
    groups: NDArray[np.str_] | None = None,
    masks: NDArray[np.bool_] | None = None,
    table: pd.DataFrame | None = None,
    pixel_size_um: float | None = None,
) -> Images:
    """Make `Images` from arrays in memory.

    Parameters
    ----------
    pixels : ndarray or Tensor, shape (n, c, h, w)
        In `value_range`.
    value_range : (float, float), default (0, 1)
        What the numbers can be.
    labels : ndarray of int, shape (n,), optional
        Index into `class_names`.
    class_names, channel_names, ids : sequence of str, optional
        Names; channels default to ``ch0``..., ids to ``image-000000``...
    groups : ndarray of str, shape (n,), optional
        Unit of replication.
    masks : ndarray of bool, shape (n, h, w), optional
        Object masks.
    table : DataFrame, optional
        Other columns, a row per image.
    pixel_size_um : float, optional
        Micrometres per pixel.

    Returns
    -------
    Images
        Backed by the arrays.

    Raises
    ------
    InputError
        If shapes disagree or pixels are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> images_from_arrays(np.zeros((2, 1, 28, 28), dtype=np.float32))
    Images(2 of 28x28 px, channels ch0, float32 in [0, 1])
    """
    array = np.asarray(pixels, dtype=np.float32)
    if array.ndim != 4:
        raise InputError(f"pixels got shape {array.shape}, expected (n, channels, height, width).")
    if not np.isfinite(array).all():
        raise InputError("pixels hold NaN or Inf: replace them before opening the images.")
    count = len(array)
    _refuse_lengths(count, labels=labels, ids=ids or None, groups=groups, masks=masks, table=table)
    return Images(
        source=ArraySource(array, masks),
        rows=np.arange(count),
        ids=tuple(ids) or tuple(f"image-{i:06d}" for i in range(count)),
        channel_names=tuple(channel_names) or tuple(f"ch{i}" for i in range(array.shape[1])),
        value_range=(float(value_range[0]), float(value_range[1])),
        size=(array.shape[2], array.shape[3]),
        labels=None if labels is None else np.asarray(labels, dtype=np.int64),
        class_names=tuple(class_names),
        groups=groups,
        table=pd.DataFrame() if table is None else table.reset_index(drop=True),
        pixel_size_um=pixel_size_um,
        has_masks=masks is not None,
    )


def _refuse_lengths(count: int, **columns: Sized | None) -> None:
    for name, column in columns.items():
        if column is not None and len(column) != count:
            raise InputError(f"{name} got {len(column)} rows for {count} images: give one row per image.")
