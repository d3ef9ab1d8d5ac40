"""The run folder: written beside itself and moved in place, its head last; checked when read."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from diffex.base.errors import FolderError
from diffex.base.files import load_tensors, plain, read_json, save_tensors, write_json, write_text
from diffex.runs.counterfactuals import drop_counterfactuals
from diffex.runs.examples import check_examples, read_examples, write_examples
from diffex.runs.explanation import Explanation
from diffex.runs.parts import read_list, read_mapping, read_rules, read_tree, read_yaml
from diffex.runs.sanity import SANITY
from diffex.runs.summary import check_summary
from diffex.runs.tables import (
    BREAKDOWN,
    CELLS,
    DOSE,
    DRIVERS,
    EFFECTS,
    MEASURED,
    Contract,
    check_table,
    read_table,
    write_csv,
    write_table,
)

HEAD = "explanation.json"
REPORT = "report.html"
RULES = "rules.json"
TREE = "tree.json"
EXAMPLES = "examples/examples.npz"


def write_run(explanation: Explanation, folder: Path) -> Path:
    """Write an explanation to its folder, whole or not at all.

    Everything is first written to a hidden folder inside, then moved; ``explanation.json`` goes last, so a
    folder that has it is whole. A report of an earlier run of the same is removed, and what
    was asked about it later.

    Parameters
    ----------
    explanation : Explanation
        What to write.
    folder : Path
        Made if absent. A run of the same target and model is overwritten; other files are left alone.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FolderError
        If the folder holds another run, cannot be written, or the explanation breaks a contract.
    """
    _check(explanation, folder)
    _refuse_foreign(explanation.summary, folder)
    with _staging(folder) as stage:
        _write_parts(explanation, stage)
        for name in (HEAD, REPORT, RULES, TREE, BREAKDOWN.file, DRIVERS.file, SANITY):
            (folder / name).unlink(missing_ok=True)
        drop_counterfactuals(folder)
        _move(stage, folder)
    return folder


def read_run(folder: str | Path) -> Explanation:
    """Read an explanation from its folder.

    Parameters
    ----------
    folder : str or Path
        Written by `write_run`.

    Returns
    -------
    Explanation
        As written.

    Raises
    ------
    FolderError
        If the folder or a file is missing, damaged or of another schema; the message names the file.
    """
    folder = Path(folder)
    if not (folder / HEAD).is_file():
        raise unfinished(folder)
    summary = read_json(folder / HEAD)
    check_summary(summary, folder / HEAD)
    return Explanation(
        summary=summary,
        effects=read_table(folder / EFFECTS.file, EFFECTS),
        cells=read_table(folder / CELLS.file, CELLS),
        examples=read_examples(folder / EXAMPLES),
        dose=read_table(folder / DOSE.file, DOSE),
        measured=read_table(folder / MEASURED.file, MEASURED),
        concepts=tuple(read_list(folder / "concepts.json")),
        directions=load_tensors(folder / "concepts.safetensors"),
        config=read_yaml(folder / "config.yaml"),
        cost=read_mapping(folder / "cost.json"),
        rules=read_rules(folder / RULES) if (folder / RULES).exists() else None,
        tree=read_tree(folder / TREE) if (folder / TREE).exists() else None,
        breakdown=_optional(folder, BREAKDOWN),
        drivers=_optional(folder, DRIVERS),
    )


def _optional(folder: Path, contract: Contract) -> pd.DataFrame | None:
    path = folder / contract.file
    return read_table(path, contract) if path.exists() else None


def unfinished(folder: Path) -> FolderError:
    """Say that a folder is no finished run.

    Parameters
    ----------
    folder : Path
        Named in the message.

    Returns
    -------
    FolderError
        To be raised.
    """
    return FolderError(
        f"{folder} is no finished run (it has no {HEAD}): give the --out folder of a command that ended."
    )


def _check(explanation: Explanation, folder: Path) -> None:
    check_summary(plain(explanation.summary), folder / HEAD)
    for table, contract in _tables(explanation):
        check_table(table, contract, folder / contract.file)
    check_examples(explanation.examples, folder / EXAMPLES)


def _tables(explanation: Explanation) -> list[tuple[Any, Any]]:
    optional = [(explanation.breakdown, BREAKDOWN), (explanation.drivers, DRIVERS)]
    return [
        (explanation.effects, EFFECTS),
        (explanation.cells, CELLS),
        (explanation.dose, DOSE),
        (explanation.measured, MEASURED),
        *((table, contract) for table, contract in optional if table is not None),
    ]


def _refuse_foreign(summary: dict[str, Any], folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder} is a file, expected a folder to write to: choose another --out.")
    if not (folder / HEAD).exists():
        return
    there = read_json(folder / HEAD)
    check_summary(there, folder / HEAD)
    if _identity(there) != _identity(summary):
        raise FolderError(
            f"{folder} already holds another run ({there['method']} of target {there['target']!r}, model "
            f"{there['model']['state_hash'][:8]}), expected an empty folder or a run of "
            f"{summary['method']}, target {summary['target']!r} and this model: choose another --out."
        )


def _identity(summary: dict[str, Any]) -> tuple[str, str, str]:
    return str(summary["method"]), str(summary["target"]), str(summary["model"]["state_hash"])


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    made = not folder.exists()
    stage: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".writing.", dir=folder))
        yield stage
    except OSError as error:
        raise FolderError(
            f"Cannot write {folder}: {error.strerror or error}. "
            "Free some space or choose a folder that can be written with --out."
        ) from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
        if made and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _write_parts(explanation: Explanation, stage: Path) -> None:
    for table, contract in _tables(explanation):
        write_table(stage / contract.file, table)
    write_csv(stage / "effects.csv", explanation.effects)
    (stage / EXAMPLES).parent.mkdir()
    write_examples(stage / EXAMPLES, explanation.examples)
    write_json(stage / "concepts.json", explanation.concepts)
    save_tensors(stage / "concepts.safetensors", explanation.directions)
    text = yaml.safe_dump(plain(explanation.config), sort_keys=False, allow_unicode=True)
    write_text(stage / "config.yaml", text)
    write_json(stage / "cost.json", explanation.cost)
    if explanation.rules is not None:
        write_json(stage / RULES, explanation.rules)
    if explanation.tree is not None:
        write_json(stage / TREE, explanation.tree)
    write_json(stage / HEAD, explanation.summary)


def _move(stage: Path, folder: Path) -> None:
    """Move every file to its place, the head last."""
    files = sorted(path for path in stage.rglob("*") if path.is_file() and path != stage / HEAD)
    for path in [*files, stage / HEAD]:
        place = folder / path.relative_to(stage)
        place.parent.mkdir(exist_ok=True)
        path.chmod(0o644)
        path.replace(place)
