"""What is said of images: captions from a column, or phrases that measurements bear out."""

import numpy as np

from diffex.base.errors import InputError
from diffex.concepts.tree import ConceptTree
from diffex.images import Images
from diffex.images.planted_captions import phrases_of
from diffex.measurements import View, measure

_AT_ONCE = 256


def read_captions(images: Images, column: str) -> list[tuple[str, ...]]:
    """Read phrases, between commas, from a column of the table of images.

    Parameters
    ----------
    images : Images
        Opened from a table.
    column : str
        Name of the column; empty cells say nothing.

    Returns
    -------
    list of tuple of str, length n
        In lower case, as text encoders read.

    Raises
    ------
    InputError
        If there is no such column.
    """
    if column not in images.table.columns:
        there = ", ".join(map(str, images.table.columns)) or "none"
        raise InputError(f"captions got the column {column!r}, the table has {there}: name one of these.")
    cells = images.table[column].fillna("").astype(str).str.lower()
    return [tuple(phrase.strip() for phrase in cell.split(",") if phrase.strip()) for cell in cells]


def measured_captions(images: Images, tree: ConceptTree, view: View = "cell") -> list[tuple[str, ...]]:
    """Say of each image which phrases its measurements bear out.

    Parameters
    ----------
    images : Images
        All of them are measured.
    tree : ConceptTree
        Phrases with the measurements that they mean, from `OfflineDescriber`; others are left out.
    view : {"cell", "field"}, default "cell"
        What the images show, as the describer was told.

    Returns
    -------
    list of tuple of str, length n
        The phrases whose measurement lies more than 0.6 standard deviations to their side of the mean.
    """
    said = [node for node in tree.nodes if node.phrase and node.measurement]
    columns = sorted({str(node.measurement) for node in said})
    parts = []
    for first in range(0, len(images), _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, len(images)))
        table = measure(
            images.read(rows), images.channel_names, images.read_masks(rows), images.pixel_size_um, view=view
        )
        parts.append(table[columns].to_numpy(dtype=np.float64))
    values = np.concatenate(parts)
    spread = values.std(axis=0)
    spread[spread == 0] = np.nan  # what never differs says nothing
    high = dict(zip(columns, ((values - values.mean(axis=0)) / spread).T, strict=True))
    towards = [high[str(node.measurement)] * (1 if node.rises else -1) for node in said]
    return phrases_of(np.stack(towards, axis=1), [(str(node.phrase), "") for node in said])
