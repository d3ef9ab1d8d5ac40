"""What chance alone would give: no effect at all, or an arbitrary direction of the same size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray, finite, same_length
from diffex.effects.calibration import curvature_weight, fit_calibration, widening
from diffex.effects.intervals import standard_errors
from diffex.effects.prediction import Predicted, predict
from diffex.effects.replication import replication_units

Rendered = tuple[ArrayLike, Predicted]
"""Mean effects of directions and their opposites, (r, 2), and what was predicted of them."""

MIN_RENDERED = 4
"""Fewer rendered random directions than this cannot calibrate the null."""

_DRAWS = 20_000


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
    predicted : Predicted
        Mean effects of R directions, predicted to second order, in logits of the margin.
    effects : ndarray, shape (R,)
        Mean effects as if rendered: as predicted until `calibrated`.
    """

    predicted: Predicted
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
        self, rendered: Rendered, seed: int, tested: Rendered | None = None
    ) -> "RandomDirectionNull":
        """Carry the predicted null over to rendered effects.

        First the weight of the predicted curvature is fitted (`curvature_weight`), 0 where it says nothing.
        Then a line of slope >= 0, bent where effects saturate or swell, is fitted through the rendered
        effects of some random directions and of the concepts tested (`fit_calibration`): a concept that is no
        more than an arbitrary direction follows the same line, and without concepts the line would be
        extrapolated to the very effects that are tested. The scatter is that of the random directions. Each
        null draw is the line at its predicted effect plus a Student t error, as for the prediction of one new
        direction. Where the null is narrower than the directions rendered (`widening`), it is scaled
        up.

        Parameters
        ----------
        rendered : (array_like of shape (r, 2), Predicted)
            Mean effects of r random directions and of their opposites, rendered as the concepts are, and what
            was predicted; 32 or more are advised.
        seed : int
            Of the errors drawn.
        tested : (array_like of shape (s, 2), Predicted), optional
            Of the concepts; they bend the line, robustly.

        Returns
        -------
        RandomDirectionNull
            With `effects` comparable to rendered effects.

        Raises
        ------
        InputError
            If there are fewer than 4 directions, lengths differ, or values are not finite.
        """
        y, x = finite(rendered[0], "rendered", 2), rendered[1]
        same_length(len(y), "predicted", x.linear)
        if len(y) < MIN_RENDERED:
            raise InputError(
                f"The random null got {len(y)} rendered directions, expected {MIN_RENDERED} or more."
            )
        every = (y, x) if tested is None else (np.vstack([y, finite(tested[0], "tested", 2)]), x + tested[1])
        weight = curvature_weight(every[0].mean(1), every[1].curved)
        null = self.predicted.signed(weight)[:, 0]
        unit = float(np.sqrt(np.mean(null**2))) or 1.0
        line = fit_calibration(every[0].ravel(), every[1].signed(weight).ravel(), unit, y.size)
        drawn = line.draw(null, seed)
        return RandomDirectionNull(self.predicted, drawn * widening(y, drawn, seed))


def random_direction_null(
    gradients: ArrayLike,
    curvature: ArrayLike,
    metric: ArrayLike,
    covariance: ArrayLike,
    lengths: ArrayLike,
    *,
    seed: int,
    draws: int = _DRAWS,
) -> RandomDirectionNull:
    """Draw the null of arbitrary directions from slope and curvature of the margin, without rendering.

    ``v ~ N(0, covariance)``, scaled to ``v' metric v = length^2``; its effect is
    ``mean_i g_i . v + v' curvature v / 2``.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        Gradient of the target's margin with respect to the latent, per image, at the null edit. Take
        the images that the tested effects are means over.
    curvature : array_like, shape (d, d)
        Mean second derivative of the margin; zeros where it is not known.
    metric : array_like, shape (d, d)
        Symmetric, positive semi-definite: a latent change v has length ``sqrt(v' metric v)``.
    covariance : array_like, shape (d, d)
        Of the latents.
    lengths : array_like, shape (r,)
        Lengths that random directions have once they are calibrated to the size of the concepts; one is dealt
        to each draw. They scatter about the size, since it is measured on images and the metric is linear.
    seed : int
        Of the directions.
    draws : int, default 20000
        R; `draws_needed` tells how many resolve a table.

    Returns
    -------
    RandomDirectionNull
        As predicted; make it comparable to rendered effects with `RandomDirectionNull.calibrated`.

    Raises
    ------
    InputError
        If shapes disagree, values are not finite, or the directions have no size under the metric.
    """
    sizes = finite(lengths, "lengths", 1)
    dealt = np.random.default_rng(derive_seed("lengths", seed)).choice(sizes, draws)
    directions = dealt[:, None] * random_directions(metric, covariance, 1.0, draws, seed)
    predicted = predict(gradients, curvature, directions)
    return RandomDirectionNull(predicted, predicted.signed(1.0)[:, 0])


