"""CellProfiler's habits: heads of two lines, and folders of the computer that it ran on."""

import csv
from pathlib import Path, PureWindowsPath

import pandas as pd

from diffex.base.errors import InputError
from diffex.images.naming import shown

_FILE, _FOLDER = "FileName_", "PathName_"  # columns: name and folder of a file


def two_line_head(path: Path) -> list[str] | None:
    """Join the two lines that head a sheet of several kinds of objects.

    Parameters
    ----------
    path : Path
        A CSV file.

    Returns
    -------
    list of str or None
        ``Nuclei_AreaShape_Area`` for ``Nuclei`` above ``AreaShape_Area``, and the plain name for what is
        below ``Image``; None where ``ImageNumber`` is not below ``Image``: the head is one line.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = csv.reader(stream)
        pairs = list(zip(next(lines, []), next(lines, []), strict=False))
    if ("Image", "ImageNumber") not in pairs:
        return None
    return [name if kind == "Image" else f"{kind}_{name}" for kind, name in pairs]


def find_file(file: Path, column: str, row: "pd.Series", table: Path) -> Path:
    r"""Find a file that ``FileName_X`` names.

    Parameters
    ----------
    file : Path
        Where it is if it lies beside the table.
    column : str
        That names it.
    row : Series
        Of the table; its ``PathName_X`` may be of another computer, as ``D:\screen\plate1``.
    table : Path
        The table.

    Returns
    -------
    Path
        Beside the table, in the folder that is named, or in a folder beside the table by the end of that
        name: ``screen/plate1``, else ``plate1``. Where no folder is named, `file`.

    Raises
    ------
    InputError
        If it is in none of these.
    """
    folder = row.get(column.replace(_FILE, _FOLDER)) if _FILE in column else None
    if not isinstance(folder, str) or file.exists():
        return file
    windows = PureWindowsPath(folder)  # which takes both kinds of slashes
    parts = windows.relative_to(windows.anchor).parts
    tails = [table.parent.joinpath(*parts[start:]) for start in range(len(parts))]
    found = next((one / file.name for one in (Path(folder), *tails) if (one / file.name).exists()), None)
    if found is None:
        raise InputError(
            f"{shown(table)} says that {shown(file.name)} lies in {shown(folder)}, where it is not, expected "
            "it there or beside the table: copy that folder, or its files, beside the table."
        )
    return found
