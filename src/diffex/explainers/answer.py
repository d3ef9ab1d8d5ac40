"""The answer in three sentences, from numbers alone."""

import numpy as np
import pandas as pd

from diffex.effects.agreement import Agreement
from diffex.explainers.verifying import Verified


def answer(
    effects: pd.DataFrame,
    verified: list[Verified],
    target: str,
    unit: str,
    groups: int,
    q: float = 0.05,
    compared: Agreement | None = None,
) -> tuple[str, str, str]:
    """Say what the classifier goes by, how much, and how sure that is.

    Parameters
    ----------
    effects : DataFrame
        The ranked table.
    verified : list of Verified
        The best attributes, best first.
    target : str
        The class explained.
    unit : {"images", "groups"}
        What intervals are over.
    groups : int
        How many groups there are.
    q : float
        False discovery rate.
    compared : Agreement, optional
        Where a search dropped rows before they were rendered on every image.

    Returns
    -------
    tuple of three str
        Plain sentences.
    """
    tested = effects[effects["kind"] != "random"]
    found = tested[tested["significant"]]
    if not verified:
        return (
            f"No change that was tried moves the classifier's score for {target} more than an arbitrary "
            "change of equal size would.",
            f"{len(tested)} changes (concepts and signs) were tested on {int(effects['n'].max())} images; "
            f"none is significant at a false discovery rate of {100 * q:g} %.{_dropped(compared)}",
            _sureness(effects, unit, groups),
        )
    best = verified[0]
    row = effects[(effects["concept"] == best.concept.id) & (effects["sign"] == best.sign)].iloc[0]
    return (
        f"The classifier calls an image {target} when this changes: {row['words']}.",
        f"{_flips(best)} {_effect(row)}",
        f"{len(found)} of {len(tested)} tested changes (concepts and signs) are significant at a false "
        f"discovery rate of {100 * q:g} %.{_dropped(compared)} {_sureness(effects, unit, groups)}",
    )


def _dropped(compared: Agreement | None) -> str:
    if compared is None:
        return ""
    return f" {compared.dropped} of them were dropped by the search and count as not significant."


def _flips(best: Verified) -> str:
    row = best.at(best.strength)
    if np.isnan(row["flip_rate"]):
        return "All images tried are the target class already, so none could be turned into it."
    where = "" if row["on_manifold"] else " (edited images can be told from real ones: take this with care)"
    return (
        f"At strength {row['strength']:g} it turns {100 * row['flip_rate']:.0f} % of the other images "
        f"(95 % interval {100 * row['flip_low']:.0f} to {100 * row['flip_high']:.0f} %) "
        f"into the target class{where}."
    )


def _effect(row: pd.Series) -> str:
    return (
        f"At strength 1 it raises the logit margin by {row['effect']:.2f} "
        f"({row['ci_low']:.2f} to {row['ci_high']:.2f})."
    )


def _sureness(effects: pd.DataFrame, unit: str, groups: int) -> str:
    count = int(effects["n"].max())
    if unit == "groups":
        return f"Intervals are over {groups} groups ({count} images)."
    if groups:
        return (
            f"Intervals are over {count} images within these {groups} groups; "
            "they do not speak for other groups."
        )
    return f"Intervals are over {count} images."
