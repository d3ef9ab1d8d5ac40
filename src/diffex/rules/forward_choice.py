"""The factors that explain the logits best, taken one after the other."""

import math

import numpy as np
from numpy.typing import ArrayLike

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray
from diffex.rules.sparse_network import checked_table, standard, varies

_NOTHING_LEFT = 1e-6
"""Length, of 1, below which a column is a combination of those chosen."""


def forward_choice(x: ArrayLike, logits: ArrayLike, seed: int = 0, *, most: int = 10) -> tuple[int, ...]:
    """Choose factors by orthogonal forward regression on each factor and its square.

    Each step takes the factor whose two columns, made orthogonal to those chosen, explain most of the
    residual of all standardised outputs together. It stops at `most` factors, or where the extended Bayesian
    information criterion does not improve: ``n log(before / after) <= c log(n) + 2 log(d)`` for c columns. A
    factor that acts through a product alone is not seen; `fit_hard_concrete` sees it.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Factors, any units; constant ones are never chosen.
    logits : array_like, shape (n, k)
        Of the classifier.
    seed : int, default 0
        Not used, nothing is random; taken so that `stability_selection` can call this.
    most : int, default 10
        Factors at most.

    Returns
    -------
    tuple of int
        Columns of x, the best first.

    Raises
    ------
    InputError
        As `checked_table`; if most is below 1.

    References
    ----------
    Chen et al. 1989, "Orthogonal least squares methods and their application to non-linear system
    identification"; Chen and Chen 2008, "Extended Bayesian information criteria".

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 8))
    >>> forward_choice(x, x[:, [5]] - 0.4 * x[:, [2]] ** 2)
    (5, 2)
    """
    if most < 1:
        raise InputError(f"most got {most}, expected 1 or more.")
    factors, outputs = checked_table(x, logits)
    varying = np.flatnonzero(varies(factors))
    z = standard(factors).apply(factors)[:, varying]
    lines, squares = _unit(z), _unit(z**2 - (z**2).mean(axis=0))  # (n, m)
    residual = standard(outputs).apply(outputs)  # (n, k)
    chosen: list[int] = []
    for _ in range(min(most, len(varying))):
        first, second = _orthogonal(lines, squares)
        explained = ((first.T @ residual) ** 2 + (second.T @ residual) ** 2).sum(axis=1)  # (m,)
        best = int(explained.argmax())
        basis = np.stack([first[:, best], second[:, best]], axis=1)
        before, columns = float((residual**2).sum()), int(basis.any(axis=0).sum())
        if not _is_worth(before, float(explained[best]), columns, z.shape):
            break
        chosen.append(int(varying[best]))
        lines, squares, residual = (a - basis @ (basis.T @ a) for a in (lines, squares, residual))
    return tuple(chosen)


def _is_worth(before: float, explained: float, columns: int, shape: tuple[int, ...]) -> bool:
    n, m = shape
    if before <= _NOTHING_LEFT**2 * n:
        return False
    after = max(before - explained, 1e-12 * before)
    return n * math.log(before / after) > columns * math.log(n) + 2 * math.log(m)


def _orthogonal(lines: FloatArray, squares: FloatArray) -> tuple[FloatArray, FloatArray]:
    first = _unit(lines)
    return first, _unit(squares - first * (first * squares).sum(axis=0))


def _unit(columns: FloatArray) -> FloatArray:
    """Give each column length 1, or 0 where hardly anything is left of it."""
    lengths = np.sqrt((columns**2).sum(axis=0))
    return np.asarray(columns / np.where(lengths > _NOTHING_LEFT, lengths, np.inf), dtype=np.float64)
