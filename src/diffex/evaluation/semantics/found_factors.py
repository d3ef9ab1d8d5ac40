"""Which planted factors an explanation names: each once, by what its edits move most."""

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.stats import binom

from diffex.effects.arrays import BoolArray, FloatArray, IntArray
from diffex.effects.multiplicity import benjamini_hochberg


@final
@dataclass(frozen=True, eq=False)
class Called:
    """The edits that an explanation calls.

    Parameters
    ----------
    changes : ndarray, shape (m, 12)
        Mean change of every factor, as the oracle reads it, in standard deviations.
    effects : ndarray, shape (m,)
        Mean change of the target's margin.
    """

    changes: FloatArray
    effects: FloatArray

    def beside(self, other: "Called") -> "Called":
        """Call these edits and others."""
        return Called(
            np.concatenate([self.changes, other.changes]), np.concatenate([self.effects, other.effects])
        )

    def signs(self) -> IntArray:
        """Say of every factor in which direction it is said to move the classifier, ``(12,)``: -1, 0 or 1.

        An edit speaks for the factor that it moves most; of several, the one of largest effect.

        Returns
        -------
        ndarray of int, shape (12,)
            0 where no edit speaks for a factor.
        """
        found = np.zeros(self.changes.shape[1], dtype=np.int64)
        for row in np.argsort(np.abs(self.effects), kind="stable"):
            factor = int(np.abs(self.changes[row]).argmax())
            found[factor] = np.sign(self.effects[row] * self.changes[row, factor])
        return found


def coverage(signs: IntArray, true: FloatArray, active: BoolArray) -> float:
    """Share of the active factors that are named with the right sign.

    Parameters
    ----------
    signs : ndarray of int, shape (12,)
        From `Called.signs`.
    true : ndarray, shape (12,)
        Effects of exact interventions.
    active : ndarray of bool, shape (12,)
        Which matter.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> coverage(np.array([1, 1, 0]), np.array([2.0, -1.0, 0.0]), np.array([True, True, False]))
    0.5
    """
    return float((signs[active] == np.sign(true[active])).mean())


def rightness(signs: IntArray, true: FloatArray, active: BoolArray, null: BoolArray) -> float:
    """Share of the named factors that matter and have the right sign.

    Parameters
    ----------
    signs : ndarray of int, shape (12,)
        From `Called.signs`.
    true : ndarray, shape (12,)
        Effects of exact interventions.
    active, null : ndarray of bool, shape (12,)
        Which matter, and which do not; named factors between the two count neither way.

    Returns
    -------
    float
        0 to 1; NaN where nothing that counts is named.

    Examples
    --------
    >>> rightness(np.array([1, 1, 1]), np.array([2.0, -1.0, 0.0]), np.arange(3) < 2, np.arange(3) == 2)
    0.3333333333333333
    """
    named = (signs != 0) & (active | null)
    if not named.any():
        return float("nan")
    return float((active & (signs == np.sign(true)))[named].mean())


def sign_tested(effects: FloatArray, q: float = 0.05) -> BoolArray:
    """Test edits that come without a test: is the sign of the effect the same in most images.

    Two-sided sign test of every edit (Dixon & Mood 1946), Benjamini & Hochberg over all. It tests against no
    effect at all, not against that of an arbitrary edit as ours does: a generous rule for peers.

    Parameters
    ----------
    effects : ndarray, shape (n, m)
        Per image and edit.
    q : float, default 0.05
        False discovery rate.

    Returns
    -------
    ndarray of bool, shape (m,)
        Those called.
    """
    up, count = (effects > 0).sum(axis=0), (effects != 0).sum(axis=0)
    p = np.minimum(1.0, 2 * binom.cdf(np.minimum(up, count - up), count, 0.5))
    return np.asarray(benjamini_hochberg(p) <= q)
