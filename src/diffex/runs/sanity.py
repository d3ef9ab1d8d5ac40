"""Whether an explanation depends on its classifier: asked after the run, and kept beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from diffex.base.errors import FolderError
from diffex.base.files import read_json, write_json
from diffex.runs.summary import Part

SANITY = "sanity.json"


class _Other(Part):
    classifier: str
    kind: str
    agreement: float | None


class _Sanity(Part):
    table: list[_Other] = Field(min_length=1)
    depends: bool
    sentence: str


def keep_sanity(run: Path, found: Mapping[str, Any]) -> Path:
    """Write what ``diffex doctor --sanity`` found into the run, whole or not at all.

    Parameters
    ----------
    run : Path
        Run folder; nothing else in it changes.
    found : mapping
        ``table`` (a row per other classifier: ``classifier``, ``kind``, ``agreement``), ``depends`` and
        ``sentence``.

    Returns
    -------
    Path
        The file; that of an earlier check is replaced.

    Raises
    ------
    FolderError
        If it cannot be written.
    """
    write_json(run / SANITY, found)
    return run / SANITY


def read_sanity(path: Path) -> dict[str, Any]:
    """Read ``sanity.json``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        As given to `keep_sanity`.

    Raises
    ------
    FolderError
        If it is missing, damaged, or holds something else.
    """
    value = read_json(path)
    try:
        return _Sanity.model_validate(value).model_dump()
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise FolderError(
            f"{path} is damaged at {where or 'its start'}: run diffex doctor --sanity again."
        ) from error
