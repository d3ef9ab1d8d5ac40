"""Tables of images: CSV or Parquet, with columns that name files, labels, groups and masks."""

import csv
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pandas as pd
import pyarrow

from diffex.base.errors import InputError
from diffex.images.cellprofiler import two_line_head
from diffex.images.listing import Listing
from diffex.images.naming import clean_text, shown

TABLE_SUFFIXES = frozenset({".csv", ".parquet"})
_KEYS = ("path", "label", "group", "mask")
_PATH_DEFAULTS = ("path", "file")
_PANDAS = (pd.errors.ParserError, pd.errors.ParserWarning)
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@final
@dataclass(frozen=True, eq=False)
class TableFile:
    """A table as it was read.

    Parameters
    ----------
    path : Path
        Where it is.
    typed : DataFrame
        Numbers as numbers.
    text : DataFrame
        Everything as it was written, so that "01" stays "01".
    """

    path: Path
    typed: pd.DataFrame
    text: pd.DataFrame

    def column(self, name: str, use: str) -> list[str]:
        """Give a column as text, or refuse with the names of those that are there.

        Parameters
        ----------
        name : str
            Of the column.
        use : str
            What it is for, for the message.

        Returns
        -------
        list of str
            A text per row, empty where there is none.
        """
        if name not in self.text.columns:
            have = ", ".join(shown(column) for column in self.text.columns)
            raise InputError(
                f"{shown(self.path)} has no column {name!r} (for {use}), expected one of: {have}; "
                "name another in --columns or --where."
            )
        return [str(value) for value in self.text[name]]

    def full_column(self, name: str, use: str) -> tuple[str, ...]:
        """Give a column as text, or refuse it where a row has none.

        Parameters
        ----------
        name : str
            Of the column.
        use : str
            What it is for, for the message.

        Returns
        -------
        tuple of str
            A text per row.
        """
        values = tuple(clean_text(value) for value in self.column(name, use))
        if "" in values:
            raise InputError(
                f"{shown(self.path)} has no {use} in column {name!r} for {values.count('')} of {len(values)} "
                f"rows (first: row {int(self.text.index[values.index('')]) + 1}), expected one in every row: "
                "fill them in or narrow the rows with --where."
            )
        return values


def read_table(path: Path) -> TableFile:
    """Read a table.

    Parameters
    ----------
    path : Path
        A ``.csv`` (UTF-8, commas) or ``.parquet`` file; CellProfiler's head of two lines becomes one.

    Returns
    -------
    TableFile
        At least one row.

    Raises
    ------
    InputError
        If it cannot be read, or has no rows.
    """
    try:
        table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except InputError:
        raise
    except (OSError, ValueError, pyarrow.ArrowException, csv.Error, *_PANDAS) as error:
        reason = shown(str(error).strip().split("\n")[0])
        raise InputError(
            f"{shown(path)} cannot be read as a table ({reason}), expected CSV in UTF-8 or Parquet: "
            "save it again."
        ) from error
    if not len(table.text):
        raise InputError(f"{shown(path)} has no rows, expected one per image: fill it first.")
    return table


def list_table(
    path: Path, columns: Mapping[str, str] | None, where: Mapping[str, Sequence[str]] | None
) -> Listing:
    """List the images of a table.

    Parameters
    ----------
    path : Path
        A ``.csv`` (UTF-8, commas) or ``.parquet`` file; image paths are relative to its folder.
    columns : mapping of str to str, optional
        Which column holds ``path``, ``label``, ``group``, ``mask``; any other key is the name of a
        channel with a file of its own. ``path`` defaults to a column ``path`` or ``file``.
    where : mapping of str to sequence of str, optional
        Keep the rows whose column has one of these values.

    Returns
    -------
    Listing
        In the table's order; ids are the text of the path column.

    Raises
    ------
    InputError
        If the table cannot be read, a column is absent, no row is left, values are missing, or an
        image is listed twice.
    """
    table = _filtered(read_table(path), where or {})
    roles = dict(columns or {})
    parts = tuple(key for key in roles if key not in _KEYS)
    sources = _file_columns(table, roles, parts)
    files = [table.full_column(column, f"{key} file") for key, column in sources.items()]
    ids = files[0]
    _refuse_repeats(table, ids)
    used = {*sources.values(), *(roles[key] for key in _KEYS if key in roles)}
    return Listing(
        ids=ids,
        files=tuple(tuple(path.parent / name for name in names) for names in zip(*files, strict=True)),
        parts=parts,
        labels=table.full_column(roles["label"], "label") if "label" in roles else None,
        groups=table.full_column(roles["group"], "group") if "group" in roles else None,
        masks=_masks(table, roles["mask"]) if "mask" in roles else None,
        table=table.typed.drop(columns=[*used]).reset_index(drop=True),
    )


