"""What of an edit's effect is the phrase's own, and what leakage carries."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.effects.arrays import FloatArray
from diffex.explainers.semantics.checking import Checks, alike, in_spreads

FEWEST = 12
"""With fewer phrases nobody can tell how much of an effect is carried by what is not measured."""


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
        carries, and how little is known of the slopes. 0 for fewer than 12 phrases.
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

    The mean effect of every phrase and sign is regressed on its mean changes of all measurements that some
    edit of the tree moves as its phrase says (ridge, as strong as the evidence says; MacKay 1992); of others,
    slopes would be learnt off edits that do something else. Means, since the measurement's noise in single
    images would make the slopes too flat. What the fit gives to measurements other than a
    phrase's own is leakage of the edit, not an effect of the phrase; measurements that go with its own over
    real images count as its own, since nothing tells them apart. What the fit does not explain is how far
    an arbitrary edit moves the margin. The two signs of a phrase, and opposite phrases, are led along one
    line and count as one edit when degrees of freedom are.

    Parameters
    ----------
    effects : ndarray, shape (K, n, 2)
        Changes of the margin; NaN where not rendered.
    changes : ndarray, shape (K, n, 2, m)
        Changes of the measurements.
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
    scaled = in_spreads(changes[..., named], real[:, named].std(axis=0))
    seen = (~np.isnan(effects)).sum(axis=1)  # (K, 2)
    given = np.maximum(seen, 1)
    x = np.nansum(scaled, axis=1) / given[..., None]  # (K, 2, named)
    y = np.nansum(effects, axis=1) / given
    if not (x.any() and y.any()):
        return OwnEffects(effects, np.zeros(seen.shape), {})
    ridge = BayesianRidge(alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, fit_intercept=False)
    rows = seen > 0
    ridge.fit(x[rows], y[rows], sample_weight=seen[rows] / seen[rows].mean())
    own = (checks.column[:, None] == named) | alike(real)[checks.column][:, named]  # (K, named)
    leak = np.where(own[:, None], 0.0, ridge.coef_)  # (K, 1, named)
    error = np.zeros(seen.shape)
    if len(effects) >= FEWEST:
        beside = np.where(own[:, None], 0.0, x)
        of_slopes = np.einsum("ksi,ij,ksj->ks", beside, ridge.sigma_, beside)
        fitted = len(named) - ridge.lambda_ * np.trace(ridge.sigma_)
        count = _lines(checks.column, rises)
        # The fit divided its squares by rows less what was fitted; lines are fewer than rows.
        fewer = (1 - fitted / rows.sum()) * count / max(count - fitted, 1.0)
        error = np.sqrt((1 / ridge.alpha_ + of_slopes) * fewer)
    slopes = dict(zip(named.tolist(), ridge.coef_.tolist(), strict=True))
    return OwnEffects(effects - (scaled * leak[:, None]).sum(-1), error, slopes)


def _lines(column: NDArray[np.int64], rises: NDArray[np.bool_]) -> int:
    """Count the lines along which phrases are led: one less than phrases where some are opposites."""
    up, down = (set(column[(column >= 0) & (rises == way)].tolist()) for way in (True, False))
    return len(column) - len(up & down)
