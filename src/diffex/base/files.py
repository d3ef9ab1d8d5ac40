"""Files that are either whole or absent: written to a temporary name, then renamed."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from diffex.base.errors import FolderError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` if the block succeeds.

    Parameters
    ----------
    path : Path
        The file to write. Its folder is made if absent.

    Yields
    ------
    Path
        The temporary name to write to.

    Raises
    ------
    FolderError
        If the disk refuses (full, read-only).
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise FolderError(
            f"Cannot write {path}: {error.strerror or error}. "
            "Free some space or choose a folder that can be written with --out."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically.

    Parameters
    ----------
    path : Path
        The file to write.
    text : str
        Its whole content.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented, keys as given, no NaN.

    Parameters
    ----------
    path : Path
        The file to write.
    value : object
        Anything JSON can hold; numpy scalars and arrays are converted, non-finite floats become null.
    """
    write_text(path, json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path
        The file to read.

    Returns
    -------
    object
        What it holds.

    Raises
    ------
    FolderError
        If the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FolderError(f"{path} is missing: the folder is incomplete; make it again.") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise FolderError(f"{path} is damaged (not JSON): make the folder again.") from error


def plain(value: Any) -> Any:
    """Turn numpy values, paths, tuples and non-finite floats into what JSON can hold.

    Parameters
    ----------
    value : object
        A nested structure.

    Returns
    -------
    object
        The same structure of dict, list, str, int, float, bool and None.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors as safetensors, atomically.

    Parameters
    ----------
    path : Path
        The file to write.
    tensors : mapping of str to Tensor
        Any shapes and dtypes; moved to the CPU.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with atomic_path(path) as temporary:
        try:
            save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, temporary)
        except SafetensorError as error:  # how it reports a full disk
            raise OSError(str(error)) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Parameters
    ----------
    path : Path
        The file to read.

    Returns
    -------
    dict of str to Tensor
        The tensors, on the CPU.

    Raises
    ------
    FolderError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise FolderError(f"{path} is missing: the folder is incomplete; make it again.") from error
    except (SafetensorError, OSError) as error:
        raise FolderError(f"{path} is damaged: make the folder again.") from error
