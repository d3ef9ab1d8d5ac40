"""What a task of a suite is given, and what a task is."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, final

import torch

from diffex.base.hashing import hash_value
from diffex.evaluation.rows import Measured

SHIPPED = "shipped"
"""What a task needs that stands on the shipped weights."""

FIT_ROOMS = ("base", "images", "training", "classifiers", "generators")
"""Rooms whose code decides a fitted model."""

RUN_ROOMS = (*FIT_ROOMS, "measurements", "concepts", "editors", "effects", "explainers")
"""Rooms whose code decides an effect matrix or an explanation."""

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

T = TypeVar("T")


@final
@dataclass(frozen=True, eq=False)
class Bench:
    """Where data are, where results go, and how large the run is.

    Parameters
    ----------
    data : Path or None
        Folder of the real sets.
    out : Path
        Results, figures, stages.
    seed : int
        Of everything random.
    quick : bool
        Small in every way.
    device : torch.device
        Where networks run.
    """

    data: Path | None
    out: Path
    seed: int
    quick: bool
    device: torch.device

    def size(self, full: T, quick: T) -> T:
        """Choose between two sizes of a task.

        Parameters
        ----------
        full, quick : object
            For either kind of run.

        Returns
        -------
        object
            One of them.
        """
        return quick if self.quick else full

    def real(self, name: str) -> Path:
        """Give the folder of a real set; `missing` was asked before."""
        assert self.data is not None
        return self.data / name

    def missing(self, needs: tuple[str, ...]) -> str:
        """Say what a task needs and does not find.

        Parameters
        ----------
        needs : tuple of str
            Names of real sets, or ``"shipped"``.

        Returns
        -------
        str
            A reason; empty where all is there.
        """
        for name in needs:
            if name == SHIPPED:
                if not (shipped_folder() / "generator.safetensors").exists():
                    return "the shipped weights are not installed (make them with scripts/train_shipped.py)"
            elif self.data is None:
                return f"it needs {name}: give its folder with --data or DIFFEX_DATA"
            elif not (self.data / name).is_dir():
                return f"it needs {name}, which is not in {self.data}"
        return ""

    def stage(self, kind: str, content: Any) -> Path:
        """Name the folder of a stage after what goes into it.

        Parameters
        ----------
        kind : str
            For people.
        content : object
            Everything that decides the stage's result; JSON.

        Returns
        -------
        Path
            Another folder for other content; not made.
        """
        return self.out / "stages" / f"{kind}-{hash_value([kind, content])[:16]}"

    def figure(self, name: str) -> Path:
        """Give the path of a figure."""
        return self.out / "figures" / name


@final
@dataclass(frozen=True, eq=False)
class Task:
    """One row group of a suite.

    Parameters
    ----------
    id : str
        Row of the issue's table.
    what : str
        A few words.
    needs : tuple of str
        Real sets, or ``"shipped"``.
    run : callable
        Yields numbers as they are found.
    also : tuple of str
        Other rows of the table that it measures.
    """

    id: str
    what: str
    needs: tuple[str, ...]
    run: Callable[[Bench], Iterator[Measured]]
    also: tuple[str, ...] = ()


def shipped_folder() -> Path:
    """Find the folder of the shipped weights.

    Returns
    -------
    Path
        Inside the package.
    """
    return Path(str(files("diffex"))) / SHIPPED


def code_hash(rooms: tuple[str, ...]) -> str:
    """Hash what rooms of the package compute, so that a stage is not taken for that of other code.

    Comments, docstrings and layout do not count; presets do.

    Parameters
    ----------
    rooms : tuple of str
        Names of sub-packages.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    root = Path(str(files("diffex")))
    sources = sorted(path for room in rooms for path in (root / room).rglob("*.py"))
    presets = sorted((root / "presets").glob("*.yaml"))
    told = [[path.relative_to(root).as_posix(), _meaning(path)] for path in sources]
    return hash_value([*told, *([path.name, path.read_text(encoding="utf-8")] for path in presets)])


@cache
def _meaning(path: Path) -> str:
    """A module's syntax tree without docstrings, as a hash."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hash_value(ast.dump(tree))
