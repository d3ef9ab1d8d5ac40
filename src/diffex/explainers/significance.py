"""Test every row of the effect matrix, within classes, against zero and against arbitrary directions."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.noise import derive_seed
from diffex.base.positions import evenly
from diffex.concepts import Concept, stacked
from diffex.concepts.sources import random_directions
from diffex.effects.arrays import BoolArray, FloatArray, IntArray
from diffex.effects.linear import main_axes, margin_curvature
from diffex.effects.matrix import EffectMatrix, effect_matrix
from diffex.effects.nulls import Probe, RandomDirectionNull, calibrated_null
from diffex.effects.ranking import Searched, TableSettings, effect_table
from diffex.effects.replication import replication_units
from diffex.effects.strengths import calibrate
from diffex.explainers.config import AttributeConfig
from diffex.explainers.preparing import Prepared
from diffex.explainers.searching import claims

NULL_DIRECTIONS = 48
"""Random directions rendered beside the pool, to calibrate the null."""
NULL_IMAGES = 16
"""Images that they are rendered on."""


def random_null(
    prepared: Prepared,
    mean: FloatArray,
    directions: FloatArray,
    tested: BoolArray,
    controls: BoolArray,
    size: float,
    seed: int,
) -> RandomDirectionNull:
    """Give what arbitrary directions of equal size do to the estimating half.

    Parameters
    ----------
    prepared : Prepared
        Renderer, gradients, evidence.
    mean : ndarray, shape (K, 2)
        Mean effects of the concepts, as rendered.
    directions : ndarray, shape (K, d)
        Theirs.
    tested, controls : ndarray of bool, shape (K,)
        Which are claims, and which are random directions rendered on all images.
    size : float
        The common size.
    seed : int
        Of the null.

    Returns
    -------
    RandomDirectionNull
        Calibrated on the controls, and on more random directions rendered for it.
    """
    evidence, estimating = prepared.evidence, np.flatnonzero(~prepared.half)
    curvature = curvature_of(prepared, estimating, size)
    rows = estimating[evenly(len(estimating), NULL_IMAGES)]
    beside, rendered = rendered_beside(prepared, rows, size)
    gradients = prepared.gradients[estimating]
    return calibrated_null(
        Probe(directions[tested], mean[tested], gradients),
        [
            Probe(directions[controls], mean[controls], gradients),
            Probe(beside, rendered, prepared.gradients[rows]),
        ],
        curvature,
        evidence.metric,
        evidence.covariance,
        seed=seed,
    )


def curvature_of(prepared: Prepared, rows: IntArray, size: float) -> FloatArray:
    """Measure the second derivative of the margin on some images of the sample.

    Parameters
    ----------
    prepared : Prepared
        Renderer, guide, evidence.
    rows : ndarray of int
        Positions in the sample; a dozen of them are used.
    size : float
        Of the directions whose effects it shall predict.

    Returns
    -------
    ndarray, shape (d, d)
        As of `margin_curvature`.
    """
    evidence, part = prepared.evidence, prepared.rows(rows)
    axes = main_axes(evidence.metric, evidence.covariance, size)
    generator, target = prepared.screen.generator, prepared.target
    return margin_curvature(
        generator, prepared.guide, part.codes, part.noise, target, axes, evidence.metric, prepared.ledger
    )


def rendered_beside(prepared: Prepared, rows: IntArray, size: float) -> tuple[FloatArray, FloatArray]:
    """Render more random directions, on a few images.

    The pool's own random directions are too few to calibrate the null sharply; these cost little, since the
    relation of rendered to predicted effect needs few images.

    Parameters
    ----------
    prepared : Prepared
        Renderer, classifier, evidence.
    rows : ndarray of int
        Positions of the images in the sample.
    size : float
        The common size.

    Returns
    -------
    (ndarray of shape (r, d), ndarray of shape (r, 2))
        Directions, and mean effects of them and their opposites.
    """
    evidence = replace(prepared.evidence, seed=derive_seed("null", prepared.evidence.seed))
    drawn = random_directions.propose(evidence, NULL_DIRECTIONS)
    drawn = calibrate(drawn, prepared.screen, prepared.sizing, evidence.metric, size, prepared.ledger)
    sizes = prepared.screen.generator.pixels.size
    part, purpose = prepared.rows(rows), "null calibration"
    matrix = effect_matrix(prepared.screen, prepared.judge, part, drawn, sizes, purpose=purpose)
    return stacked(drawn), matrix.effects(prepared.target).mean(0)


def ranked_table(
    prepared: Prepared,
    matrix: EffectMatrix,
    searched: Searched | None,
    concepts: list[Concept],
    size: float,
    config: AttributeConfig,
) -> pd.DataFrame:
    """Test every row against zero and against arbitrary directions of equal size, and rank.

    Parameters
    ----------
    prepared : Prepared
        Gradients, halves, groups.
    matrix : EffectMatrix
        Rendered.
    searched : Searched or None
        What a search kept; None where all was rendered.
    concepts : list of Concept
        Of the matrix; its random directions calibrate the null.
    size : float
        The common size.
    config : AttributeConfig
        False discovery rate and seed.

    Returns
    -------
    DataFrame
        Rows by rank, with concept, kind and name.
    """
    effects = matrix.effects(prepared.target)
    estimating = ~prepared.half
    mean, claimed = _estimated(estimating, searched, effects), claims(concepts)
    kept = np.ones(mean.shape, dtype=bool) if searched is None else searched.kept
    controls = ~claimed & kept.all(1)
    null = random_null(prepared, mean, stacked(concepts), claimed, controls, size, config.seed)
    table = effect_table(
        _spread_within(effects, prepared, searched),
        matrix.flips(prepared.target),
        matrix.eligible(prepared.target),
        null.p(mean),
        prepared.half,
        claimed=claimed,
        groups=prepared.images.groups,
        searched=searched,
        settings=TableSettings(q=config.q, seed=config.seed),
    )
    index = table["concept"].to_numpy()
    side = np.where(table["sign"].to_numpy() > 0, 0, 1)
    return table.assign(
        concept=[concepts[k].id for k in index],
        kind=[concepts[k].kind for k in index],
        name=[concepts[k].name for k in index],
        parent=[concepts[k].parent for k in index],
        size=matrix.sizes[index, side],
    ).sort_values("rank", ignore_index=True)


def _estimated(
    estimating: NDArray[np.bool_], searched: Searched | None, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over the estimating half; of rows that a search dropped, over the images checked."""
    if searched is None:
        return np.asarray(values[estimating].mean(0))
    checked = values[searched.checked].mean(0)
    return np.asarray(np.where(searched.kept, values[estimating].mean(0), checked))


