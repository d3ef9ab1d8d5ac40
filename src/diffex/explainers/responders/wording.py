"""The result in plain words."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from diffex.explainers.responders.curves import Curves
from diffex.explainers.responders.design import Design
from diffex.explainers.responders.populations import LIKELY, Populations
from diffex.responses.confounds import Confounds

_ALPHA = 0.05


def sentences(
    curves: Curves, populations: Populations, confounds: Sequence[Confounds], design: Design
) -> tuple[str, ...]:
    """Say what was found: the experiment, what answers first, each value, responders, confounds.

    Parameters
    ----------
    curves : Curves
        Every value against the dose.
    populations : Populations
        Responders by condition.
    confounds : sequence of Confounds
        By kind of batch.
    design : Design
        The experiment.

    Returns
    -------
    tuple of str
        Sentences.
    """
    return (
        _experiment(design), *_first(curves, design), *_values(curves, design),
        *_responders(populations), *(one.words for one in confounds),
    )  # fmt: skip


def _experiment(design: Design) -> str:
    control, count = int(design.control.sum()), int((~design.positive).sum())
    where = f"{len(design.treated)} doses in column {design.dose}" if design.dose else design.treated[0]
    wells = "" if design.wells is None else f" of {len(set(design.wells[~design.positive]))} wells"
    return f"{count} cells{wells}: {control} controls ({design.controls}) against {where}."


def _first(curves: Curves, design: Design) -> Iterator[str]:
    if curves.first is None:
        yield f"Nothing departs from controls at a false discovery rate of 0.05{_trend(curves, design)}."
        return
    answers = curves.answers.set_index("name", drop=False)
    row = answers.loc[curves.first]
    others = [one for one in answers.to_dict("records") if one["name"] != curves.first]
    said = "; ".join(f"{one['name']} {_from(one, design)}" for one in others)
    first = f"{called(row.to_dict())}, {_from(row.to_dict(), design)}"
    yield f"First to answer: {first} (FDR 0.05). Beside it: {said}."


def _trend(curves: Curves, design: Design) -> str:
    """Say what follows the dose, though no single dose departs: the test over all doses sees more."""
    if design.dose is None:
        return ""
    rows = curves.answers.dropna(subset="trend_p").to_dict("records")
    best = min(rows, key=lambda row: float(row["trend_p"]), default={"trend_p": math.inf})
    p = best["trend_p"] * len(rows)
    if not p <= _ALPHA:
        return ""
    return (
        f" at any single dose, but over all doses {best['name']} follows {design.dose} (trend "
        f"{best['trend']:+.2f}, p = {p:.2g}, Bonferroni over {len(rows)} values)"
    )


def _from(row: dict[Any, Any], design: Design) -> str:
    if math.isnan(row["lowest"]):
        return "never"
    if design.dose is None:
        return f"p = {row['lowest_p']:.2g}"
    return f"from {design.dose} {row['lowest']:g} on"


def called(row: dict[Any, Any]) -> str:
    """Name a value in a sentence.

    Parameters
    ----------
    row : dict
        With ``name, kind, words``.

    Returns
    -------
    str
        For example ``"attribute latent:3 (area -20 %)"``.
    """
    if row["kind"] == "classifier":
        return f"the classifier's score ({row['words']})"
    return f"{row['kind']} {row['name']} ({row['words']})"


def _values(curves: Curves, design: Design) -> Iterator[str]:
    if design.dose is None:
        return
    for row in curves.answers.to_dict("records"):
        trend = "" if math.isnan(row["trend"]) else f"trend {row['trend']:+.2f} (p = {row['trend_p']:.2g}). "
        name = called(row)
        yield f"{name[0].upper()}{name[1:]}: {trend}{row['ec50_words']}"


def _responders(populations: Populations) -> Iterator[str]:
    if not len(populations.table):
        return
    leading = populations.table[populations.table["name"] == populations.table["name"].iloc[0]]
    for row in leading.to_dict("records"):
        listed = (
            f" {row['listed']} cells of probability {LIKELY:g} or more are listed." if row["listed"] else ""
        )
        yield f"By {row['name']} at {row['condition']}: {row['words']}{listed}"
