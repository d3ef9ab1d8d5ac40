"""How far along each attribute every cell stands, streamed over any number of cells."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.concepts import Concept
from diffex.effects.arrays import FloatArray, finite
from diffex.images import Images

Encode = Callable[[Tensor], Tensor]
"""From pixels ``(n, c, h, w)`` to codes ``(n, d)``: a generator's ``encode``."""

FEWEST_CONTROLS = 20
"""Fewer control cells than this carry no standard deviation to measure in."""

_CHUNK = 256
_FOLDS = 10
_RIDGE, _STILL = 0.1, 1e-6  # of the mean variance of a coordinate of the code


@final
@dataclass(frozen=True, eq=False)
class ScoreAxes:
    """How codes are read as scores: in control standard deviations, or in units of strength 1.

    Parameters
    ----------
    names : tuple of str
        Ids of the concepts, k of them.
    centre : ndarray, shape (d,)
        The code that scores 0: the mean of the reference cells.
    weights : ndarray, shape (d, k)
        Of the codes' distance from the centre; a column per concept.
    """

    names: tuple[str, ...]
    centre: FloatArray
    weights: FloatArray

    def scores(self, codes: ArrayLike) -> FloatArray:
        """Read codes.

        Parameters
        ----------
        codes : array_like, shape (n, d)
            Of cells.

        Returns
        -------
        ndarray, shape (n, k)
            In the axes' unit; 0 is the mean reference cell.
        """
        return np.asarray((finite(codes, "codes", 2) - self.centre) @ self.weights)


def require_controls(count: int) -> None:
    """Refuse too few control cells.

    Parameters
    ----------
    count : int
        How many there are.

    Raises
    ------
    InputError
        Below 20.
    """
    if count < FEWEST_CONTROLS:
        raise InputError(f"Scores got {count} control cells, expected {FEWEST_CONTROLS}: give more of them.")


def scores_from_controls(
    codes: ArrayLike,
    control: NDArray[np.bool_],
    concepts: Sequence[Concept],
    signs: Sequence[int],
    groups: NDArray[np.str_] | None = None,
) -> tuple[ScoreAxes, FloatArray]:
    """Fix axes on control cells and score cells, controls by axes that were found on other controls.

    The coordinate along a direction v is read by least squares in the metric of the controls' codes,
    ``(z - mean) (C + r I)^-1 v``, so that what merely varies together with v among controls does not count;
    then it is divided by its standard deviation over controls held out when C was found (ten folds), for
    those it was found on vary less along it than other untreated cells do. r is d / n of the codes' mean
    variance for n controls, a tenth at least: so much C errs from few cells, and axes of the code that
    hardly vary hold the encoder's noise, which the bare inverse would enlarge.

    So controls and cells that no treatment has changed are spread alike, within wells and between them,
    however few the controls. Groups are held out whole: axes that saw some cells of a well take for noise
    what all of its cells share.

    Parameters
    ----------
    codes : array_like, shape (n, d)
        Of cells.
    control : ndarray of bool, shape (n,)
        Which are untreated.
    concepts : sequence of Concept, length k
        Whose directions to read.
    signs : sequence of int, length k
        +1 or -1: which way of each is up.
    groups : ndarray of str, shape (n,), optional
        Unit of replication: controls of a group are scored by axes of other groups; singly where there is
        but one.

    Returns
    -------
    (ScoreAxes, ndarray)
        The axes, for further cells, and scores ``(n, k)`` in control standard deviations.

    Raises
    ------
    InputError
        If there are fewer than 20 control cells, codes are not finite, there is no concept, lengths
        differ, or controls do not vary along a direction.
    """
    array = finite(codes, "codes", 2)
    controls = array[control]
    require_controls(len(controls))
    if not concepts or len(concepts) != len(signs):
        raise InputError(f"Scores got {len(concepts)} concepts and {len(signs)} signs, expected one each.")
    directions = _directions(concepts, signs)
    covariance = np.cov(controls, rowvar=False)
    unit = np.trace(covariance) / len(covariance)
    varied = (directions * (covariance @ directions)).sum(axis=0) / (directions**2).sum(axis=0)
    if (varied <= _STILL * unit).any():
        name = concepts[int(np.argmin(varied))].id
        raise InputError(f"Control cells do not vary along {name}, expected some spread: leave it out.")
    held_out = _held_out(controls, directions, None if groups is None else groups[control])
    spread = held_out.std(axis=0, ddof=1)
    names, weights = tuple(one.id for one in concepts), _weights(controls, directions)
    axes = ScoreAxes(names, controls.mean(axis=0), weights / spread)
    scores = axes.scores(array)
    scores[control] = held_out / spread
    return axes, scores


