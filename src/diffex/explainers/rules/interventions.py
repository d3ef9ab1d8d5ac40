"""Does the formula foretell what edits do? The change it predicts from the request, against the network's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from scipy import stats

from diffex.concepts import Concept
from diffex.editors import Editor
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, margin_of
from diffex.effects.replication import replication_units
from diffex.images import Images
from diffex.rules.factors import Factors
from diffex.rules.rule import Rule

_STRENGTHS = (-1.0, -0.5, 0.5, 1.0)
_RESAMPLES = 500


@final
@dataclass(frozen=True, eq=False)
class Intervention:
    """Predicted and shown changes of a margin over images, factors and strengths.

    Parameters
    ----------
    predicted, shown : ndarray, shape (n, m)
        By the formula from the factor change asked for; by the network, edit minus null edit.
    correlation, slope : (float, float, float)
        Of shown on predicted, with 95 % intervals that resample images, or groups where there are 6.
    """

    predicted: FloatArray
    shown: FloatArray
    correlation: tuple[float, float, float]
    slope: tuple[float, float, float]


def intervene(
    images: Images,
    own: Factors,
    editor: Editor,
    requests: Sequence[tuple[Concept, FloatArray]],
    judge: Judge,
    rule: Rule,
    target: int,
    seed: int,
) -> Intervention:
    """Edit images along each factor of a rule and compare.

    Parameters
    ----------
    images : Images
        N held-out images.
    own : Factors
        Of them, F columns.
    editor : Editor
        Of the code that the requests speak of.
    requests : sequence of (Concept, ndarray of shape (F,))
        Concepts, and the change of every factor that each asks for at strength 1.
    judge : Judge
        The classifier, with the account.
    rule : Rule
        Of the target's margin.
    target : int
        Index of the class.
    seed : int
        Of resampling.

    Returns
    -------
    Intervention
        The edit is never measured or encoded again: the formula sees the request only.
    """
    inversion = editor.invert(images.read(), images.ids)
    null = margin_of(judge.logits(editor.null(inversion)), target)
    before = rule.evaluate(own.columns(rule.names).values)
    predicted, shown = [], []
    for concept, change in requests:
        for strength in _STRENGTHS:
            edited = editor.edit(inversion, concept, strength)
            shown.append(margin_of(judge.logits(edited), target) - null)
            asked = replace(own, values=own.values + strength * change)
            predicted.append(rule.evaluate(asked.columns(rule.names).values) - before)
    judge.ledger.count("interventions", (1 + len(predicted)) * len(images) * editor.evaluations)
    return _compared(_columns(predicted, len(images)), _columns(shown, len(images)), images, seed)


def _columns(changes: Sequence[FloatArray], count: int) -> FloatArray:
    """A rule may read no factor that can be edited: then there are no columns."""
    return np.stack(changes, axis=1) if changes else np.zeros((count, 0))


def _compared(predicted: FloatArray, shown: FloatArray, images: Images, seed: int) -> Intervention:
    units = replication_units(len(predicted), images.groups)
    drawn = np.array([_line(predicted[rows], shown[rows]) for rows in units.resamples(_RESAMPLES, seed)])
    value, (low, high) = _line(predicted, shown), np.quantile(drawn, (0.025, 0.975), axis=0)
    found = [(float(value[i]), float(low[i]), float(high[i])) for i in range(2)]
    return Intervention(predicted, shown, found[0], found[1])


def _line(predicted: FloatArray, shown: FloatArray) -> tuple[float, float]:
    if not predicted.size or predicted.std() == 0 or shown.std() == 0:
        return 0.0, 0.0
    fit = stats.linregress(predicted.ravel(), shown.ravel())
    return float(fit.rvalue), float(fit.slope)
