"""What is shown of the best phrases: dose, measurements in units, pictures."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diffex.base.positions import evenly
from diffex.concepts import Concept
from diffex.effects.arrays import FloatArray
from diffex.effects.intervals import mean_interval, wilson
from diffex.effects.matrix import margin_of
from diffex.explainers.answering import answered
from diffex.explainers.naming import change_rows
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.edits import PhraseEdits, Subject
from diffex.images import Images
from diffex.measurements import Quantity
from diffex.runs.tables import DOSE_COLUMNS, MEASURED_COLUMNS

Best = list[tuple[Concept, int]]


def dose_table(
    subject: Subject, best: Best, target: int, groups: NDArray[np.str_] | None, config: SemanticConfig
) -> pd.DataFrame:
    """Edit every image along the best phrases at all strengths.

    Parameters
    ----------
    subject : Subject
        Images and renderer.
    best : list of (Concept, int)
        Phrases and signs.
    target : int
        Index of the target.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.
    config : SemanticConfig
        Strengths.

    Returns
    -------
    DataFrame
        The columns of ``dose.parquet``; realism of edits is not tested, its column is NaN.
    """
    null = margin_of(subject.null_logits, target)
    fresh = subject.null_logits.argmax(1) != target
    every = np.arange(len(subject.inversion))
    rows = []
    for concept, sign in best:
        for strength in config.strengths:
            logits = subject.judge.logits(subject.render(concept, sign * strength, every, "dose"))
            effect = mean_interval(margin_of(logits, target) - null, groups)
            flips = wilson(int((logits.argmax(1) == target)[fresh].sum()), int(fresh.sum()))
            rows.append(
                {
                    "concept": concept.id, "sign": sign, "strength": strength, "effect": effect.value,
                    "low": effect.low, "high": effect.high, "flip_rate": flips[0], "flip_low": flips[1],
                    "flip_high": flips[2], "n": len(logits), "discriminator_auroc": np.nan,
                    "on_manifold": True,
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=DOSE_COLUMNS)


def measured_table(
    edits: PhraseEdits,
    best: Best,
    quantities: tuple[Quantity, ...],
    spread: FloatArray,
    groups: NDArray[np.str_] | None,
) -> pd.DataFrame:
    """Say in units what the best phrases change at strength 1.

    Parameters
    ----------
    edits : PhraseEdits
        What was rendered.
    best : list of (Concept, int)
        Phrases and signs.
    quantities : tuple of Quantity
        The measurements.
    spread : ndarray, shape (m,)
        Standard deviation of each over real images.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.

    Returns
    -------
    DataFrame
        The columns of ``measured.parquet``.
    """
    places = {c.id: k for k, c in enumerate(edits.concepts)}
    null = edits.subject.null_measured
    tables = []
    for concept, sign in best:
        change = edits.changes[places[concept.id], :, 0 if sign > 0 else 1]
        rows = np.flatnonzero(~np.isnan(change[:, 0]))
        before = null.iloc[rows]
        after = before + change[rows]
        table = change_rows(before, after, quantities, spread, None if groups is None else groups[rows])
        tables.append(table.assign(concept=concept.id, sign=sign, strength=1.0))
    return (
        pd.concat(tables, ignore_index=True)[MEASURED_COLUMNS]
        if tables
        else pd.DataFrame(columns=MEASURED_COLUMNS)
    )


def example_pictures(
    subject: Subject, chosen: Images, best: Best, target: int, config: SemanticConfig
) -> dict[str, NDArray[Any]]:
    """Edit a few images along the best phrases at all strengths.

    Parameters
    ----------
    subject : Subject
        Images and renderer.
    chosen : Images
        The sample.
    best : list of (Concept, int)
        Phrases and signs.
    target : int
        Index of the target.
    config : SemanticConfig
        Strengths, how many images.

    Returns
    -------
    dict of str to ndarray
        As ``examples.npz`` holds them; ``answered`` is of the strongest edit.
    """
    margins = margin_of(subject.null_logits, target)
    rows = np.argsort(margins)[evenly(len(margins), config.shown)]
    edited = [
        torch.stack([subject.render(c, sign * s, rows, "examples") for s in config.strengths])
        for c, sign in best
    ]
    x, null = chosen.read(rows), subject.null[rows]
    strongest = [edit[int(np.argmax(config.strengths))] for edit in edited]
    empty = np.zeros((0, len(config.strengths), *x.shape), dtype=np.float32)
    return {
        "ids": np.array([chosen.ids[i] for i in rows]),
        "concepts": np.array([c.id for c, _ in best], dtype=np.str_),
        "strengths": np.array(config.strengths, dtype=np.float64),
        "original": x.numpy(),
        "null": null.numpy(),
        "edits": torch.stack(edited).numpy() if edited else empty,
        **answered(subject.judge, null, strongest, target),
    }
