"""The columns that the tables of a run promise, and reading and writing them."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

import pandas as pd
import pyarrow
from pandas.api import types

from diffex.base.errors import FolderError

ColumnKind = Literal["text", "number", "flag", "any"]
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@final
@dataclass(frozen=True)
class Contract:
    """What a table must hold; further columns are kept.

    Parameters
    ----------
    file : str
        Its name in the run folder.
    columns : mapping of str to {"text", "number", "flag", "any"}
        Columns that must be there. ``text`` may be missing in places, ``number`` may be NaN.
    families : mapping of str to {"text", "number", "flag", "any"}
        Prefixes; every column that starts with one must be of the kind.
    key : tuple of str
        Columns whose values, together, occur once.
    """

    file: str
    columns: Mapping[str, ColumnKind]
    families: Mapping[str, ColumnKind] = field(default_factory=dict)
    key: tuple[str, ...] = ()


def _kinds(text: str = "", number: str = "", flag: str = "", anything: str = "") -> dict[str, ColumnKind]:
    named: dict[str, ColumnKind] = {}
    named |= dict.fromkeys(text.split(), "text")
    named |= dict.fromkeys(number.split(), "number")
    named |= dict.fromkeys(flag.split(), "flag")
    named |= dict.fromkeys(anything.split(), "any")
    return named


EFFECTS = Contract(
    "effects.parquet",
    _kinds(
        text="concept kind name words parent",
        number="sign strength max_strength effect ci_low ci_high n groups p q flip_rate flip_low flip_high "
        "rank rank_low rank_high size off_target",
        flag="significant on_manifold",
    ),
    key=("concept", "sign"),
)
CELLS = Contract(
    "cells.parquet",
    _kinds(text="id", anything="label group"),
    families={
        "logit_": "number",
        "code_": "number",
        "score_": "number",
        "effect_": "number",
        "rule_": "number",
    },
    key=("id",),
)
DOSE = Contract(
    "dose.parquet",
    _kinds(
        text="concept",
        number="sign strength effect low high flip_rate flip_low flip_high n discriminator_auroc",
        flag="on_manifold",
    ),
    key=("concept", "sign", "strength"),
)
MEASURED = Contract(
    "measured.parquet",
    _kinds(
        text="concept quantity words unit kind",
        number="sign strength before after change low high change_sd",
        flag="log",
    ),
    key=("concept", "sign", "strength", "quantity"),
)
BREAKDOWN = Contract(
    "breakdown.parquet",
    _kinds(text="concept by name unit", number="sign effect low high n groups"),
    key=("concept", "sign", "by", "name"),
)
DRIVERS = Contract(
    "drivers.parquet",
    _kinds(text="quantity words", number="effect low high p q", flag="significant"),
    key=("quantity",),
)

DOSE_COLUMNS = [
    *("concept", "sign", "strength", "effect", "low", "high"),
    *("flip_rate", "flip_low", "flip_high", "n", "discriminator_auroc", "on_manifold"),
]
"""Columns of `DOSE` as they are written."""
MEASURED_COLUMNS = [
    *("concept", "sign", "strength", "quantity", "words", "unit", "kind", "log"),
    *("before", "after", "change", "low", "high", "change_sd", "rendered"),
]
"""Columns of `MEASURED` as they are written."""
BREAKDOWN_COLUMNS = ["concept", "sign", "by", "name", "effect", "low", "high", "n", "groups", "unit"]
"""Columns of `BREAKDOWN` as they are written."""
DRIVER_COLUMNS = ["quantity", "words", "effect", "low", "high", "p", "q", "significant"]
"""Columns of `DRIVERS` as they are written."""


def check_table(table: pd.DataFrame, contract: Contract, path: Path) -> None:
    """Refuse a table that does not hold what its contract promises.

    Parameters
    ----------
    table : DataFrame
        The table; where it is empty only the names of its columns are checked.
    contract : Contract
        What it must hold.
    path : Path
        Named in the message.

    Raises
    ------
    FolderError
        If a column is missing or of another kind, or a key repeats.
    """
    missing = [name for name in contract.columns if name not in table.columns]
    if missing:
        raise FolderError(
            f"{path} lacks {', '.join(missing)}, expected a column of each: make the run again."
        )
    if not len(table):
        return
    for name, kind in _expected(table, contract).items():
        if not _is_kind(table[name], kind):
            raise FolderError(
                f"{path} holds {table[name].dtype} in column {name!r}, expected {kind}s: make the run again."
            )
    if contract.key and table.duplicated(list(contract.key)).any():
        raise FolderError(
            f"{path} repeats a row, expected each {' and '.join(contract.key)} once: make the run again."
        )


def _expected(table: pd.DataFrame, contract: Contract) -> dict[str, ColumnKind]:
    in_family = {
        str(name): kind
        for name in table.columns
        for prefix, kind in contract.families.items()
        if str(name).startswith(prefix)
    }
    return in_family | dict(contract.columns)


def _is_kind(column: pd.Series, kind: ColumnKind) -> bool:
    if kind == "flag":
        return bool(types.is_bool_dtype(column))
    if kind == "number":
        return bool(types.is_numeric_dtype(column) and not types.is_bool_dtype(column))
    if kind == "text":
        return all(isinstance(value, str) for value in column.dropna())
    return True


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet.

    Parameters
    ----------
    path : Path
        The file; not atomic, `write_run` stages it.
    table : DataFrame
        Its index is not kept.
    """
    table.to_parquet(path, index=False)


def read_table(path: Path, contract: Contract) -> pd.DataFrame:
    """Read a table and check it.

    Parameters
    ----------
    path : Path
        A Parquet file.
    contract : Contract
        What it must hold.

    Returns
    -------
    DataFrame
        As written.

    Raises
    ------
    FolderError
        If it is missing, damaged, or breaks its contract.
    """
    if not path.is_file():
        raise FolderError(f"{path} is missing: the folder is incomplete; make it again.")
    try:
        table = pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise FolderError(f"{path} is damaged (not a Parquet table): make the folder again.") from error
    check_table(table, contract, path)
    return table


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV that a spreadsheet will not run.

    Parameters
    ----------
    path : Path
        The file; not atomic, `write_run` stages it.
    table : DataFrame
        Its index is not kept.
    """
    path.write_text(csv_text(table), encoding="utf-8", newline="")


def csv_text(table: pd.DataFrame) -> str:
    """Turn a table into CSV that a spreadsheet will not run.

    Text that starts with ``=``, ``+``, ``-``, ``@``, a tab or a return would be taken for a formula; it gets
    a leading quote. Numbers stay as they are.

    Parameters
    ----------
    table : DataFrame
        Its index is not kept.

    Returns
    -------
    str
        Lines that end in a line feed.
    """
    safe = table.rename(columns=lambda name: _defused(str(name)))
    texts = [name for name in safe.columns if not types.is_numeric_dtype(safe[name])]
    safe = safe.assign(**{name: safe[name].map(_defused) for name in texts})
    # All text in quotes, so that a lone return within it starts no new row.
    return str(safe.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC))


def _defused(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