def _spread_within(
    effects: NDArray[np.float64], prepared: Prepared, searched: Searched | None
) -> NDArray[np.float64]:
    """Take class differences out of the rows that were rendered on every image."""
    inner = within_strata(effects, _strata(prepared), prepared.half, prepared.images.groups)
    return inner if searched is None else np.where(searched.kept, inner, effects)


def _strata(prepared: Prepared) -> NDArray[np.int64]:
    """Class of each image; the sample was balanced over them."""
    if prepared.images.labels is None:
        return np.zeros(len(prepared.images), dtype=np.int64)
    return prepared.images.labels


def within_strata(
    effects: NDArray[np.float64],
    strata: NDArray[np.int64],
    half: NDArray[np.bool_],
    groups: NDArray[np.str_] | None,
) -> NDArray[np.float64]:
    """Take differences between class means out of the spread, since the class shares are fixed by design.

    Parameters
    ----------
    effects : ndarray, shape (n, K, 2)
        Per image.
    strata : ndarray of int, shape (n,)
        Class of each image.
    half : ndarray of bool, shape (n,)
        The halves are treated apart.
    groups : ndarray of str, shape (n,), optional
        Units of replication where they are enough; else images are.

    Returns
    -------
    ndarray, shape (n, K, 2)
        With the same mean in either half, spread within classes, scaled for the degrees of freedom lost.
        Without this, wells of different classes would count as replicates of one another.
    """
    result = effects.copy()
    for part in (half, ~half):
        present = np.unique(strata[part])
        units = len(replication_units(int(part.sum()), None if groups is None else groups[part]).sizes)
        scale = np.sqrt((units - 1) / max(units - len(present), 1))
        middle = effects[part].mean(0)
        for stratum in present:
            rows = part & (strata == stratum)
            result[rows] = middle + scale * (effects[rows] - effects[rows].mean(0))
    return result
