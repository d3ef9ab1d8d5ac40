"""Whether an output folder is free for what is asked; said before any work is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from diffex.base.errors import FolderError
from diffex.base.files import plain, read_json, write_json
from diffex.images import Images
from diffex.runs import Explanation
from diffex.runs.folder import HEAD

_NOTE = "request.json"
_MODEL = "model"


def claim(folder: Path, request: Mapping[str, Any]) -> None:
    """Note in an output folder what it is for, so that the same request may go on and no other.

    Parameters
    ----------
    folder : Path
        Made if absent.
    request : mapping
        Everything that decides the content; anything JSON can hold.

    Raises
    ------
    FolderError
        If the folder is used for something else, or cannot be written.
    """
    require_claimable(folder, request)
    write_json(folder / _NOTE, request)


def require_claimable(folder: Path, request: Mapping[str, Any]) -> None:
    """Refuse a folder that holds something else; write nothing.

    Parameters
    ----------
    folder : Path
        May be absent.
    request : mapping
        As for `claim`.

    Raises
    ------
    FolderError
        If the folder is a file, not empty, or holds the result of another request.
    """
    content = _content(folder)
    if _NOTE in content:
        if read_json(folder / _NOTE) != plain(request):
            raise FolderError(
                f"--out {folder} holds the result of another command, expected an empty folder or one "
                "begun with the same images and options: choose another --out."
            )
    elif content:
        raise _foreign(folder, content)


def request_about(
    command: str, explanation: Explanation, images: Images, config: BaseModel
) -> dict[str, Any]:
    """Describe a question about a run, for `claim`: another run, other cells or options are another request.

    Parameters
    ----------
    command : str
        Which question.
    explanation : Explanation
        The run.
    images : Images
        Of which cells.
    config : BaseModel
        What is asked.

    Returns
    -------
    dict
        That JSON can hold.
    """
    summary = explanation.summary
    return {
        "command": command,
        "images": images.fingerprint(),
        "model": summary["model"]["state_hash"],
        "run": [summary["created"], summary["target"], summary["seed"]],
        "config": config.model_dump(mode="json"),
    }


def require_free_model(folder: Path) -> None:
    """Refuse to put a model where something foreign is; write nothing.

    Parameters
    ----------
    folder : Path
        The model folder, may be absent. `fit_model` sees to it that a model in it is the same.

    Raises
    ------
    FolderError
        If the folder is a file or holds foreign files.
    """
    content = _content(folder)
    if content and _NOTE not in content:
        raise _foreign(folder, content)


def require_free_run(
    folder: Path, target: str, model_hash: str | None = None, method: str = "attributes"
) -> None:
    """Refuse to put a run where another run or something foreign is; write nothing.

    Parameters
    ----------
    folder : Path
        The run folder, may be absent. A model in ``model`` is no obstacle.
    target : str
        Target class of the new run.
    model_hash : str, optional
        State hash of its generator, where it is known already.
    method : str, default "attributes"
        Of the new run.

    Raises
    ------
    FolderError
        If the folder is a file, holds a run of another method, target or model, or foreign files.
    """
    content = _content(folder)
    if HEAD not in content:
        foreign = [name for name in content if name != _MODEL]
        if foreign:
            raise _foreign(folder, foreign)
        return
    head = read_json(folder / HEAD)
    there = _identity(head) if isinstance(head, dict) else None
    if there is None or there[:2] != (method, target) or model_hash not in (None, there[2]):
        raise FolderError(
            f"--out {folder} holds another run ({_said(there)}), expected an empty folder or a run of "
            f"{method}, target {target!r} and the same model: choose another --out."
        )


def _identity(head: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return head.get("method"), head.get("target"), (head.get("model") or {}).get("state_hash")


def _content(folder: Path) -> list[str]:
    if folder.is_file():
        raise FolderError(f"--out {folder} is a file, expected a folder: choose another --out.")
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def _foreign(folder: Path, content: list[str]) -> FolderError:
    return FolderError(
        f"--out {folder} is not empty (it holds {content[0]}), expected a new or empty folder: "
        "choose another --out."
    )


def _said(there: tuple[Any, Any, Any] | None) -> str:
    if there is None:
        return "which cannot be read"
    return f"{there[0]} of target {there[1]!r}, model {str(there[2])[:8]}"


def require_html(file: Path) -> Path:
    """Refuse to write a report over something that is no HTML file.

    Parameters
    ----------
    file : Path
        Where the report is to go.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    FolderError
        If it is a folder or has another suffix.
    """
    if file.is_dir() or file.suffix.lower() not in (".html", ".htm"):
        raise FolderError(
            f"--out {file} is no HTML file, expected a name that ends in .html: choose another."
        )
    return file