def _file_columns(table: TableFile, roles: Mapping[str, str], parts: Sequence[str]) -> dict[str, str]:
    if not parts:
        return {"path": roles.get("path") or _default_path(table)}
    if "path" in roles:
        raise InputError(
            f"--columns got path={roles['path']} as well as channels of their own ({', '.join(parts)}), "
            "expected one or the other: one file for all channels, or one file per channel."
        )
    return {part: roles[part] for part in parts}


def _default_path(table: TableFile) -> str:
    return next((name for name in _PATH_DEFAULTS if name in table.text.columns), _PATH_DEFAULTS[0])


def _masks(table: TableFile, column: str) -> tuple[Path | None, ...]:
    names = table.column(column, "mask file")
    return tuple(table.path.parent / name if name else None for name in names)


def plain_columns(table: pd.DataFrame) -> dict[str, str]:
    """Find columns by name, however a program spells it.

    Parameters
    ----------
    table : DataFrame
        Of cells or fields.

    Returns
    -------
    dict of str to str
        The columns by their names in lower case, without pycytominer's ``Metadata_``.

    Examples
    --------
    >>> plain_columns(pd.DataFrame(columns=["Metadata_Well", "plate"]))
    {'well': 'Metadata_Well', 'plate': 'plate'}
    """
    return {str(name).lower().removeprefix("metadata_"): str(name) for name in table.columns}


def _refuse_repeats(table: TableFile, ids: Sequence[str]) -> None:
    repeated = pd.Series(ids)[lambda names: names.duplicated()]
    if len(repeated):
        raise InputError(
            f"{shown(table.path)} lists {shown(repeated.iloc[0])} more than once ({len(repeated)} rows too "
            "many), expected each image once: remove the repeats or narrow the rows with --where."
        )


def _read_csv(path: Path) -> TableFile:
    with warnings.catch_warnings():
        # Of rows longer than the head pandas drops the ends: a comma in a number or a name shifts all behind.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        head = pd.read_csv(path, dtype=str, encoding="utf-8-sig", nrows=0)
        _refuse_other_separators(path, [str(name) for name in head.columns])
        names = two_line_head(path)
        form: dict[str, Any] = {"encoding": "utf-8-sig", "index_col": False}
        form |= {} if names is None else {"header": None, "skiprows": 2, "names": names}
        # Labels such as NA or None are names, so the text is read without pandas' missing values.
        text = pd.read_csv(path, dtype=str, keep_default_na=False, **form)
        typed = pd.read_csv(path, low_memory=False, **form)
    return TableFile(path, typed, text)


def _refuse_other_separators(path: Path, columns: Sequence[str]) -> None:
    for sign, name in _OTHER_SEPARATORS.items():
        if len(columns) == 1 and sign in columns[0]:
            raise InputError(
                f"{shown(path)} is separated by {name}, expected commas, and points in numbers: save it "
                "again as CSV with commas."
            )


def _read_parquet(path: Path) -> TableFile:
    typed = pd.read_parquet(path).reset_index(drop=True)
    typed.columns = [str(name) for name in typed.columns]
    text = pd.DataFrame({name: [_as_text(value) for value in typed[name]] for name in typed.columns})
    return TableFile(path, typed, text)


def _as_text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _filtered(table: TableFile, where: Mapping[str, Sequence[str]]) -> TableFile:
    for column, values in where.items():
        wanted = [values] if isinstance(values, str) else [_as_text(value) for value in values]
        texts = pd.Series(table.column(column, "--where"), index=table.text.index)
        keep = texts.isin(wanted) | _equal_numbers(table.typed[column], wanted)
        if not keep.any():
            have = ", ".join(shown(value) for value in sorted(set(texts))[:8])
            raise InputError(
                f"--where {column}={','.join(wanted)} leaves no rows of {shown(table.path)}, expected values "
                f"such as: {have}; change the filter."
            )
        table = TableFile(table.path, table.typed[keep], table.text[keep])
    return table


def _equal_numbers(column: "pd.Series[Any]", wanted: Sequence[str]) -> "pd.Series[bool]":
    if not pd.api.types.is_numeric_dtype(column):
        return pd.Series(False, index=column.index)
    numbers = pd.to_numeric(pd.Series(wanted), errors="coerce").dropna()
    return column.isin(numbers)
