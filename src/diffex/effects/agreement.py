"""Whether a search can be trusted: every row rendered on a few images, and compared."""

from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from diffex.effects.arrays import SIGNS, BoolArray, signed_effects
from diffex.effects.race import leading
from diffex.effects.ranking import Searched

_RISK = 0.05


@final
@dataclass(frozen=True)
class Agreement:
    """How a search compares with rendering everything, on the images checked.

    Parameters
    ----------
    images : int
        Images checked.
    rows : int
        Rows that are claims.
    dropped : int
        Of these, rows that the search dropped.
    kept : int
        Concepts that the search followed to the end.
    spearman : float
        Of the search's scores and the exact means on the images checked, over all claims.
    top : int
        Concepts sought.
    top_kept : int
        Of the best `top` concepts on the images checked, those that the search kept.
    overtaking : int
        Dropped concepts that beat the last of the best found on the images checked, beyond chance.
    """

    images: int
    rows: int
    dropped: int
    kept: int
    spearman: float
    top: int
    top_kept: int
    overtaking: int

    def as_dict(self) -> dict[str, Any]:
        """Give the fields, for JSON."""
        return asdict(self)


def agreement(effects: ArrayLike, searched: Searched, claimed: BoolArray) -> Agreement:
    """Compare a search with exact effects on a few images that it did not use.

    A dropped row overtakes where its paired difference to the last of the best is above 0 by a one-sided t
    test at 5 %, Bonferroni over the rows dropped.

    Parameters
    ----------
    effects : array_like, shape (m, K, 2)
        Of all rows on the m images checked.
    searched : Searched
        What was kept, and its scores.
    claimed : ndarray of bool, shape (K,)
        False for controls.

    Returns
    -------
    Agreement
        Numbers for the run.

    Raises
    ------
    InputError
        If effects are not finite or have another shape.

    Examples
    --------
    >>> means = np.array([[2.0, -2.0], [0.1, -0.1], [1.0, -1.0]])
    >>> some = means + np.arange(4).reshape(-1, 1, 1) / 100
    >>> searched = Searched(means > 1, means, np.ones(4, dtype=bool), 1)
    >>> agreement(some, searched, np.ones(3, dtype=bool)).top_kept
    1
    """
    array = signed_effects(effects)
    rows = np.repeat(claimed, len(SIGNS))
    values = array.reshape(len(array), -1)[:, rows]
    kept, scores = searched.kept.ravel()[rows], searched.scores.ravel()[rows]
    owners = np.flatnonzero(rows) // len(SIGNS)
    best = leading(values.mean(axis=0), owners, searched.top)
    last = np.flatnonzero(kept)[leading(scores[kept], owners[kept], searched.top)[-1]]
    ahead = values[:, ~kept] - values[:, [last]]
    error = ahead.std(axis=0, ddof=1) / np.sqrt(len(ahead))
    reach = stats.t.isf(_RISK / max(1, (~kept).sum()), len(ahead) - 1)
    return Agreement(
        len(array), len(kept), int((~kept).sum()), len(np.unique(owners[kept])),
        float(stats.spearmanr(scores, values.mean(axis=0)).statistic),
        searched.top, int(kept[best].sum()),
        len(np.unique(owners[~kept][ahead.mean(axis=0) > reach * error])),
    )  # fmt: skip
