"""Reading what is left of a run folder: each part by itself, with a sentence for each that cannot be read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.errors import DiffexError, FolderError
from diffex.base.files import load_tensors, read_json
from diffex.runs.counterfactuals import Counterfactual, kept_counterfactuals, read_counterfactual
from diffex.runs.examples import ANSWERED, read_examples
from diffex.runs.explanation import Explanation
from diffex.runs.folder import EXAMPLES, HEAD, RULES, TREE, unfinished
from diffex.runs.parts import read_list, read_mapping, read_rules, read_tree, read_yaml
from diffex.runs.sanity import SANITY, read_sanity
from diffex.runs.summary import SCHEMA, check_summary
from diffex.runs.tables import BREAKDOWN, CELLS, DOSE, DRIVERS, EFFECTS, MEASURED, Contract, read_table

T = TypeVar("T")


@final
@dataclass(frozen=True, eq=False)
class Salvaged:
    """A run as far as it can be read.

    Parameters
    ----------
    explanation : Explanation
        What could be read; a part that could not is empty, and a head that could not says nothing.
    problems : dict of str to str
        What is wrong, by the file that is missing or damaged; empty for a whole run.
    sanity : dict, optional
        Whether the explanation depends on its classifier, where that was asked.
    counterfactuals : tuple of Counterfactual
        Why single images are not of a class, where that was asked.
    """

    explanation: Explanation
    problems: dict[str, str]
    sanity: dict[str, Any] | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()

    def has(self, file: str) -> bool:
        """Say whether a part could be read.

        Parameters
        ----------
        file : str
            Its name in the run folder.

        Returns
        -------
        bool
            False where it is missing or damaged.
        """
        return file not in self.problems


def salvage_run(folder: str | Path) -> Salvaged:
    """Read a run folder part by part, whatever is wrong with some of them.

    Parameters
    ----------
    folder : str or Path
        Written by `diffex.runs.write_run`, or begun by it, or by another version.

    Returns
    -------
    Salvaged
        What could be read, and a sentence for each part that could not.

    Raises
    ------
    FolderError
        If the folder has neither a head, nor effects, nor pictures: then it is no run.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in (HEAD, EFFECTS.file, EXAMPLES)):
        raise unfinished(folder)
    parts = _Parts(folder, {})
    examples = parts.read(EXAMPLES, read_examples, _no_examples)
    summary = parts.read(HEAD, _read_head, lambda: _blank_head(examples))
    examples = parts.read(EXAMPLES, lambda path: _fitting(examples, summary, path), _no_examples)
    explanation = Explanation(
        summary=summary,
        effects=parts.table(EFFECTS),
        cells=parts.table(CELLS),
        examples=examples,
        dose=parts.table(DOSE),
        measured=parts.table(MEASURED),
        concepts=tuple(parts.read("concepts.json", read_list, list)),
        directions=parts.read("concepts.safetensors", load_tensors, dict),
        config=parts.read("config.yaml", read_yaml, dict),
        cost=parts.read("cost.json", read_mapping, dict),
        rules=parts.optional(RULES, read_rules),
        tree=parts.optional(TREE, read_tree),
        breakdown=parts.optional(BREAKDOWN.file, lambda path: read_table(path, BREAKDOWN)),
        drivers=parts.optional(DRIVERS.file, lambda path: read_table(path, DRIVERS)),
    )
    sanity = parts.optional(SANITY, read_sanity)
    return Salvaged(explanation, parts.problems, sanity, _counterfactuals(parts, summary))


@final
@dataclass(frozen=True)
class _Parts:
    """A folder that is read part by part, and what was wrong so far."""

    folder: Path
    problems: dict[str, str]

    def read(self, name: str, read: Callable[[Path], T], blank: Callable[[], T]) -> T:
        if name in self.problems:
            return blank()
        try:
            return read(self.folder / name)
        except DiffexError as error:
            # The report is mailed: where the folder was on this disk is nobody's business.
            self.problems[name] = str(error).replace(f"{self.folder}/", "")
            return blank()

    def table(self, contract: Contract) -> pd.DataFrame:
        return self.read(
            contract.file, lambda path: read_table(path, contract), lambda: _empty_table(contract)
        )

    def optional(self, name: str, read: Callable[[Path], T]) -> T | None:
        return self.read(name, read, lambda: None) if (self.folder / name).exists() else None


def _counterfactuals(parts: _Parts, summary: dict[str, Any]) -> tuple[Counterfactual, ...]:
    channels = len(summary["images"]["channel_names"])
    found = [
        parts.optional(name, lambda path: read_counterfactual(path, channels))
        for name in kept_counterfactuals(parts.folder)
    ]
    return tuple(one for one in found if one is not None)


def _read_head(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FolderError(
            f"{path} is missing: the run is still being written, or was interrupted. Wait, or give the same "
            "command again, which goes on from where it was."
        )
    summary = read_json(path)
    check_summary(summary, path)
    return dict(summary)


def _fitting(
    examples: dict[str, NDArray[Any]], summary: dict[str, Any], path: Path
) -> dict[str, NDArray[Any]]:
    """Refuse pictures that the head does not describe, or that cannot be drawn."""
    found, expected = examples["original"].shape[1], len(summary["images"]["channel_names"])
    if found != expected:
        raise FolderError(
            f"{path} holds pictures of {found} channels, expected the {expected} that {HEAD} names: "
            "make the run again."
        )
    drawn = [key for key in ("original", "null", "edits", ANSWERED) if key in examples]
    if not all(np.isfinite(examples[key]).all() for key in drawn):
        raise FolderError(f"{path} holds pixels that are not finite, expected numbers: make the run again.")
    return examples


def _no_examples() -> dict[str, NDArray[Any]]:
    picture = (0, 1, 1, 1)
    return {
        "ids": np.array([], dtype=np.str_),
        "concepts": np.array([], dtype=np.str_),
        "strengths": np.array([], dtype=np.float64),
        "original": np.zeros(picture, dtype=np.float32),
        "null": np.zeros(picture, dtype=np.float32),
        "edits": np.zeros((0, 0, *picture), dtype=np.float32),
    }


def _empty_table(contract: Contract) -> pd.DataFrame:
    dtypes = {"text": "object", "any": "object", "number": "float64", "flag": "bool"}
    return pd.DataFrame({name: pd.Series(dtype=dtypes[kind]) for name, kind in contract.columns.items()})


def _blank_head(examples: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """A head that says nothing but what pictures need: how many channels there are, and in which range."""
    pixels = examples["original"]
    return {
        "schema": SCHEMA,
        "method": "unknown",
        "target": "the target class",
        "class_names": [],
        "seed": 0,
        "answer": [],
        "model": {"forced": False},
        "gates": [],
        "counts": {},
        "splits": {},
        "unit": "unknown",
        "labels_are_predictions": False,
        "warnings": [],
        "versions": {},
        "created": "",
        "images": {
            "channel_names": [f"channel {i}" for i in range(1, pixels.shape[1] + 1)],
            "value_range": [float(pixels.min(initial=0.0)), float(pixels.max(initial=1.0))],
            "size": list(pixels.shape[2:]),
            "pixel_size_um": None,
        },
    }
