"""Reading and writing a tree of phrases as YAML or JSON."""

import json
from pathlib import Path
from typing import Any

import yaml

from diffex.base.errors import InputError
from diffex.base.files import write_json, write_text
from diffex.concepts.tree import ConceptTree

_YAML = (".yaml", ".yml")
_LARGEST_BYTES = 5_000_000


def read_tree(path: Path) -> ConceptTree:
    """Read a tree from a YAML or JSON file.

    Parameters
    ----------
    path : Path
        Ends in ``.yaml``, ``.yml`` or ``.json``; holds what `ConceptTree.from_dict` takes.

    Returns
    -------
    ConceptTree
        The tree.

    Raises
    ------
    InputError
        If the file is missing, over 5 MB, neither YAML nor JSON, or holds no tree.
    """
    value = _parsed(path, _text(path))
    try:
        return ConceptTree.from_dict(value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def write_tree(path: Path, tree: ConceptTree) -> None:
    """Write a tree so that `read_tree` gives it back.

    Parameters
    ----------
    path : Path
        YAML where it ends in ``.yaml`` or ``.yml``, JSON elsewhere.
    tree : ConceptTree
        The tree.
    """
    if path.suffix.lower() in _YAML:
        write_text(path, yaml.safe_dump(tree.as_dict(), sort_keys=False, allow_unicode=True))
    else:
        write_json(path, tree.as_dict())


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InputError(f"{path} is over {_LARGEST_BYTES // 1_000_000} MB, expected a tree of phrases.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}), expected a YAML or JSON file with a tree of phrases: "
            "check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text, expected a YAML or JSON file.") from error


def _parsed(path: Path, text: str) -> Any:
    is_yaml = path.suffix.lower() in _YAML
    try:
        return yaml.safe_load(text) if is_yaml else json.loads(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        kind = "YAML" if is_yaml else "JSON"
        place = str(getattr(error, "problem", None) or error).splitlines()[0][:120]
        raise InputError(f"{path} is not {kind} ({place}), expected a tree of phrases: mend it.") from error
