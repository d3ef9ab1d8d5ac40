"""What of an edit's effect is the phrase's own, and what leakage carries."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.effects.arrays import FloatArray
from diffex.explainers.semantics.checking import Checks, alike, in_spreads
from diffex.explainers.semantics.unmixing import reversing

FEWEST = 12
"""With fewer edits, controls counted, nobody can tell how much of an effect is carried unmeasured."""

_ROBUST = 1.4826  # standard deviations per median absolute deviation
_STILL = 1e-3  # share of the usual change below which an edit changes nothing
_BENT = 0.3  # of what leakage carries: over large changes a slope holds only roughly


@final
@dataclass(frozen=True, eq=False)
class OwnEffects:
    """Effects of K phrases and two signs, less what leakage carries.

    Parameters
    ----------
    effects : ndarray, shape (K, n, 2)
        NaN where not rendered.
    error : ndarray, shape (K, 2)
        Standard error of their means beyond that of images: what edits do to the margin that no measurement
        carries, how little is known of the slopes, and how roughly they hold. 0 for fewer than 12 phrases.
    slopes : dict of int to float
        The margin's change per standard deviation of each measurement of the regression, by position.
    """

    effects: FloatArray
    error: FloatArray
    slopes: dict[int, float]


def own_effects(
    effects: FloatArray, changes: FloatArray, checks: Checks, rises: NDArray[np.bool_], real: FloatArray
) -> OwnEffects:
    """Take out of every effect what the measurements that other phrases name carry.

    The mean effect of every line of edits is regressed on its mean changes of all measurements that some
    edit of the tree moves as its phrase says (ridge, as strong as the evidence says; MacKay 1992); of others,
    slopes would be learnt off edits that do something else. Means, since the measurement's noise in single
    images would make the slopes too flat. What the fit gives to measurements other than a
    phrase's own is leakage of the edit, not an effect of the phrase; measurements that go with its own over
    real images count as its own, since nothing tells them apart. What the fit does not explain is how far
    an arbitrary edit moves the margin, in proportion to all that it changes; a median, so that a few edits
    that break images do not decide for all. The two signs of a phrase, and opposite phrases, are one line.

    Parameters
    ----------
    effects : ndarray, shape (K, n, 2)
        Changes of the margin, those of the second sign the negatives of the first's; NaN where not rendered.
    changes : ndarray, shape (K, n, 2, m)
        Changes of the measurements, likewise.
    checks : Checks
        Which measurement is whose.
    rises : ndarray of bool, shape (K,)
        Whether more of the phrase is more of the measurement.
    real : ndarray, shape (r, m)
        Measurements of real images.

    Returns
    -------
    OwnEffects
        The effects themselves where no edit does what it says, or nothing moves the margin.
    """
    from sklearn.linear_model import BayesianRidge

    named = np.unique(checks.column[checks.done.any(axis=1)])
    every = in_spreads(changes, real.std(axis=0))
    seen = (~np.isnan(effects[..., 0])).sum(axis=1)  # (K,)
    means = np.nansum(every[:, :, 0], axis=1) / np.maximum(seen, 1)[:, None]  # (K, m)
    scaled, x = every[..., named], means[:, named]
    y = np.nansum(effects[:, :, 0], axis=1) / np.maximum(seen, 1)
    rows = _lines(checks.column, rises) & (seen > 0)
    if not (x[rows].any() and y[rows].any()):
        return OwnEffects(effects, np.zeros(effects.shape[::2]), {})
    weights = seen[rows] / seen[rows].mean()
    ridge = BayesianRidge(alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, fit_intercept=False)
    ridge.fit(x[rows], y[rows], sample_weight=weights)
    own = (checks.column[:, None] == named) | alike(real)[checks.column][:, named]  # (K, named)
    leak = np.where(own, 0.0, ridge.coef_)
    error = np.zeros(len(effects))
    if len(effects) >= FEWEST:
        beside = np.where(own, 0.0, x)
        of_slopes = np.einsum("ki,ij,kj->k", beside, ridge.sigma_, beside)
        fitted = len(named) - ridge.lambda_ * np.trace(ridge.sigma_)
        share = _moved(means, rows)
        missed = _ROBUST * np.median(np.abs(y[rows] - ridge.predict(x[rows])) / share[rows])
        scatter = missed**2 * rows.sum() / max(rows.sum() - fitted, 1.0)
        carried = (x * leak).sum(axis=1)
        error = np.sqrt(scatter * (share**2 + ridge.alpha_ * of_slopes) + (_BENT * carried) ** 2)
    slopes = dict(zip(named.tolist(), ridge.coef_.tolist(), strict=True))
    less = effects - (scaled * leak[:, None, None]).sum(-1)
    return OwnEffects(less, np.repeat(error[:, None], 2, axis=1), slopes)


def _moved(means: FloatArray, rows: NDArray[np.bool_]) -> FloatArray:
    """How much each edit changes at all, ``(K,)``: over all measurements, as a share of what lines change."""
    size = np.sqrt(np.square(means).mean(axis=1))
    return np.asarray(np.maximum(size / np.sqrt(np.square(size[rows]).mean()), _STILL))


def _lines(column: NDArray[np.int64], rises: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark one phrase of every line: of opposites, those that mean more."""
    return np.asarray(rises | ~reversing(column, rises).any(axis=1))
