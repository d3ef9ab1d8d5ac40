"""Which few attributes together move the images, and which moves each: from the matrix alone."""

from typing import Any

import numpy as np
import pandas as pd

from diffex.effects.arrays import SIGNS, BoolArray
from diffex.effects.matrix import EffectMatrix
from diffex.effects.search import best_per_image, greedy_coverage
from diffex.explainers.preparing import Prepared

_MOST = 5


def usable(table: pd.DataFrame, matrix: EffectMatrix) -> BoolArray:
    """Mark the rows of the matrix that are significant and rendered on every image.

    Parameters
    ----------
    table : DataFrame
        Ranked effects.
    matrix : EffectMatrix
        Rows that a search dropped were rendered on a few images alone.

    Returns
    -------
    ndarray of bool, shape (K, 2)
        False for controls.
    """
    found = table[table["significant"] & (table["kind"] != "random")]
    significant = set(zip(found["concept"], found["sign"], strict=True))
    marked = np.array([[(name, sign) in significant for sign in SIGNS] for name in matrix.concepts])
    return np.asarray(marked & matrix.rendered.all(axis=0))


def coverage(
    prepared: Prepared, matrix: EffectMatrix, rows: BoolArray, names: dict[str, str]
) -> dict[str, Any]:
    """Choose few attributes that together turn as many images as possible into the target.

    Chosen on the selecting half, counted on the other, at strength 1.

    Parameters
    ----------
    prepared : Prepared
        Halves and target.
    matrix : EffectMatrix
        Rendered.
    rows : ndarray of bool, shape (K, 2)
        From `usable`.
    names : dict of str to str
        What each concept is called.

    Returns
    -------
    dict
        ``images`` that were not the target, and ``attributes``, in order: ``concept, sign, name`` and
        ``flipped``, how many images flip along it or one before it.
    """
    places = np.argwhere(rows)
    flips = matrix.flips(prepared.target)[:, rows]
    eligible = matrix.eligible(prepared.target)
    chosen = greedy_coverage(flips[prepared.half], eligible[prepared.half].astype(float), _MOST).rows
    judged = flips[eligible & ~prepared.half][:, list(chosen)]
    counts = np.logical_or.accumulate(judged, axis=1).sum(axis=0)
    attributes = [
        {
            "concept": matrix.concepts[k],
            "sign": SIGNS[side],
            "name": names[matrix.concepts[k]],
            "flipped": int(n),
        }
        for (k, side), n in zip(places[list(chosen)], counts, strict=True)
    ]
    return {"images": len(judged), "attributes": attributes}


def best_columns(prepared: Prepared, matrix: EffectMatrix, rows: BoolArray) -> dict[str, Any]:
    """Give the attribute that moves each image furthest toward the target.

    Parameters
    ----------
    prepared : Prepared
        Target.
    matrix : EffectMatrix
        Rendered.
    rows : ndarray of bool, shape (K, 2)
        From `usable`.

    Returns
    -------
    dict
        Columns ``best_concept`` and ``best_sign`` of ``cells.parquet``; None and 0 where no row is usable.
    """
    if not rows.any():
        return {"best_concept": [None] * len(matrix.null), "best_sign": 0}
    concepts, signs, _ = best_per_image(matrix.effects(prepared.target), rows)
    return {"best_concept": [matrix.concepts[k] for k in concepts], "best_sign": signs}