@final
@dataclass(frozen=True, eq=False)
class Probe:
    """Directions as they were rendered on some images.

    Parameters
    ----------
    directions : ndarray, shape (r, d)
        Latent changes.
    rendered : ndarray, shape (r, 2)
        Mean effects of them and of their opposites.
    gradients : ndarray, shape (n, d)
        Of the target's margin, on the images that the effects are means over.
    """

    directions: FloatArray
    rendered: FloatArray
    gradients: FloatArray


def calibrated_null(
    tested: Probe,
    random: Sequence[Probe],
    curvature: FloatArray,
    metric: FloatArray,
    covariance: FloatArray,
    *,
    seed: int,
) -> RandomDirectionNull:
    """Give what arbitrary directions do to the images that concepts are tested on.

    Parameters
    ----------
    tested : Probe
        The concepts.
    random : sequence of Probe
        Random directions, each set on images of its own.
    curvature, metric, covariance : ndarray, shape (d, d)
        As for `random_direction_null`.
    seed : int
        Of the null.

    Returns
    -------
    RandomDirectionNull
        Calibrated on the random directions, its line bent by the concepts too.
    """
    lengths = lengths_of(np.vstack([probe.directions for probe in random]), metric)
    null = random_direction_null(tested.gradients, curvature, metric, covariance, lengths, seed=seed)
    predicted = [predict(probe.gradients, curvature, probe.directions) for probe in (*random, tested)]
    return null.calibrated(
        (np.vstack([probe.rendered for probe in random]), reduce(add, predicted[:-1])),
        seed,
        tested=(tested.rendered, predicted[-1]),
    )


def lengths_of(directions: ArrayLike, metric: ArrayLike) -> FloatArray:
    """Measure latent changes: ``sqrt(v' metric v)``.

    Parameters
    ----------
    directions : array_like, shape (r, d)
        Latent changes.
    metric : array_like, shape (d, d)
        Of images.

    Returns
    -------
    ndarray, shape (r,)
        In the unit of the metric.
    """
    v, form = finite(directions, "directions", 2), finite(metric, "metric", 2)
    return np.asarray(np.sqrt(np.einsum("rd,de,re->r", v, form, v, optimize=True)), dtype=np.float64)


def random_directions(
    metric: ArrayLike, covariance: ArrayLike, size: float, count: int, seed: int
) -> FloatArray:
    """Draw arbitrary directions of one size, for rendering.

    Parameters
    ----------
    metric, covariance : array_like, shape (d, d)
        As for `random_direction_null`.
    size : float
        Their length.
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
    form, spread = finite(metric, "metric", 2), finite(covariance, "covariance", 2)
    if form.shape != spread.shape or form.shape[0] != form.shape[1]:
        raise InputError(f"metric {form.shape} and covariance {spread.shape} differ, expected both (d, d).")
    if not (np.isfinite(size) and size > 0):
        raise InputError(f"size got {size}, expected a positive number; calibrate the concepts first.")
    values, vectors = np.linalg.eigh(spread)
    root = vectors * np.sqrt(np.clip(values, 0, None))  # (d, d), root @ root.T = covariance
    drawn = np.random.default_rng(seed).standard_normal((count, len(form))) @ root.T
    lengths = lengths_of(drawn, form)
    if not (lengths > 0).all():
        raise InputError("Random directions got no size, expected a metric that sees every direction.")
    return np.asarray(drawn * (size / lengths)[:, None])


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


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; 0 / 0 is 0 (no effect), anything else over 0 is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.divide(numerator, denominator)
    return np.asarray(np.where(numerator == 0, 0.0, quotient), dtype=np.float64)
