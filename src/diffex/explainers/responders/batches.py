"""Attributes that follow plates, dates, wells or fields, where such columns exist."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.explainers.responders.design import Design, column_of
from diffex.explainers.responders.scoring import Scored
from diffex.images import Images
from diffex.images.tables import plain_columns
from diffex.responses.confounds import Confounds, find_confounds

_BATCHES = ("plate", "date", "well", "field")


def find_batches(images: Images, scored: Scored, design: Design, seed: int) -> tuple[Confounds, ...]:
    """Test every batch that the images' table names, and the wells.

    Parameters
    ----------
    images : Images
        Whose columns ``plate``, ``date``, ``well``, ``field`` are looked at, with ``Metadata_`` or without.
    scored : Scored
        Attributes and the classifier's score are tested.
    design : Design
        Conditions, wells; positive references are left out.
    seed : int
        Of the permutations.

    Returns
    -------
    tuple of Confounds
        One for each kind of batch that has two or more, and fewer batches than units.
    """
    series = ~design.positive
    names = [value.name for value in scored.of("attribute", "classifier")]
    values = scored.table.loc[series, names].to_numpy(dtype=np.float64)
    conditions = design.conditions[series]
    found = []
    for batch, column in _columns(images, design):
        places = column[series]
        units = _units(batch, places, conditions, None if design.wells is None else design.wells[series])
        count = len(values) if units is None else len(np.unique(units))
        if 2 <= len(np.unique(places)) < count:
            found.append(find_confounds(values, names, conditions, places, units, seed=seed, batch=batch))
    return tuple(found)


def _columns(images: Images, design: Design) -> Iterator[tuple[str, NDArray[np.str_]]]:
    by_name = plain_columns(images.table)
    for batch in _BATCHES:
        if batch == "well" and design.wells is not None:
            yield batch, design.wells
        elif batch in by_name:
            yield batch, column_of(images, by_name[batch], "batch").astype(np.str_)


def _units(
    batch: str, places: NDArray[np.str_], conditions: NDArray[np.str_], wells: NDArray[np.str_] | None
) -> NDArray[np.str_] | None:
    """What repeats within a batch: wells, told apart by batch and condition; cells within wells."""
    if wells is None or batch == "well":
        return None
    keys = pd.DataFrame({"batch": places, "condition": conditions, "well": wells})
    return keys.groupby(list(keys.columns)).ngroup().astype(str).to_numpy(dtype=np.str_)
