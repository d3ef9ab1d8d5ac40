"""Tables of centroids: which cells lie where in which field, CellProfiler's and pycytominer's included."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.images.fields import CELL_KEYS, FieldList
from diffex.images.naming import shown
from diffex.images.tables import TableFile, read_table

# In this order; the nucleus before the whole cell, whose middle moves with its processes.
_OBJECTS = ("", "Nuclei_", "Cells_", "Metadata_Nuclei_", "Metadata_Cells_", "Metadata_")
_PLACES = ("Location_Center", "AreaShape_Center")
_DEFAULTS = {
    **{
        axis: (axis, *(f"{prefix}{place}_{axis.upper()}" for prefix in _OBJECTS for place in _PLACES))
        for axis in ("x", "y")
    },
    "cell": (
        "cell",
        *(f"{prefix}{name}" for prefix in _OBJECTS for name in ("ObjectNumber", "Number_Object_Number")),
    ),
    "field": ("field", "path", "file"),
}
_FILE_NAMES = re.compile(r"(Image_|Metadata_)*FileName_")
_IMAGE_NUMBERS = ("ImageNumber", "Metadata_ImageNumber", "Image_ImageNumber")


def read_centroids(
    path: Path, fields: FieldList, columns: Mapping[str, str] | None = None
) -> list[pd.DataFrame]:
    """Read where cells lie.

    Parameters
    ----------
    path : Path
        A ``.csv`` or ``.parquet`` table with a row per cell.
    fields : FieldList
        The fields. A row belongs to the field that its ``field`` column names (id, path or file name), or a
        column ``FileName_...``, or whose row in a table of fields has the same ``ImageNumber``; to the one
        field, where there is one and nothing names another.
    columns : mapping of str to str, optional
        Which column holds ``field``, ``x``, ``y`` (pixels) and ``cell``. By default ``x, y, cell, field``,
        or as CellProfiler and pycytominer call them: ``Nuclei_Location_Center_X``, ``ObjectNumber``.

    Returns
    -------
    list of DataFrame
        One per field, in their order: ``cell, y, x`` and all other columns of the table.

    Raises
    ------
    InputError
        If a column is absent, a place is no number, or rows name fields that are not there.
    """
    table = read_table(path)
    roles = _roles(table, dict(columns or {}))
    cells = table.typed.drop(columns=[*roles.values()]).reset_index(drop=True)
    places = {axis: _numbers(table, roles[axis]) for axis in ("y", "x")}
    at = _fields_of(table, fields, roles.get("field"))
    numbers = pd.Series(at).groupby(at).cumcount().to_numpy() + 1
    named = table.typed[roles["cell"]].to_numpy() if "cell" in roles else numbers
    cells = pd.concat([pd.DataFrame({"cell": named, **places}), cells], axis=1)
    _refuse_repeats(table, at, cells["cell"])
    return [cells[at == index].reset_index(drop=True) for index in range(len(fields.ids))]


def _roles(table: TableFile, given: dict[str, str]) -> dict[str, str]:
    for key, column in given.items():
        table.column(column, key)
    found = {
        key: next((name for name in names if name in table.text.columns), None)
        for key, names in _DEFAULTS.items()
        if key not in given
    }
    for axis in ("x", "y"):
        if axis not in given and found[axis] is None:
            table.column(axis, f"{axis} of the centroids")
    roles = {**{key: name for key, name in found.items() if name is not None}, **given}
    return {key: roles[key] for key in CELL_KEYS if key in roles}


def _numbers(table: TableFile, column: str) -> NDArray[np.float64]:
    values = pd.to_numeric(table.typed[column], errors="coerce").to_numpy(dtype=float)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        text = table.text[column].iloc[bad[0]]
        raise InputError(
            f"{shown(table.path)} has {shown(text)!r} in column {column!r} for {len(bad)} of {len(values)} "
            f"cells (first: row {bad[0] + 1}), expected a place in pixels: remove these rows."
        )
    return values


def _fields_of(table: TableFile, fields: FieldList, column: str | None) -> NDArray[np.int64]:
    texts = [str(name) for name in table.text.columns]
    names = [column] if column else [name for name in texts if _FILE_NAMES.match(name)]
    if names:
        return _by_name(table, fields, names)
    number = next((name for name in _IMAGE_NUMBERS if name in texts), None)
    of_fields = next((name for name in _IMAGE_NUMBERS if name in fields.table.columns), None)
    if number and of_fields:
        return _matched(table, number, _unique(table, fields.table[of_fields], of_fields))
    if len(fields.ids) > 1:
        raise InputError(
            f"{shown(table.path)} does not say to which of {len(fields.ids)} fields a cell belongs, "
            "expected a column field or FileName_..., or ImageNumber as in a table of fields (Image.csv): "
            "name one with --columns field=COLUMN."
        )
    return np.zeros(len(table.text), dtype=np.int64)


def _by_name(table: TableFile, fields: FieldList, columns: Sequence[str]) -> NDArray[np.int64]:
    known: dict[str, int] = {}
    doubtful: set[str] = set()
    for index, (name, files) in enumerate(zip(fields.ids, fields.files, strict=True)):
        for text in {name, Path(name).name, *map(str, files), *(file.name for file in files)}:
            if known.setdefault(text, index) != index:
                doubtful.add(text)
    clear = {text: index for text, index in known.items() if text not in doubtful}
    # Of several file columns, a channel each, the first that names a field is as good as any.
    best = max(columns, key=lambda column: int(np.count_nonzero(table.text[column].isin(list(clear)))))
    return _matched(table, best, clear)


def _unique(table: TableFile, numbers: "pd.Series[Any]", column: str) -> dict[str, int]:
    if numbers.duplicated().any():
        raise InputError(
            f"The table of fields has {column} {numbers[numbers.duplicated()].iloc[0]} more than once, "
            f"expected a number per field for {shown(table.path)}: crop each plate alone, or use "
            "--columns field=COLUMN."
        )
    return {_plain(str(number)): index for index, number in enumerate(numbers)}


def _plain(text: str) -> str:
    return text.removesuffix(".0")  # a column of numbers with gaps was floats when it was written


def _matched(table: TableFile, column: str, known: Mapping[str, int]) -> NDArray[np.int64]:
    at = np.array([known.get(_plain(text), -1) for text in table.text[column]])
    strangers = table.text[column][at < 0]
    if len(strangers):
        raise InputError(
            f"{shown(table.path)} names {shown(strangers.iloc[0])} in column {column!r} ({len(strangers)} of "
            f"{len(at)} rows are of no field given), expected one of {len(set(known.values()))} fields, "
            f"such as {shown(next(iter(known), 'none'))}: give all fields, or leave the rows out."
        )
    return at


def _refuse_repeats(table: TableFile, at: NDArray[np.int64], cells: "pd.Series[Any]") -> None:
    repeated = pd.DataFrame({"field": at, "cell": cells}).duplicated()
    if repeated.any():
        raise InputError(
            f"{shown(table.path)} has cell {cells[repeated].iloc[0]} of one field more than once "
            f"({int(repeated.sum())} rows too many), expected a number per cell: name its column with "
            "--columns cell=COLUMN."
        )
