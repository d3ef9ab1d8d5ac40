"""Plain arrays in one file, never pickled."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import FolderError


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read arrays by name.

    Parameters
    ----------
    path : Path
        An npz file.

    Returns
    -------
    dict of str to ndarray
        The arrays.

    Raises
    ------
    FolderError
        If it is missing, damaged or pickled.
    """
    if not path.is_file():
        raise FolderError(f"{path} is missing: the folder is incomplete; make it again.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, KeyError, AttributeError) as error:
        raise FolderError(f"{path} is damaged (not plain arrays): make the folder again.") from error
