"""Tables of a run, as rows of plain values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet, types

from napari_diffex.errors import RunError


def read_rows(
    path: Path, *, text: tuple[str, ...] = (), number: tuple[str, ...] = (), flag: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Read some columns of a Parquet file and check their kinds.

    Parameters
    ----------
    path : Path
        The file.
    text, number, flag : tuple of str
        Columns that must be there, by what they hold; text may be missing in places.

    Returns
    -------
    list of dict
        A row each.

    Raises
    ------
    RunError
        If the file is missing or damaged, or a column is missing or of another kind.
    """
    if not path.is_file():
        raise RunError(f"{path} is missing: the folder is incomplete; make the run again.")
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in (*text, *number, *flag) if name in file.schema_arrow.names]
            table = file.read(columns=names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(f"{path} is damaged (not a Parquet table): make the run again.") from error
    missing = [name for name in (*text, *number, *flag) if name not in names]
    if missing:
        raise RunError(f"{path} lacks {', '.join(missing)}, expected a column of each: make the run again.")
    kinds = ((text, "text", _is_text), (number, "number", _is_number), (flag, "flag", _is_flag))
    for columns, kind, fits in kinds:
        _check(path, table, columns, kind, fits)
    return table.to_pylist()


def _check(
    path: Path, table: pa.Table, columns: tuple[str, ...], kind: str, fits: Callable[[pa.DataType], bool]
) -> None:
    for name in columns:
        held = table.schema.field(name).type
        if len(table) and not fits(held):
            raise RunError(f"{path} holds {held} in column {name!r}, expected {kind}s: make the run again.")


def _is_text(held: pa.DataType) -> bool:
    return types.is_string(held) or types.is_large_string(held) or types.is_null(held)


def _is_number(held: pa.DataType) -> bool:
    return types.is_floating(held) or types.is_integer(held)


def _is_flag(held: pa.DataType) -> bool:
    return types.is_boolean(held)