def _held_out(codes: FloatArray, directions: FloatArray, groups: NDArray[np.str_] | None) -> FloatArray:
    """Read controls by weights of the others, of other groups where there are several; ``(n, k)``."""
    units = np.arange(len(codes)) if groups is None else np.unique(groups, return_inverse=True)[1]
    folds = (units if units.any() else np.arange(len(codes))) % _FOLDS
    found, away = np.empty((len(codes), directions.shape[1])), codes - codes.mean(axis=0)
    for fold in np.unique(folds):
        found[folds == fold] = away[folds == fold] @ _weights(codes[folds != fold], directions)
    return found


def _weights(codes: FloatArray, directions: FloatArray) -> FloatArray:
    covariance = np.cov(codes, rowvar=False)
    share = max(_RIDGE, codes.shape[1] / len(codes))
    ridge = share * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return np.asarray(np.linalg.solve(covariance + ridge, directions))


def _directions(concepts: Sequence[Concept], signs: Sequence[int]) -> FloatArray:
    return np.stack(
        [sign * one.direction.double().numpy() for one, sign in zip(concepts, signs, strict=True)], axis=1
    )


def strength_axes(
    codes: ArrayLike, covariance: ArrayLike, concepts: Sequence[Concept], signs: Sequence[int]
) -> ScoreAxes:
    """Fix axes in units of each concept's strength 1.

    The coordinate along a direction v is read by least squares in the metric of the codes,
    ``(z - mean) C^-1 v / (v C^-1 v)``.

    Parameters
    ----------
    codes : array_like, shape (n, d)
        Of reference cells; their mean scores 0.
    covariance : array_like, shape (d, d)
        Of codes in general, for example the generator's.
    concepts : sequence of Concept, length k
        Whose directions to read.
    signs : sequence of int, length k
        +1 or -1: which way of each is up.

    Returns
    -------
    ScoreAxes
        For any cells.
    """
    directions = _directions(concepts, signs)
    weights = np.linalg.lstsq(finite(covariance, "covariance", 2), directions, rcond=1e-6)[0]
    centre = finite(codes, "codes", 2).mean(axis=0)
    return ScoreAxes(tuple(one.id for one in concepts), centre, weights / (directions * weights).sum(axis=0))


@final
@dataclass(frozen=True, eq=False)
class ScoredBatch:
    """Some cells, read and scored.

    Parameters
    ----------
    positions : ndarray of int, shape (b,)
        Of the cells in their set.
    pixels : Tensor, shape (b, c, h, w)
        Grey values.
    codes : Tensor, shape (b, d)
        From the encoder.
    scores : ndarray, shape (b, k)
        Along the axes.
    """

    positions: NDArray[np.int64]
    pixels: Tensor
    codes: Tensor
    scores: FloatArray


def stream_scores(
    images: Images, encode: Encode, axes: ScoreAxes, chunk: int = _CHUNK
) -> Iterator[ScoredBatch]:
    """Score cells chunk by chunk: pixels and codes of one chunk are in memory at a time.

    Parameters
    ----------
    images : Images
        Any number of cells.
    encode : callable
        A generator's ``encode``.
    axes : ScoreAxes
        From `scores_from_controls` or `strength_axes`.
    chunk : int, default 256
        Cells at once.

    Yields
    ------
    ScoredBatch
        In order; the scores are the same whatever the chunk, up to rounding.
    """
    for positions, x in images.batches(chunk):
        codes = encode(x)
        yield ScoredBatch(positions, x, codes, axes.scores(codes.double().cpu().numpy()))
