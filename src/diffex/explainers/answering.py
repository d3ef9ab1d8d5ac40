"""What of the edits in the example pictures the classifier answers to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from diffex.classifiers.margins import margin
from diffex.effects.answering import integrated_gradients
from diffex.effects.matrix import Judge
from diffex.runs.examples import ANSWERED

_POINTS = 8
_COST = 3  # a forward and a backward pass


def answered(judge: Judge, null: Tensor, edits: Sequence[Tensor], target: int) -> dict[str, NDArray[Any]]:
    """Tell what each pixel of some edits adds to the change of the margin.

    Parameters
    ----------
    judge : Judge
        The classifier.
    null : Tensor, shape (n, c, h, w)
        Null edits.
    edits : sequence of Tensor, each (n, c, h, w)
        Of k concepts, the strongest that look real.
    target : int
        Index of the target class.

    Returns
    -------
    dict of str to ndarray
        ``answered``, ``(k, n, c, h, w)``, logits, float32; nothing where the classifier gives no gradients.
    """
    classifier, value_range = judge.classifier, judge.value_range
    if not classifier.differentiable:
        return {}
    judge.ledger.classifier_calls += _COST * _POINTS * len(null) * len(edits)
    found = [
        integrated_gradients(
            lambda x: margin(classifier.logits(x, value_range), target), null, edit, _POINTS
        ).numpy()
        for edit in edits
    ]
    return {ANSWERED: np.stack(found) if found else np.zeros((0, *null.shape), dtype=np.float32)}
