"""The parts of a run that are neither tables nor pictures, each checked when read."""

from pathlib import Path
from typing import Any

import yaml

from diffex.base.errors import FolderError
from diffex.base.files import read_json
from diffex.concepts.tree import ConceptTree

_RULE_PARTS = ("class_names", "rules", "target", "fidelity", "interventions", "codes_r2", "sparsity")


def read_list(path: Path) -> list[dict[str, Any]]:
    """Read a list of objects from JSON.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of dict
        Its content.

    Raises
    ------
    FolderError
        If it is missing, damaged, or holds something else.
    """
    value = read_json(path)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise FolderError(f"{path} is damaged (not a list of concepts): make the folder again.")
    return value


def read_mapping(path: Path) -> dict[str, Any]:
    """Read an object from JSON.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    FolderError
        If it is missing, damaged, or holds something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise FolderError(f"{path} is damaged (not an object): make the folder again.")
    return value


def read_rules(path: Path) -> dict[str, Any]:
    """Read ``rules.json`` and check that it can be shown.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    FolderError
        If it is missing, damaged, or holds something else.
    """
    from diffex.rules.rule_set import RuleSet  # formulas alone need SymPy

    value = read_mapping(path)
    missing = [key for key in _RULE_PARTS if key not in value]
    if missing:
        raise FolderError(f"{path} is damaged (it lacks {missing[0]}): make the folder again.")
    RuleSet.from_dict(value)
    return value


def read_tree(path: Path) -> dict[str, Any]:
    """Read ``tree.json`` and check that it is a tree.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    FolderError
        If it is missing, damaged, or holds something else.
    """
    value = read_mapping(path)
    ConceptTree.from_dict(value)
    return value


def read_yaml(path: Path) -> dict[str, Any]:
    """Read ``config.yaml``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    FolderError
        If it is missing, damaged, or holds something else.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FolderError(f"{path} is missing: the folder is incomplete; make it again.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FolderError(f"{path} is damaged (not YAML): make the folder again.") from error
    if not isinstance(value, dict):
        raise FolderError(f"{path} is damaged (not a mapping): make the folder again.")
    return value
