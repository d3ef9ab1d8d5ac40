"""Which files make up a set of images, before any is opened."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import pandas as pd


@final
@dataclass(frozen=True, eq=False)
class Listing:
    """The files and what is known of them.

    Parameters
    ----------
    ids : tuple of str
        A name per image, unique, valid Unicode.
    files : tuple of tuple of Path
        The files of each image: one, or one per channel.
    parts : tuple of str
        The channel that each file of an image holds; empty where one file holds all.
    labels : tuple of str, optional
        Class name per image.
    groups : tuple of str, optional
        Unit of replication per image.
    masks : tuple of (Path or None), optional
        Object mask per image.
    table : DataFrame
        All other columns, a row per image.
    """

    ids: tuple[str, ...]
    files: tuple[tuple[Path, ...], ...]
    parts: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    masks: tuple[Path | None, ...] | None = None
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
