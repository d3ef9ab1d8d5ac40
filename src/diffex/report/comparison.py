"""Several runs side by side: who was explained, and what matters most in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import pandas as pd
from markupsafe import Markup

from diffex.report.facts import METHODS
from diffex.report.numbers import NONE, percent, signed
from diffex.report.ranking import effect_limits
from diffex.report.svg import interval_bar, zero_place
from diffex.runs import Salvaged

_MOST = 5


@final
@dataclass(frozen=True)
class Entry:
    """One attribute of one run, ready to show."""

    title: str
    effect: str
    interval: str
    flips: str
    bar: Markup


@final
@dataclass(frozen=True)
class Comparison:
    """The table of all runs.

    Parameters
    ----------
    heads : tuple of (str, str)
        Anchor and name of each run.
    facts : tuple of (str, tuple of str)
        A name, and what it is in each run.
    places : tuple of (int, tuple of Entry or None)
        A place, and the attribute on it in each run; None where a run has no more that are significant.
    zero : str
        Where on the axis of all bars zero is, as a CSS length.
    """

    heads: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    places: tuple[tuple[int, tuple[Entry | None, ...]], ...]
    zero: str


def compare(runs: Sequence[Salvaged], prefixes: Sequence[str]) -> Comparison | None:
    """Put runs side by side.

    Parameters
    ----------
    runs : sequence of Salvaged
        What could be read of them.
    prefixes : sequence of str
        Anchors of the runs in the page.

    Returns
    -------
    Comparison or None
        None for a single run.
    """
    if len(runs) < 2:
        return None
    found = [run.explanation for run in runs]
    limits = effect_limits(pd.concat([e.effects[["effect", "ci_low", "ci_high"]] for e in found]))
    columns = [_entries(e.effects, limits) for e in found]
    depth = max(len(column) for column in columns)
    heads = _heads([e.summary for e in found])
    return Comparison(
        heads=tuple(zip(prefixes, heads, strict=True)),
        facts=_facts([e.summary for e in found]),
        places=tuple(
            (i + 1, tuple(column[i] if i < len(column) else None for column in columns)) for i in range(depth)
        ),
        zero=zero_place(limits),
    )


def _heads(heads: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each run by its target, and by its method where these differ."""
    if len({head["method"] for head in heads}) == 1:
        return [head["target"] for head in heads]
    return [f"{head['target']} ({head['method']})" for head in heads]


def _entries(effects: pd.DataFrame, limits: tuple[float, float]) -> list[Entry]:
    sure = effects[effects["significant"] & (effects["kind"] != "random")].sort_values("rank", kind="stable")
    return [
        Entry(
            title=row["words"] if isinstance(row["words"], str) and row["words"] else row["name"],
            effect=signed(row["effect"]),
            interval=f"{signed(row['ci_low'])} to {signed(row['ci_high'])}",
            flips=percent(row["flip_rate"]),
            bar=interval_bar(row["effect"], row["ci_low"], row["ci_high"], limits, sure=True),
        )
        for row in sure.head(_MOST).to_dict("records")
    ]


def _facts(heads: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (
        ("Method", tuple(METHODS.get(head["method"], head["method"]) for head in heads)),
        ("Classifier", tuple(head.get("classifier", {}).get("address", NONE) for head in heads)),
        ("Balanced accuracy", tuple(_accuracy(head.get("classifier", {})) for head in heads)),
        ("Images", tuple(str(head["counts"].get("images", NONE)) for head in heads)),
        ("Gates passed", tuple(_gates(head["gates"]) for head in heads)),
        ("Seed", tuple(str(head["seed"]) if "classifier" in head else NONE for head in heads)),
    )


def _accuracy(classifier: Mapping[str, Any]) -> str:
    found = classifier.get("balanced_accuracy")
    return percent(found["value"]) if found else NONE


def _gates(gates: Sequence[Mapping[str, Any]]) -> str:
    return f"{sum(gate['passed'] for gate in gates)} of {len(gates)}" if gates else NONE
