"""The result: scores of every cell, the answer at every dose, the responders, and how they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.files import atomic_path, write_json, write_text
from diffex.explainers.claims import claim
from diffex.explainers.responders.annotated import can_annotate, write_annotated
from diffex.runs.tables import write_csv, write_table

_TABLES = {"doses": "doses.csv", "answers": "answers.csv", "responders": "responders.csv"}


@final
@dataclass(frozen=True, eq=False)
class Responses:
    """Which cells respond, at which dose, and what answers first. Treat it as immutable.

    Parameters
    ----------
    head : dict
        What was asked, of which run, model and images; warnings, confounds, versions.
    summary : tuple of str
        The answer in plain words.
    scores : DataFrame
        A row per cell: ``id, condition, dose, well, plate...``, a column per value, and
        ``responder: VALUE``, the probability to respond, for the values in which responders were sought.
    answers : DataFrame
        A row per value: the dose from which it departs, trend, EC50.
    doses : DataFrame
        A row per value and condition: curve with interval, test against controls, verdict on responders.
    responders : DataFrame
        The cells that respond, likeliest first, where a condition is a mixture.
    codes : ndarray, shape (n, d)
        Of the cells.
    weights : ndarray, shape (d, k)
        By which the k attributes are read off the codes.
    pictures : dict, optional
        Of responders and controls, as `diffex.explainers.responders.showing.shown_cells` gives them.
    """

    head: Mapping[str, Any]
    summary: tuple[str, ...]
    scores: pd.DataFrame
    answers: pd.DataFrame
    doses: pd.DataFrame
    responders: pd.DataFrame
    codes: NDArray[np.float32]
    weights: NDArray[np.float64]
    pictures: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        """Print the answer."""
        return "\n".join(self.summary)

    def _repr_html_(self) -> str:
        """Show itself in a notebook. How is the report's affair; the two meet on the package's face alone."""
        tables = {name: getattr(self, name) for name in _TABLES}
        return str(import_module("diffex").responses_html(self.head, self.summary, tables))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What limits the answer, as sentences."""
        return tuple(self.head["warnings"])

    def save(self, folder: str | Path) -> Path:
        """Write tables, summary, and ``cells.h5ad`` where the package anndata is installed.

        Parameters
        ----------
        folder : str or Path
            Made if absent; new, empty, or of the same request.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FolderError
            If it holds something else, or cannot be written.
        """
        out = Path(folder)
        claim(out, self.head["request"])
        with atomic_path(out / "scores.parquet") as temporary:
            write_table(temporary, self.scores)
        for name, file in _TABLES.items():
            with atomic_path(out / file) as temporary:
                write_csv(temporary, getattr(self, name))
        if can_annotate():
            with atomic_path(out / "cells.h5ad") as temporary:
                self._annotate(temporary)
        write_json(out / "summary.json", {**self.head, "summary": self.summary})
        lines = (*self.summary, *(f"Mind: {warning}" for warning in self.warnings))
        write_text(out / "summary.txt", "\n".join(lines) + "\n")
        return out

    def _annotate(self, path: Path) -> None:
        names = self.answers.loc[self.answers["kind"] == "attribute", "name"].tolist()
        weights = pd.DataFrame(self.weights, columns=names)
        notes = {
            "summary": self.summary,
            "head": self.head,
            "answers": self.answers,
            "doses": self.doses,
        }
        write_annotated(path, self.codes, weights, self.scores, self.scores[names], notes)
