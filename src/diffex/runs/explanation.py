"""The result: what the classifier reacts to, by how much, in which cells, and how that is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

_SHOWN_ROWS, _SHOWN_DRIVERS = 20, 5
_NAME_WIDTH = 44


@final
@dataclass(frozen=True, eq=False)
class Explanation:
    """What a method found, as it is kept in a run folder. Treat it as immutable.

    Effects are changes of the target's logit margin from null edit to edit. A concept has two signs, each a
    row of its own; strengths in the tables are given along the row's sign, with or without its minus.

    Parameters
    ----------
    summary : dict
        Head of the run (``explanation.json``): method, target, answer in sentences, classifier, model, gates,
        images, counts, splits, versions.
    effects : DataFrame
        A row per concept and sign, ranked.
    cells : DataFrame
        A row per image: ``id, label, group, logit_<class>..., code_<i>..., score_<concept>...`` and, where
        edits were rendered image by image, ``effect_<concept>...``: change of the margin by an edit of
        strength 1 along the sign of the concept's verified row, as the score; NaN where it was not rendered.
        ``best_concept, best_sign``: the significant attribute that moves it furthest.
    examples : dict of str to ndarray
        ``ids`` (n), ``concepts`` (k), ``strengths`` (s), ``original`` and ``null`` (n, c, h, w), ``edits``
        (k, s, n, c, h, w), in the value range of the images. Strengths run along the sign of the concept's
        best row; where both signs were rendered, negative ones are the other way of the concept.
    dose : DataFrame
        Effect and flip rate by concept, sign and strength.
    measured : DataFrame
        What each edit changes, in units: a row per concept, sign, strength and quantity.
    concepts : tuple of dict
        What each concept is, so that it can be applied again.
    directions : dict of str to Tensor
        Their numbers.
    config : dict
        Resolved configuration.
    cost : dict
        What it cost: `CostLedger.summary`.
    rules : dict, optional
        Of the rule method: formulas, factors, fronts, and how they were tested.
    tree : dict, optional
        Of the semantic method: the tree of phrases, and what a describer was asked and answered.
    breakdown : DataFrame, optional
        Of the attribute method: mean effect of each verified row by class and by group (``by``, ``name``),
        over the images that effects are estimated on, with 95 % intervals.
    drivers : DataFrame, optional
        Of the attribute method: change of the margin per standard deviation of a measured quantity, the other
        rows held, with 95 % intervals; ``summary["drivers"]`` says what share of the margin they carry.
    """

    summary: dict[str, Any]
    effects: pd.DataFrame
    cells: pd.DataFrame
    examples: dict[str, NDArray[Any]]
    dose: pd.DataFrame
    measured: pd.DataFrame
    concepts: tuple[dict[str, Any], ...]
    directions: dict[str, Tensor]
    config: dict[str, Any]
    cost: dict[str, Any]
    rules: dict[str, Any] | None = None
    tree: dict[str, Any] | None = None
    breakdown: pd.DataFrame | None = None
    drivers: pd.DataFrame | None = None

    def __repr__(self) -> str:
        """Print the effects, ranked."""
        return "\n".join([_headline(self), "", *_ranked_lines(self.effects), *_driver_lines(self)])

    def _repr_html_(self) -> str:
        """Show itself in a notebook. How is the report's affair; the two meet on the package's face alone."""
        return str(import_module("diffex").explanation_html(self))

    def save(self, folder: str | Path) -> Path:
        """Write the run folder.

        Parameters
        ----------
        folder : str or Path
            Made if absent.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FolderError
            If it holds another run, or cannot be written.
        """
        from diffex.runs.folder import write_run  # the folder's writer knows this class

        return write_run(self, Path(folder))


def _headline(explanation: Explanation) -> str:
    summary, effects = explanation.summary, explanation.effects
    return (
        f"Explanation(method={summary['method']!r}, target={summary['target']!r}: {len(explanation.cells)} "
        f"images, {effects['concept'].nunique()} concepts, {int(effects['significant'].sum())} significant)"
    )


def _ranked_lines(effects: pd.DataFrame) -> Iterator[str]:
    rows = effects.sort_values("rank", kind="stable")
    cells = [_texts(row) for row in rows.head(_SHOWN_ROWS).to_dict("records")]
    table = [("rank", "name", "sign", "effect [95 % interval]", "q", "flips", ""), *cells]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    if len(rows) > _SHOWN_ROWS:
        yield f"... {len(rows) - _SHOWN_ROWS} more rows in .effects"
    yield "* significant. Effect: change of the target's logit margin, from null edit to edit."


def _driver_lines(explanation: Explanation) -> Iterator[str]:
    """The measured quantities that are followed, the largest effects first."""
    if explanation.drivers is None:
        return
    sure = explanation.drivers[explanation.drivers["significant"]].head(_SHOWN_DRIVERS)
    told = explanation.summary.get("drivers")
    if len(sure) and told:
        named = [f"{_printable(row.words)} {row.effect:+.2f}" for row in sure.itertuples()]
        yield (
            f"One quantity at a time, the others held, per standard deviation: {', '.join(named)}; measured "
            f"quantities carry {told['share']:.0%} of what it answers to."
        )


def _printable(text: object) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(text))


def _texts(row: dict[Any, Any]) -> tuple[str, ...]:
    name = _printable(row["name"])
    return (
        f"{row['rank']:.0f}",
        name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 3] + "...",
        "+" if row["sign"] > 0 else "-",
        f"{row['effect']:+.2f} [{row['ci_low']:+.2f}, {row['ci_high']:+.2f}]",
        "<0.001" if row["q"] < 0.001 else f"{row['q']:.3f}",
        "-" if np.isnan(row["flip_rate"]) else f"{row['flip_rate']:.0%}",
        "*" if row["significant"] else "",
    )
