"""How much of the classifier is left as fewer and fewer factors are allowed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite
from diffex.rules.hard_concrete import fit_hard_concrete
from diffex.rules.rigl import fit_rigl
from diffex.rules.sparse_network import SparseNetwork, checked_table, varies

COLUMNS = ("method", "setting", "factors", "connections", "r2", "agreement")


def sparsity_path(
    x: ArrayLike,
    logits: ArrayLike,
    x_test: ArrayLike,
    logits_test: ArrayLike,
    *,
    densities: Sequence[float],
    penalties: Sequence[float],
    seed: int,
    hidden: int = 32,
    steps: int = 3000,
) -> pd.DataFrame:
    """Fit a network per density (`fit_rigl`) and per penalty (`fit_hard_concrete`) and test each.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Factors, any units.
    logits : array_like, shape (n, k)
        Of the classifier.
    x_test, logits_test : array_like, shapes (t, d) and (t, k)
        Other images, 2 or more, that share no group with the first.
    densities : sequence of float
        For example 0.01, 0.02, 0.05, 0.1, 0.2, 0.5.
    penalties : sequence of float
        For example 0.1, 0.03, 0.01, 0.003, 0.001.
    seed : int
        Of every fit.
    hidden, steps : int, default 32 and 3000
        As for `fit_rigl`.

    Returns
    -------
    DataFrame
        A row per setting, in the order given: ``method`` (rigl or hard_concrete), ``setting`` (density or
        penalty), ``factors`` and ``connections`` (counts), ``r2`` on the test images, mean over outputs,
        and ``agreement``, their share to which network and classifier give the same class: the largest
        logit, with one output its sign.

    Raises
    ------
    InputError
        As `fit_rigl` and `fit_hard_concrete`; if the test images cannot be used with the first.
    """
    factors, outputs = checked_table(x, logits)
    test = _checked_test(x_test, logits_test, factors.shape[1], outputs.shape[1])
    rows = []
    for density in densities:
        network = fit_rigl(factors, outputs, density, hidden=hidden, steps=steps, seed=seed)
        rows.append(("rigl", float(density), *_tested(network, *test)))
    for penalty in penalties:
        network = fit_hard_concrete(factors, outputs, penalty, hidden=hidden, steps=steps, seed=seed)
        rows.append(("hard_concrete", float(penalty), *_tested(network, *test)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _checked_test(x: ArrayLike, logits: ArrayLike, d: int, k: int) -> tuple[FloatArray, FloatArray]:
    factors, outputs = finite(x, "x_test", 2), finite(logits, "logits_test", 2)
    if factors.shape[1] != d or outputs.shape[1] != k or len(factors) != len(outputs):
        raise InputError(
            f"The test tables got {factors.shape} and {outputs.shape}, expected (t, {d}) and (t, {k})."
        )
    if len(outputs) < 2 or not varies(outputs).all():
        raise InputError("logits_test got a constant output, expected ones that vary; give more test images.")
    return factors, outputs


def _tested(network: SparseNetwork, x: FloatArray, logits: FloatArray) -> tuple[int, int, float, float]:
    predicted = network.predict(x)
    unexplained = ((logits - predicted) ** 2).mean(axis=0) / logits.var(axis=0)
    agreement = float((_decide(predicted) == _decide(logits)).mean())
    return len(network.factors), network.connections, float(1 - unexplained.mean()), agreement


def _decide(logits: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    decided = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(axis=1)
    return decided.astype(np.int64)
