"""T1: from effects of edits to effects of factors."""

import numpy as np
from scipy.stats import rankdata

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite, same_length

_PENALTIES = np.geomspace(1e-6, 1e2, 25)


def recovered_effects(changes: FloatArray, effects: FloatArray, weights: FloatArray) -> FloatArray:
    """Attribute the effects of edits to the factors that they change.

    ``min over tau of sum_d w_d (s_d - sum_j A_dj tau_j)^2 + penalty |tau|^2``; the penalty is the one of
    smallest generalised cross-validation error (Golub, Heath & Wahba 1979), relative to the mean diagonal.

    Parameters
    ----------
    changes : ndarray, shape (D, J)
        A: mean change of every factor by every edit, in standard deviations.
    effects : ndarray, shape (D,)
        s: mean change of the logit margin.
    weights : ndarray, shape (D,)
        Of the edits, for example one over the squared standard error; positive.

    Returns
    -------
    ndarray, shape (J,)
        Logits per standard deviation of the factor.

    Raises
    ------
    InputError
        If lengths differ or values are not finite.

    Examples
    --------
    >>> recovered_effects(np.eye(3), np.array([1.0, 2.0, 0.0]), np.ones(3)).round(3)
    array([1., 2., 0.])
    """
    a, s, w = finite(changes, "changes", 2), finite(effects, "effects", 1), finite(weights, "weights", 1)
    same_length(len(a), "effects", s)
    same_length(len(a), "weights", w)
    if not (w > 0).all():
        raise InputError("weights got a value of 0 or less, expected positive numbers.")
    root = np.sqrt(w / w.mean())
    u, singular, vt = np.linalg.svd(a * root[:, None], full_matrices=False)
    projected = u.T @ (s * root)
    unit = float((singular**2).mean()) or 1.0
    rest = float(((s * root) ** 2).sum() - (projected**2).sum())
    errors = [_gcv(singular, projected, rest, len(a), penalty * unit) for penalty in _PENALTIES]
    best = float(_PENALTIES[int(np.argmin(errors))]) * unit
    return np.asarray(vt.T @ (singular * projected / (singular**2 + best)))


def _gcv(singular: FloatArray, projected: FloatArray, rest: float, count: int, penalty: float) -> float:
    kept = singular**2 / (singular**2 + penalty)
    residual = float((((1 - kept) * projected) ** 2).sum()) + max(rest, 0.0)
    return residual / max(count - float(kept.sum()), 1e-9) ** 2


def mean_changes(
    factors: FloatArray, margins: FloatArray, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Average over images, one line per edit.

    Parameters
    ----------
    factors : ndarray, shape (n, D, J)
        Change of every factor in every image by every edit.
    margins : ndarray, shape (n, D)
        Change of the margin.
    rows : ndarray of int
        Images, with repetition in a bootstrap.

    Returns
    -------
    (ndarray, ndarray, ndarray)
        Changes ``(D, J)``, effects ``(D,)``, and weights: one over the squared standard error, with the
        median error added so that no edit rules alone.
    """
    some = margins[rows]
    error = some.std(axis=0) / np.sqrt(len(rows))
    weights = 1 / (error**2 + np.median(error) ** 2 + 1e-12)
    return factors[rows].mean(axis=0), some.mean(axis=0), weights


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Rank correlation, 0 where one side is constant.

    Parameters
    ----------
    a, b : ndarray, shape (m,)
        Values.

    Returns
    -------
    float
        In [-1, 1].

    Examples
    --------
    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0])), 6)
    1.0
    """
    first, second = rankdata(a), rankdata(b)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
