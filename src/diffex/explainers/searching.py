"""Which edits are rendered: all, those that win a race, or those that gradients promise."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from diffex.base.positions import evenly
from diffex.concepts import Concept, stacked
from diffex.effects.agreement import Agreement, agreement
from diffex.effects.arrays import SIGNS
from diffex.effects.matrix import EffectMatrix, assembled, effect_matrix
from diffex.effects.prediction import linear_effects
from diffex.effects.race import RowRaceSettings, leading, race_rows
from diffex.effects.ranking import Searched
from diffex.explainers.config import Search
from diffex.explainers.preparing import Prepared

Found = tuple[EffectMatrix, Searched | None]
_Part = tuple[NDArray[np.int64], EffectMatrix]

CHECKED = 8
"""Images of the estimating half on which every row is rendered, to check a search."""
SPARE = 2
"""A race seeks this many times the concepts that are shown: it keeps more than it must."""
PROMISING = 4
"""Gradients choose this many times the concepts that are shown."""


def search_effects(prepared: Prepared, concepts: list[Concept], search: Search, top: int) -> Found:
    """Render the effect matrix, or the part of it that can matter.

    A search looks at the selecting half alone, so that estimates and tests on the other half stay fair. Each
    row that it keeps is rendered on every image; each row that it drops stays among the tests, with p = 1,
    and is rendered on a few estimating images all the same, to check the search.

    Parameters
    ----------
    prepared : Prepared
        Renderer, gradients, halves.
    concepts : list of Concept
        K calibrated concepts; random directions are controls, and no search follows them.
    search : {"exact", "race", "gradient"}
        ``exact`` renders all. ``race`` measures every row on a few images and follows those that may be
        among the best. ``gradient`` renders the rows with the largest first-order effects.
    top : int
        How many of the best concepts will be shown.

    Returns
    -------
    (EffectMatrix, Searched or None)
        Effects, and what was searched; None where everything was rendered.
    """
    return _SEARCHES[search](prepared, concepts, top)


def compare_with_exact(prepared: Prepared, concepts: list[Concept], found: Found) -> Agreement | None:
    """Compare a search with exact effects on the images checked.

    Parameters
    ----------
    prepared : Prepared
        Halves and target.
    concepts : list of Concept
        Of the matrix.
    found : (EffectMatrix, Searched or None)
        From `search_effects`.

    Returns
    -------
    Agreement or None
        None where everything was rendered.
    """
    matrix, searched = found
    if searched is None:
        return None
    return agreement(matrix.effects(prepared.target)[searched.checked], searched, claims(concepts))


def claims(concepts: list[Concept]) -> NDArray[np.bool_]:
    """Mark the concepts that are claims: all but random directions, which are controls.

    Parameters
    ----------
    concepts : list of Concept
        K of them.

    Returns
    -------
    ndarray of bool, shape (K,)
        False for controls.
    """
    return np.array([concept.kind != "random" for concept in concepts])


def _exact(prepared: Prepared, concepts: list[Concept], top: int) -> Found:
    return _render(prepared, concepts, np.arange(len(prepared.half)))[1], None


def _race(prepared: Prepared, concepts: list[Concept], top: int) -> Found:
    selecting = np.flatnonzero(prepared.half)
    parts: list[_Part] = []

    def measure(wanted: NDArray[np.bool_], images: NDArray[np.int64]) -> NDArray[np.float64]:
        parts.append(_render(prepared, concepts, selecting[images], wanted))
        return parts[-1][1].effects(prepared.target)

    settings = RowRaceSettings(seed=prepared.evidence.seed)
    race = race_rows(measure, claims(concepts), len(selecting), SPARE * top, settings)
    return _estimated(prepared, concepts, parts, race.kept, race.scores(), top)


def _gradient(prepared: Prepared, concepts: list[Concept], top: int) -> Found:
    scores = linear_effects(prepared.gradients[prepared.half], stacked(concepts))[:, None] * np.array(SIGNS)
    rows = np.argwhere(np.repeat(claims(concepts)[:, None], len(SIGNS), axis=1))
    best = rows[leading(scores[tuple(rows.T)], rows[:, 0], PROMISING * top)]
    kept = np.zeros(scores.shape, dtype=bool)
    kept[tuple(best.T)] = True
    part = _render(prepared, concepts, np.flatnonzero(prepared.half), kept)
    rendered = part[1].effects(prepared.target).mean(axis=0)
    return _estimated(prepared, concepts, [part], kept, np.where(kept, rendered, scores), top)


_SEARCHES: Mapping[Search, Callable[[Prepared, list[Concept], int], Found]] = {
    "exact": _exact,
    "race": _race,
    "gradient": _gradient,
}


def _estimated(
    prepared: Prepared,
    concepts: list[Concept],
    parts: list[_Part],
    kept: NDArray[np.bool_],
    scores: NDArray[np.float64],
    top: int,
) -> Found:
    """Render the estimating half: kept rows on all of it, every row on a few images."""
    estimating = np.flatnonzero(~prepared.half)
    checked = np.zeros(len(prepared.half), dtype=bool)
    checked[estimating[evenly(len(estimating), CHECKED)]] = True
    parts = [
        *parts,
        _render(prepared, concepts, np.flatnonzero(checked), purpose="check"),
        _render(prepared, concepts, estimating[~checked[estimating]], kept),
    ]
    matrix = assembled(prepared.inversion.ids, parts)
    return matrix, Searched(kept, scores, checked, min(top, len(np.unique(np.argwhere(kept)[:, 0]))))


def _render(
    prepared: Prepared,
    concepts: list[Concept],
    rows: NDArray[np.int64],
    wanted: NDArray[np.bool_] | None = None,
    purpose: str = "screening",
) -> _Part:
    size_of = prepared.screen.generator.pixels.size
    return rows, effect_matrix(
        prepared.screen,
        prepared.judge,
        prepared.rows(rows),
        concepts,
        size_of,
        wanted=wanted,
        purpose=purpose,
    )
