"""Runs of the whole significance test where nothing, or one thing, is to be found."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.effects.arrays import SIGNS, FloatArray, IntArray
from diffex.effects.intervals import wilson
from diffex.effects.nulls import Probe, calibrated_null, random_directions
from diffex.effects.ranking import TableSettings, effect_table
from diffex.effects.replication import selection_half
from diffex.evaluation.attributes.screens import Screen
from diffex.explainers.significance import NULL_DIRECTIONS, NULL_IMAGES

TESTED = 40
"""Random directions that a null run calls concepts."""
BANK = 200
"""Random directions that calibrate, dealt anew to every run."""

_RANDOM_SHARE = 0.2  # of the pool, as in an explanation
_IMAGE_SPREAD = 0.3
_RENDER_NOISE = 0.05


def discoveries(
    screen: Screen, tested: IntArray, calibrating: IntArray, beside: IntArray, seed: int, q: float = 0.05
) -> IntArray:
    """Test some concepts of a matrix and list those found; see `tested_table`.

    Parameters
    ----------
    screen : Screen
        The matrix.
    tested, calibrating, beside : ndarray of int
        Positions of concepts and of random directions.
    seed : int
        Of the halves and the null.
    q : float, default 0.05
        False discovery rate.

    Returns
    -------
    ndarray of int
        Positions (in the matrix) of the significant concepts, of either sign. The calibrating directions are
        controls, as in an explanation.
    """
    table = tested_table(screen, tested, calibrating, beside, seed, q)
    return np.unique(table.loc[table["significant"], "concept"].to_numpy(dtype=np.int64))


def tested_table(
    screen: Screen, tested: IntArray, calibrating: IntArray, beside: IntArray, seed: int, q: float = 0.05
) -> pd.DataFrame:
    """Test some concepts of a matrix exactly as an explanation does.

    Images are one unit of replication each: with groups the test against zero would be weaker, and fewer
    false discoveries would prove less.

    Parameters
    ----------
    screen : Screen
        The matrix.
    tested, calibrating : ndarray of int
        Positions of concepts, and of the pool's random directions, which calibrate the null.
    beside : ndarray of int
        Positions of further random directions, outside the pool, that calibrate the null on few images.
    seed : int
        Of the halves and the null.
    q : float, default 0.05
        False discovery rate.

    Returns
    -------
    DataFrame
        As of `effect_table`, by rank; ``concept`` is the position in the matrix.
    """
    kept = np.concatenate([tested, calibrating])
    half = selection_half(len(screen.effects), None, seed)
    gradients, effects = screen.gradients[~half], screen.effects[:, kept]
    mean = effects[~half].mean(0)
    calibrates, few = slice(len(tested), None), np.flatnonzero(~half)[:NULL_IMAGES]
    random = [
        Probe(screen.directions[calibrating], mean[calibrates], gradients),
        Probe(screen.directions[beside], screen.effects[np.ix_(few, beside)].mean(0), screen.gradients[few]),
    ]
    null = calibrated_null(
        Probe(screen.directions[tested], mean[: len(tested)], gradients),
        random,
        screen.curvature,
        screen.metric,
        screen.covariance,
        seed=seed,
    )
    table = effect_table(
        effects,
        np.zeros(effects.shape, dtype=bool),
        np.ones(len(effects), dtype=bool),
        null.p(mean),
        half,
        claimed=np.arange(len(kept)) < len(tested),
        settings=TableSettings(q=q, rank_repeats=2, seed=seed),
    )
    return table.assign(concept=kept[table["concept"].to_numpy(dtype=np.int64)])


def dealt(run: int, seed: int) -> tuple[IntArray, IntArray, IntArray]:
    """Give a run directions of its own to test, and calibrating ones from a bank that runs share.

    Were the tested ones dealt from one small matrix, its most extreme direction would be found in every run
    that it is dealt to, and the share of runs would have no binomial error.

    Parameters
    ----------
    run : int
        Which.
    seed : int
        Of the deal from the bank, the first directions of the matrix.

    Returns
    -------
    (ndarray of int, ndarray of int, ndarray of int)
        Tested, calibrating (a fifth of both, as in an explanation), calibrating beside the pool; they share
        none.
    """
    start, pooled = BANK + run * TESTED, TESTED // 4
    order = np.random.default_rng(seed).permutation(BANK)
    return np.arange(start, start + TESTED), order[:pooled], order[pooled : pooled + NULL_DIRECTIONS]


def sign_flipped(screen: Screen, seed: int) -> Screen:
    """Flip the sign of whole images, in effects and gradients alike: what is mean becomes zero.

    Parameters
    ----------
    screen : Screen
        With real effects.
    seed : int
        Of the flips.

    Returns
    -------
    Screen
        The correlation of the concepts is kept.
    """
    flips = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=len(screen.effects))
    return replace(
        screen,
        effects=screen.effects * flips[:, None, None],
        gradients=screen.gradients * flips[:, None],
        curvature=np.zeros_like(screen.curvature),
    )


def share_of_runs(found: NDArray[np.bool_]) -> tuple[float, float, float, str]:
    """Share of null runs with any discovery, with its Wilson interval and target.

    Parameters
    ----------
    found : ndarray of bool
        Whether a run found anything.

    Returns
    -------
    (float, float, float, str)
        Rate, low, high, and ``"<= x"`` with x = 0.05 + 2 standard errors of a rate of 0.05.
    """
    limit = 0.05 + 2 * float(np.sqrt(0.05 * 0.95 / max(len(found), 1)))
    return (*wilson(int(found.sum()), len(found)), f"<= {limit:.3f}")


def planted_screen(
    metric: FloatArray, covariance: FloatArray, size: float, seed: int, images: int = 128, concepts: int = 100
) -> Screen:
    """Make the matrix of a linear classifier that one concept out of many moves.

    Directions are drawn from the codes' covariance, all of one size. The classifier's gradient is
    ``metric @ v_0 / size^2``: concept 0 has effect 1, a direction has the cosine (in image space) with it.
    The other concepts are made orthogonal to concept 0 in the metric, so that their true effect is 0; a fifth
    of the pool are arbitrary directions, which calibrate the null and are not orthogonalised, and so are
    further ones behind the pool. Each image's
    gradient has a scale of its own (sd 0.3) and a part of its own along an arbitrary direction (0.3);
    rendered effects carry noise (sd 0.05).

    Parameters
    ----------
    metric, covariance : ndarray, shape (d, d)
        Of a real generator.
    size : float
        Common size.
    seed : int
        Of everything.
    images : int, default 128
        Rows.
    concepts : int, default 100
        K, random directions included.

    Returns
    -------
    Screen
        Concept 0 is the active one.
    """
    random = np.random.default_rng(seed)
    calibrating = round(_RANDOM_SHARE * concepts)
    pool = random_directions(metric, covariance, size, concepts + NULL_DIRECTIONS, seed)
    own = random_directions(metric, covariance, size, images, seed + 1_000_003)
    gradient = metric @ pool[0] / size**2
    silent = slice(1, concepts - calibrating)
    others = pool[silent]
    others = others - np.outer(others @ gradient, pool[0])
    lengths = np.sqrt(np.einsum("kd,de,ke->k", others, metric, others))
    pool[silent] = others * (size / lengths)[:, None]
    scale = 1 + _IMAGE_SPREAD * random.standard_normal((images, 1))
    gradients = scale * gradient + _IMAGE_SPREAD * own @ metric / size**2
    rendered = (gradients @ pool.T)[:, :, None] * np.array(SIGNS)
    noise = _RENDER_NOISE * random.standard_normal(rendered.shape)
    is_random = np.arange(len(pool)) >= concepts - calibrating
    flat = np.zeros_like(metric)
    return Screen(rendered + noise, gradients, flat, pool, is_random, metric, covariance, size)


def finds_planted(screen: Screen, seed: int) -> bool:
    """Whether the planted concept of `planted_screen` is significant.

    Parameters
    ----------
    screen : Screen
        From `planted_screen`.
    seed : int
        Of the halves and the null.

    Returns
    -------
    bool
        True where it is found.
    """
    tested, arbitrary = np.flatnonzero(~screen.random), np.flatnonzero(screen.random)
    calibrating, beside = np.split(arbitrary, [len(arbitrary) - NULL_DIRECTIONS])
    return 0 in discoveries(screen, tested, calibrating, beside, seed)
