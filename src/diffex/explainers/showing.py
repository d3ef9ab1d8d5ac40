"""Example pictures: real cells, rendered again and edited on their own inverted noise."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffex.base.positions import evenly
from diffex.editors import LatentEditor
from diffex.explainers.answering import answered
from diffex.explainers.config import AttributeConfig
from diffex.explainers.preparing import Prepared
from diffex.explainers.verifying import Verified
from diffex.generators import DiffusionAutoencoder


def example_pictures(
    prepared: Prepared, generator: DiffusionAutoencoder, verified: list[Verified], config: AttributeConfig
) -> dict[str, NDArray[Any]]:
    """Edit a few cells of the estimating half along every verified attribute.

    Parameters
    ----------
    prepared : Prepared
        The sample.
    generator : DiffusionAutoencoder
        The renderer, at full depth.
    verified : list of Verified
        K attributes with their signs.
    config : AttributeConfig
        Strengths and how many cells.

    Returns
    -------
    dict of str to ndarray
        ``ids (n)``, ``concepts (k)``, ``strengths (s)``, ``original``, ``null`` ``(n, c, h, w)`` and
        ``edits`` ``(k, s, n, c, h, w)``, grey values, float32. Strengths run along the attribute's sign.
        ``answered``, of the strongest edit that looks real, as of `answered`.
    """
    rows = _shown_rows(prepared, config.shown)
    ids = tuple(prepared.images.ids[i] for i in rows)
    editor = LatentEditor(generator, "inverted", None, config.seed)
    x = prepared.x[rows]
    inversion = editor.invert(x, ids)
    prepared.ledger.count("inversion", len(rows) * editor.evaluations)
    null = editor.null(inversion)
    edits = [
        torch.stack([editor.edit(inversion, v.concept, v.sign * s) for s in config.strengths])
        for v in verified
    ]
    prepared.ledger.count(
        "examples", (1 + len(edits) * len(config.strengths)) * len(rows) * editor.evaluations
    )
    shape = (0, len(config.strengths), *x.shape)
    places = [int(np.abs(np.subtract(config.strengths, v.strength)).argmin()) for v in verified]
    strongest = [edit[place] for edit, place in zip(edits, places, strict=True)]
    return {
        "ids": np.array(ids),
        "concepts": np.array([v.concept.id for v in verified], dtype=np.str_),
        "strengths": np.array(config.strengths, dtype=np.float64),
        "original": x.numpy(),
        "null": null.numpy(),
        "edits": torch.stack(edits).numpy() if edits else np.zeros(shape, dtype=np.float32),
        **answered(prepared.judge, null, strongest, prepared.target),
    }


def _shown_rows(prepared: Prepared, count: int) -> NDArray[np.int64]:
    """Cells that are not the target, spread over the range of the logit, then others."""
    margins = prepared.logits
    estimating = np.flatnonzero(~prepared.half)
    away = estimating[margins[estimating].argmax(1) != prepared.target]
    pool = away if len(away) >= count else estimating
    order = pool[np.argsort(margins[pool, prepared.target])]
    return np.asarray(order[evenly(len(order), count)])
