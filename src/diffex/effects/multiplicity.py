"""Many tests at once: false discovery rate, and one p value for a family."""

import numpy as np
from numpy.typing import ArrayLike

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite


def benjamini_hochberg(p: ArrayLike) -> FloatArray:
    """Adjust p values so that calling ``q <= 0.05`` keeps the false discovery rate at 5 %.

    ``q_(i) = min over j >= i of m p_(j) / j`` (Benjamini & Hochberg 1995), valid under independence and
    positive dependence.

    Parameters
    ----------
    p : array_like, shape (m,)
        All p values of the family, those of no interest too.

    Returns
    -------
    ndarray, shape (m,)
        q values in the order of `p`.

    Raises
    ------
    InputError
        If a value lies outside [0, 1].

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.5]).round(3)
    array([0.03, 0.06, 0.5 ])
    """
    values = _probabilities(p)
    order = np.argsort(values, kind="stable")[::-1]
    scaled = values[order] * len(values) / np.arange(len(values), 0, -1)
    q = np.empty_like(values)
    q[order] = np.minimum.accumulate(scaled)
    return np.minimum(q, 1.0)


def simes(p: ArrayLike) -> float:
    """Give one p value for "nothing in this family", for example a parent in a tree of concepts.

    ``min over i of m p_(i) / i`` (Simes 1986).

    Parameters
    ----------
    p : array_like, shape (m,)
        The family's p values.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        If the family is empty or a value lies outside [0, 1].

    Examples
    --------
    >>> simes([0.02, 0.03])
    0.03
    """
    values = np.sort(_probabilities(p))
    if not len(values):
        raise InputError("simes got no p values, expected at least one; leave the empty family out.")
    return float(min(1.0, np.min(values * len(values) / np.arange(1, len(values) + 1))))


def _probabilities(p: ArrayLike) -> FloatArray:
    values = finite(p, "p", 1)
    if ((values < 0) | (values > 1)).any():
        raise InputError("p values got numbers outside [0, 1], expected probabilities.")
    return values
