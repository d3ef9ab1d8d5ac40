"""Scored cells as tables: Parquet, written part by part, and AnnData."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from diffex.base.files import atomic_path
from diffex.explainers.kept_columns import kept_columns
from diffex.explainers.responders.annotated import can_annotate, write_annotated
from diffex.explainers.scores.effects import Calibrated
from diffex.explainers.scores.parts import read_parts
from diffex.images import Images
from diffex.responses.scores import ScoreAxes

CELLS, ANNOTATED = "cells.parquet", "cells.h5ad"


@final
@dataclass(frozen=True, eq=False)
class Columns:
    """The numbers of a cell, in their order in the parts.

    Parameters
    ----------
    classes : tuple of str
        Of the classifier: a column ``logit_<class>`` each.
    axes : ScoreAxes
        Columns ``code_<i>`` of the codes, ``score_<concept>`` of what is read off them.
    effects : tuple of Calibrated
        Columns ``effect_<concept>``; in the parts they are not calibrated yet.
    """

    classes: tuple[str, ...]
    axes: ScoreAxes
    effects: tuple[Calibrated, ...] = ()

    @property
    def codes(self) -> slice:
        """Where the codes are."""
        return slice(len(self.classes), len(self.classes) + len(self.axes.centre))

    @property
    def names(self) -> list[str]:
        """Names of the columns, as in a run's ``cells.parquet``."""
        return [
            *(f"logit_{name}" for name in self.classes),
            *(f"code_{k}" for k in range(len(self.axes.centre))),
            *(f"score_{name}" for name in self.axes.names),
            *(f"effect_{one.concept}" for one in self.effects),
        ]

    def frame(self, numbers: NDArray[np.float32]) -> pd.DataFrame:
        """Name the numbers of a part, and calibrate its effects.

        Parameters
        ----------
        numbers : ndarray, shape (b, m)
            Of some cells.

        Returns
        -------
        DataFrame
            ``b`` rows.
        """
        table = pd.DataFrame(numbers, columns=self.names)
        done = {
            f"effect_{one.concept}": one(table[f"effect_{one.concept}"].to_numpy()) for one in self.effects
        }
        return table.assign(**done)


def write_cells(out: Path, images: Images, columns: Columns, notes: Mapping[str, Any]) -> None:
    """Write ``cells.parquet`` and, where the package anndata is installed, ``cells.h5ad``.

    Parameters
    ----------
    out : Path
        With all parts.
    images : Images
        The cells; their own columns are kept. Without labels, ``label`` is what the classifier predicts.
    columns : Columns
        What the numbers are.
    notes : mapping
        For ``uns["diffex"]``.
    """
    known = _known(out, images, columns)
    arrow = pyarrow.Table.from_pandas(known, preserve_index=False)
    with atomic_path(out / CELLS) as temporary:
        _stream(temporary, arrow, _frames(out, images, columns))
    if can_annotate():
        with atomic_path(out / ANNOTATED) as temporary:
            _annotate(temporary, known, pd.concat(list(_frames(out, images, columns))), columns, notes)


def _known(out: Path, images: Images, columns: Columns) -> pd.DataFrame:
    if images.labels is None:
        classes = len(columns.classes)
        predicted = [part[:, :classes].argmax(axis=1) for _, part in read_parts(out, len(images))]
        labels = np.asarray(columns.classes, dtype=object)[np.concatenate(predicted)]
    else:
        labels = np.asarray(images.class_names, dtype=object)[images.labels]
    groups = [None] * len(images) if images.groups is None else images.groups.astype(object)
    own = pd.DataFrame({"id": list(images.ids), "label": labels, "group": groups})
    return pd.concat([own, kept_columns(images, {*own.columns, *columns.names})], axis=1)


def _frames(out: Path, images: Images, columns: Columns) -> Iterator[pd.DataFrame]:
    return (columns.frame(numbers) for _, numbers in read_parts(out, len(images)))


def _stream(path: Path, known: pyarrow.Table, frames: Iterator[pd.DataFrame]) -> None:
    writer, start = None, 0
    for frame in frames:
        numbers = pyarrow.Table.from_pandas(frame, preserve_index=False)
        table = known.slice(start, len(frame))
        for name in numbers.column_names:
            table = table.append_column(name, numbers[name])
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
        start += len(frame)
    assert writer is not None
    writer.close()


def _annotate(
    path: Path, known: pd.DataFrame, numbers: pd.DataFrame, columns: Columns, notes: Mapping[str, Any]
) -> None:
    names = [f"score_{name}" for name in columns.axes.names]
    codes = numbers.iloc[:, columns.codes]
    rest = numbers.drop(columns=codes.columns).reset_index(drop=True)
    weights = pd.DataFrame(columns.axes.weights, columns=names)
    cells = pd.concat([known, rest], axis=1)
    write_annotated(path, codes.to_numpy(), weights, cells, rest[names], notes)
