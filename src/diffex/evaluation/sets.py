"""The real image sets, opened as their rows of the issue ask."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from diffex.images import Images, PlantedCells, images_from_arrays, open_images
from diffex.images.planted import CLASS_NAMES
from diffex.images.planted_labels import LabelRule

FKHR = "bbbc013_fkhr"
JURKAT = "jurkat_cellcycle"
BCCD = "bccd_cells"
CIFAR = "cifar_photos"
FASHION = "fashion_mnist_small"
NUCLEI = "bbbc039_nuclei"


def open_fkhr(folder: Path, split: str) -> Images:
    """Open the untreated and the saturated wells of bbbc013_fkhr.

    Parameters
    ----------
    folder : Path
        Of the set.
    split : {"train", "test"}
        Which side.

    Returns
    -------
    Images
        Classes ``negative`` and ``positive``, grouped by well, with nucleus masks.
    """
    return _fkhr(folder, {"split": [split], "label": ["negative", "positive"]})


def open_fkhr_doses(folder: Path) -> Images:
    """Open the untreated and the dosed wells of bbbc013_fkhr, of both sides.

    Parameters
    ----------
    folder : Path
        Of the set.

    Returns
    -------
    Images
        Classes ``dose`` and ``negative``, grouped by well, with nucleus masks; rows as in `cells.csv`.
    """
    return _fkhr(folder, {"label": ["negative", "dose"]})


def _fkhr(folder: Path, where: dict[str, list[str]]) -> Images:
    columns = {"path": "file", "label": "label", "group": "well", "mask": "mask"}
    return open_images(folder / "cells.csv", columns=columns, where=where, channel_names=("FKHR", "DNA"))


def open_jurkat(folder: Path, split: str) -> Images:
    """Open jurkat_cellcycle with a file per channel; the bright-field file has the DNA file's name.

    Parameters
    ----------
    folder : Path
        Of the set.
    split : {"train", "test"}
        Which side.

    Returns
    -------
    Images
        Seven classes, channels ``dna`` and ``brightfield``.
    """
    parts = [
        open_images(folder / split),
        open_images(folder / "brightfield" / split),
    ]
    return stack_channels(parts, ("dna", "brightfield"))


def stack_channels(parts: Sequence[Images], names: Sequence[str]) -> Images:
    """Put sets of one channel each, with the same ids, together.

    Parameters
    ----------
    parts : sequence of Images
        One channel each.
    names : sequence of str
        Of the channels.

    Returns
    -------
    Images
        In memory, with the labels of the first; images that another part lacks are left out.
    """
    first = parts[0]
    places = [{name: i for i, name in enumerate(part.ids)} for part in parts]
    keep = [i for i, name in enumerate(first.ids) if all(name in place for place in places)]
    ids = [first.ids[i] for i in keep]
    channels = [part.read([place[name] for name in ids]) for part, place in zip(parts, places, strict=True)]
    kept = first.subset(keep)
    pixels = np.concatenate([channel.numpy() for channel in channels], axis=1)
    made = images_from_arrays(pixels, value_range=first.value_range, channel_names=names, ids=ids)
    return replace(made, labels=kept.labels, class_names=kept.class_names, dtype=kept.dtype)


def open_bccd(folder: Path, split: str) -> Images:
    """Open bccd_cells, grouped by smear.

    Parameters
    ----------
    folder : Path
        Of the set.
    split : {"train", "test"}
        Which side.

    Returns
    -------
    Images
        Three classes, red, green, blue.
    """
    return open_images(
        folder / "cells.csv",
        columns={"path": "file", "label": "label", "group": "image"},
        where={"split": [split]},
    )


def open_pair(folder: Path, split: str, names: tuple[str, str]) -> Images:
    """Open two classes of cifar_photos or fashion_mnist_small.

    Parameters
    ----------
    folder : Path
        Of the set.
    split : {"train", "test"}
        Which side.
    names : (str, str)
        The classes.

    Returns
    -------
    Images
        Those two classes alone.
    """
    every = open_images(folder / split)
    assert every.labels is not None
    wanted = [every.class_names.index(name) for name in sorted(names)]
    kept = every.subset(np.flatnonzero(np.isin(every.labels, wanted)))
    assert kept.labels is not None
    return replace(kept, labels=np.searchsorted(wanted, kept.labels), class_names=tuple(sorted(names)))


def in_memory(images: Images) -> Images:
    """Render or read a set once.

    Parameters
    ----------
    images : Images
        Any, small enough for the memory.

    Returns
    -------
    Images
        The same, backed by arrays.
    """
    masks = images.read_masks()
    made = images_from_arrays(
        images.read(),
        value_range=images.value_range,
        channel_names=images.channel_names,
        ids=images.ids,
        masks=None if masks is None else masks.numpy(),
    )
    return replace(
        made, labels=images.labels, class_names=images.class_names, groups=images.groups,
        table=images.table, pixel_size_um=images.pixel_size_um, dtype=images.dtype,
    )  # fmt: skip


def planted(count: int, seed: int, rule: LabelRule | None = None, size: int = 64) -> Images:
    """Simulate cells and keep them in memory.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Of the cells.
    rule : LabelRule, optional
        Labels them.
    size : int, default 64
        Pixels per side.

    Returns
    -------
    Images
        With their factors in the table.
    """
    return in_memory(PlantedCells(size=size).images(count, seed, rule=rule))


def relabelled(images: Images, rule: LabelRule, seed: int) -> Images:
    """Label simulated cells by another rule that leaves the factors as they are.

    Parameters
    ----------
    images : Images
        With their factors in the table.
    rule : LabelRule
        Not a shortcut.
    seed : int
        Of the labels.

    Returns
    -------
    Images
        The same pixels.
    """
    return replace(images, labels=rule.labels(factors_of(images), seed), class_names=CLASS_NAMES)


def factors_of(images: Images) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Read the factors of simulated cells off their table.

    Parameters
    ----------
    images : Images
        Simulated.

    Returns
    -------
    ndarray, shape (n, 12)
        In standard deviations.
    """
    table: pd.DataFrame = images.table.filter(regex="^factor_")
    return np.asarray(table.to_numpy(dtype=np.float64))


def open_nuclei(folder: Path, split: str) -> Images:
    """Open bbbc039_nuclei: round and elongated by the eccentricity of the manual mask.

    Parameters
    ----------
    folder : Path
        Of the set.
    split : {"train", "test"}
        Which side.

    Returns
    -------
    Images
        Two classes, grouped by field, with manual masks.
    """
    return open_images(
        folder / "cells.csv",
        columns={"path": "file", "label": "label", "group": "well_site", "mask": "mask"},
        where={"split": [split]},
        channel_names=("DNA",),
    )


def open_jurkat_states(folder: Path, split: str) -> Images:
    """Open jurkat_cellcycle in five states: the three late phases of mitosis are one, called rest.

    Parameters
    ----------
    folder : Path
        Of the set.
    split : {"train", "test"}
        Which side.

    Returns
    -------
    Images
        As of `open_jurkat`.
    """
    images = open_jurkat(folder, split)
    assert images.labels is not None
    states = ("G1", "S", "G2", "prophase", "rest")
    places = [states.index(name) if name in states else len(states) - 1 for name in images.class_names]
    labels = np.array([places[label] for label in images.labels], dtype=np.int64)
    return replace(images, labels=labels, class_names=states)
