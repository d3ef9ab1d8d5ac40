"""The concepts of a run: name, effect with interval, and whether it is significant."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from napari_diffex.numbers import signed
from napari_diffex.tables import read_rows

_CONTROL = "random"


@final
@dataclass(frozen=True)
class Concept:
    """A concept with the sign of it that matters most.

    Parameters
    ----------
    id : str
        In the run.
    name, title : str
        Its own name, and what its edit measurably changes; the same where nothing was measured.
    sign : int
        Of its best row.
    rank, effect, low, high : float
        Of that row: its rank, and the mean change of the target's logit margin at strength 1 with its
        interval; NaN where the run does not say.
    significant : bool
        Whether the null edit does not explain it.
    """

    id: str
    name: str
    title: str
    sign: int
    rank: float
    effect: float
    low: float
    high: float
    significant: bool

    @property
    def effect_words(self) -> str:
        """Effect and interval, ready to show."""
        return f"{signed(self.effect)} ({signed(self.low)} to {signed(self.high)})"


def best_concepts(path: Path) -> tuple[Concept, ...]:
    """Read the best row of each concept.

    Parameters
    ----------
    path : Path
        ``effects.parquet`` of a run.

    Returns
    -------
    tuple of Concept
        Significant ones first, then by rank; without the arbitrary directions that are only a control.

    Raises
    ------
    RunError
        As `read_rows`.
    """
    rows = read_rows(
        path,
        text=("concept", "kind", "name", "words"),
        number=("sign", "effect", "ci_low", "ci_high", "rank"),
        flag=("significant",),
    )
    found = [_concept(row) for row in rows if row["kind"] != _CONTROL]
    found.sort(key=lambda one: (not one.significant, math.inf if math.isnan(one.rank) else one.rank))
    best: dict[str, Concept] = {}
    for one in found:
        best.setdefault(one.id, one)
    return tuple(best.values())


def _concept(row: dict[str, Any]) -> Concept:
    sign, rank, effect, low, high = (
        math.nan if row[key] is None else float(row[key])
        for key in ("sign", "rank", "effect", "ci_low", "ci_high")
    )
    name = row["name"] or str(row["concept"])
    return Concept(
        id=str(row["concept"]),
        name=name,
        title=row["words"] or name,
        sign=1 if sign > 0 else -1,
        rank=rank,
        effect=effect,
        low=low,
        high=high,
        significant=bool(row["significant"]),
    )
