"""What chance alone would give: no effect at all, or an arbitrary direction of the same size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite, same_length
from diffex.effects.calibration import fit_calibration, widening
from diffex.effects.intervals import standard_errors
from diffex.effects.replication import replication_units

MIN_RENDERED = 8
"""Fewer rendered random directions than this cannot calibrate the null."""

_DRAWS = 20_000
_CHUNK = 4096


def rise_p(matrix: ArrayLike, groups: NDArray[np.generic] | None = None) -> FloatArray:
    """Test "the mean effect is not above zero" per column, one-sided: a row is the claim of a rise.

    A t test over images; with 6 groups or more, over groups (cluster t). Consistent with `mean_intervals`: p
    is below 0.025 exactly where the 95 % interval lies above 0.

    Parameters
    ----------
    matrix : array_like, shape (n, m)
        Effects, a row per image.
    groups : ndarray, shape (n,), optional
        Unit of replication of each image.

    Returns
    -------
    ndarray, shape (m,)
        p values; 1/2 where every effect is 0.

    Raises
    ------
    InputError
        If there are fewer than 2 images, values are not finite, or groups do not match.
    """
    array = finite(matrix, "matrix", 2)
    units = replication_units(len(array), groups)
    t = _ratio(array.mean(axis=0), standard_errors(array, units))
    return np.asarray(stats.t.sf(t, len(units.sizes) - 1), dtype=np.float64)


@final
@dataclass(frozen=True, eq=False)
class RandomDirectionNull:
    """Mean effects of arbitrary directions, all of one perceptual size.

    Parameters
    ----------
    linear : ndarray, shape (R,)
        Mean effects predicted from gradients, in logits of the margin.
    effects : ndarray, shape (R,)
        Mean effects as if rendered: equal to `linear` until `calibrated`.
    """

    linear: FloatArray
    effects: FloatArray

    def p(self, effects: ArrayLike) -> FloatArray:
        """Test "raises the margin no more than an arbitrary direction of equal size".

        ``(1 + #{null >= effect}) / (1 + R)``, exact for any R. No tail is extrapolated beyond the draws:
        raise R with `draws_needed` where more resolution is wanted.

        Parameters
        ----------
        effects : array_like, any shape
            Mean effects, in logits of the margin.

        Returns
        -------
        ndarray, shape of `effects`
            p values, never below ``1 / (1 + R)``.
        """
        null = np.sort(self.effects)
        below = np.searchsorted(null, np.asarray(effects, dtype=np.float64), side="left")
        return np.asarray((1 + len(null) - below) / (1 + len(null)), dtype=np.float64)

    def calibrated(
        self,
        rendered: ArrayLike,
        predicted: ArrayLike,
        seed: int,
        tested: tuple[ArrayLike, ArrayLike] = ((), ()),
    ) -> "RandomDirectionNull":
        """Carry the linear null over to rendered effects.

        A line of slope >= 0, bent where effects saturate or swell, is fitted through the rendered effects of
        some random directions and of the concepts tested (`fit_calibration`): a concept that is no more than
        an arbitrary direction follows the same line, and without concepts the line would be extrapolated to
        the very effects that are tested. The scatter is that of the random directions. Each null draw is the
        line at its linear effect plus a Student t error, as for the prediction of one new direction. Where
        the null is still narrower than the directions rendered (`widening`), it is scaled up: errors are on
        the side of fewer discoveries.

        Parameters
        ----------
        rendered : array_like, shape (r,)
            Mean effects of r random directions, rendered as the concepts are; 32 or more are advised.
        predicted : array_like, shape (r,)
            Their linear effects, from `linear_effects`.
        seed : int
            Of the errors drawn.
        tested : (array_like, array_like), shape (s,) each
            Rendered and predicted effects of the concepts; they bend the line, robustly.

        Returns
        -------
        RandomDirectionNull
            With `effects` comparable to rendered effects.

        Raises
        ------
        InputError
            If there are fewer than 8 directions, lengths differ, or values are not finite.
        """
        y, x = finite(rendered, "rendered", 1), finite(predicted, "predicted", 1)
        same_length(len(y), "predicted", x)
        if len(y) < MIN_RENDERED:
            raise InputError(
                f"The random null got {len(y)} rendered directions, expected {MIN_RENDERED} or more."
            )
        unit = float(np.sqrt(np.mean(self.linear**2))) or 1.0
        more = [np.concatenate([a, finite(b, "tested", 1)]) for a, b in zip((y, x), tested, strict=True)]
        null = fit_calibration(more[0], more[1], unit, len(y)).draw(self.linear, seed)
        return RandomDirectionNull(self.linear, null * widening(y, null))


def random_direction_null(
    gradients: ArrayLike,
    metric: ArrayLike,
    covariance: ArrayLike,
    size: float,
    *,
    seed: int,
    draws: int = _DRAWS,
) -> RandomDirectionNull:
    """Draw the null of arbitrary directions from cached gradients, without rendering.

    ``v ~ N(0, covariance)``, scaled to ``v' metric v = size^2``; its effect is ``mean_i g_i . v``.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        Gradient of the target's margin with respect to the latent, per image, at the null edit. Take
        the images that the tested effects are means over.
    metric : array_like, shape (d, d)
        Symmetric, positive semi-definite: a latent change v has size ``sqrt(v' metric v)``.
    covariance : array_like, shape (d, d)
        Of the latents.
    size : float
        Size that the concepts are calibrated to, in the unit of the metric.
    seed : int
        Of the directions.
    draws : int, default 20000
        R; `draws_needed` tells how many resolve a table.

    Returns
    -------
    RandomDirectionNull
        Linear; make it comparable to rendered effects with `RandomDirectionNull.calibrated`.

    Raises
    ------
    InputError
        If shapes disagree, values are not finite, or the directions have no size under the metric.
    """
    mean = finite(gradients, "gradients", 2).mean(axis=0)
    chunks = _scaled_directions(metric, covariance, size, draws, seed)
    linear = np.concatenate([chunk @ mean for chunk in chunks])
    return RandomDirectionNull(linear, linear)


def random_directions(
    metric: ArrayLike, covariance: ArrayLike, size: float, count: int, seed: int
) -> FloatArray:
    """Draw arbitrary directions of one size, for rendering.

    Parameters
    ----------
    metric, covariance, size
        As for `random_direction_null`.
    count : int
        Directions.
    seed : int
        Of the directions; take another than the null's.

    Returns
    -------
    ndarray, shape (count, d)
        Latent changes.

    Raises
    ------
    InputError
        If shapes disagree, values are not finite, or the directions have no size under the metric.
    """
    return np.concatenate(list(_scaled_directions(metric, covariance, size, count, seed)))


def linear_effects(gradients: ArrayLike, directions: ArrayLike) -> FloatArray:
    """Predict mean effects of latent changes: ``mean_i g_i . v``.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        Of the target's margin, per image.
    directions : array_like, shape (r, d)
        Latent changes.

    Returns
    -------
    ndarray, shape (r,)
        In logits of the margin.
    """
    mean: FloatArray = finite(gradients, "gradients", 2).mean(axis=0)
    return np.asarray(finite(directions, "directions", 2) @ mean, dtype=np.float64)


def draws_needed(rows: int, q: float = 0.05) -> int:
    """Count the null draws that let a single row of a table pass Benjamini-Hochberg.

    The smallest p, ``1 / (1 + R)``, is kept at a fifth of ``q / rows`` or below.

    Parameters
    ----------
    rows : int
        Rows of the table: two per concept.
    q : float, default 0.05
        False discovery rate.

    Returns
    -------
    int
        R, at least 20,000.

    Examples
    --------
    >>> draws_needed(200)
    20000
    """
    return max(_DRAWS, int(np.ceil(5 * rows / q)))


def _scaled_directions(
    metric: ArrayLike, covariance: ArrayLike, size: float, count: int, seed: int
) -> Iterator[FloatArray]:
    form, spread = finite(metric, "metric", 2), finite(covariance, "covariance", 2)
    if form.shape != spread.shape or form.shape[0] != form.shape[1]:
        raise InputError(f"metric {form.shape} and covariance {spread.shape} differ, expected both (d, d).")
    if not (np.isfinite(size) and size > 0):
        raise InputError(f"size got {size}, expected a positive number; calibrate the concepts first.")
    values, vectors = np.linalg.eigh(spread)
    root = vectors * np.sqrt(np.clip(values, 0, None))  # (d, d), root @ root.T = covariance
    random = np.random.default_rng(seed)
    for start in range(0, count, _CHUNK):
        drawn = random.standard_normal((min(_CHUNK, count - start), len(form))) @ root.T
        squared = np.einsum("rd,de,re->r", drawn, form, drawn, optimize=True)
        if not (squared > 0).all():
            raise InputError("Random directions got no size, expected a metric that sees every direction.")
        yield drawn * (size / np.sqrt(squared))[:, None]


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; 0 / 0 is 0 (no effect), anything else over 0 is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.divide(numerator, denominator)
    return np.asarray(np.where(numerator == 0, 0.0, quotient), dtype=np.float64)
