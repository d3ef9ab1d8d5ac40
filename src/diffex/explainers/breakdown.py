"""In which classes and groups the verified attributes matter."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.effects.breakdown import effects_by_part
from diffex.explainers.verifying import Verified
from diffex.runs.tables import BREAKDOWN_COLUMNS


def breakdown(cells: pd.DataFrame, judged: NDArray[np.bool_], verified: Sequence[Verified]) -> pd.DataFrame:
    """Divide the effect of each verified row by class, and by group where groups are named.

    Parameters
    ----------
    cells : DataFrame
        As in the run: ``label``, ``group`` and, for each row, ``effect_<concept>``.
    judged : ndarray of bool, shape (n,)
        The images that effects are estimated on; those that chose the rows would flatter them.
    verified : sequence of Verified
        The rows.

    Returns
    -------
    DataFrame
        Columns `BREAKDOWN_COLUMNS`. Groups are left out where no group has two images.
    """
    tables = [
        table.assign(concept=one.concept.id, sign=one.sign)
        for one in verified
        for table in _parts(cells[judged], f"effect_{one.concept.id}")
    ]
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=BREAKDOWN_COLUMNS)
    return found[BREAKDOWN_COLUMNS]


def _parts(cells: pd.DataFrame, column: str) -> Iterator[pd.DataFrame]:
    effects = cells[column].to_numpy(dtype=np.float64)
    groups = None if cells["group"].isna().all() else cells["group"].to_numpy(dtype=np.str_)
    yield effects_by_part(effects, cells["label"].to_numpy(dtype=np.str_), groups).assign(by="class")
    if groups is not None:
        found = effects_by_part(effects, groups).assign(by="group")
        if (found["n"] > 1).any():
            yield found
