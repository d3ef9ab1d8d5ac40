"""Lead every phrase along what it alone changes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from diffex.concepts import Concept
from diffex.effects.arrays import FloatArray

_RIDGE = 0.3  # square of standard deviations, for each measurement
_KEPT = 3.0  # weight of a phrase's own measurement against each of the others
_MOVES = 0.3  # standard deviations: what takes part in unmixing does what it says


def opposed(
    concepts: Sequence[Concept], column: NDArray[np.int64], rises: NDArray[np.bool_]
) -> list[Concept]:
    """Lead every phrase away from its opposites, where there are any.

    "Many puncta" and "few puncta" both make a text model draw what puncta go with. Half the difference of
    their directions has in it only what tells them apart, and their middle is left where it is.

    Parameters
    ----------
    concepts : sequence of Concept
        K phrases.
    column : ndarray of int, shape (K,)
        Which measurement each phrase names; -1 where none does.
    rises : ndarray of bool, shape (K,)
        Whether more of the phrase is more of the measurement.

    Returns
    -------
    list of Concept
        With other directions where there are opposites.
    """
    directions, led = torch.stack([concept.direction for concept in concepts]), []
    for k, others in enumerate(map(np.flatnonzero, reversing(column, rises))):
        apart = (directions[k] - directions[others].mean(0)) / 2 if len(others) else directions[k]
        led.append(replace(concepts[k], direction=apart, opposite=len(others) > 0))
    return led


def reversing(column: NDArray[np.int64], rises: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark which phrases say the reverse of which: they name one measurement, and differ in the way.

    Parameters
    ----------
    column : ndarray of int, shape (K,)
        Which measurement each phrase names; -1 where none does.
    rises : ndarray of bool, shape (K,)
        Whether more of the phrase is more of the measurement.

    Returns
    -------
    ndarray of bool, shape (K, K)
        Symmetric.
    """
    same = (column[:, None] == column) & (column >= 0)
    return np.asarray(same & (rises[:, None] != rises))


def opposites_of(column: NDArray[np.int64], rises: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find the phrase that says the reverse of each.

    Parameters
    ----------
    column : ndarray of int, shape (K,)
        Which measurement each phrase names; -1 where none does.
    rises : ndarray of bool, shape (K,)
        Whether more of the phrase is more of the measurement.

    Returns
    -------
    ndarray of int, shape (K,)
        Its position where a measurement has one phrase either way, else -1.

    Examples
    --------
    >>> opposites_of(np.array([3, 3, 5, -1]), np.array([True, False, True, True])).tolist()
    [1, 0, -1, -1]
    """
    reverse = reversing(column, rises)
    one, other = reverse.sum(axis=1) == 1, reverse.argmax(axis=1)
    return np.asarray(np.where(one & one[other], other, -1))


def unmixed(
    concepts: Sequence[Concept],
    changes: FloatArray,
    column: NDArray[np.int64],
    rises: NDArray[np.bool_],
    related: NDArray[np.bool_],
) -> list[Concept]:
    """Take out of every phrase's direction what other phrases do.

    A large nucleus makes a text model draw a large cell. The direction of each phrase that names a
    measurement gets a combination of others added (ridge) that cancels its mean change of all measurements
    which have nothing to do with its own, and leaves its own alone. Phrases of measurements that say nearly
    the same take no part, and neither do phrases that do not move what they name: nothing is known of
    their edits.

    Parameters
    ----------
    concepts : sequence of Concept
        K phrases.
    changes : ndarray, shape (K, m)
        Mean change of each measurement, in standard deviations of real images.
    column : ndarray of int, shape (K,)
        Which measurement each phrase names; -1 where none does.
    rises : ndarray of bool, shape (K,)
        Whether more of the phrase is more of the measurement.
    related : ndarray of bool, shape (m, m)
        Which measurements say nearly the same.

    Returns
    -------
    list of Concept
        With other directions.
    """
    directions = torch.stack([concept.direction for concept in concepts])
    weights = np.eye(len(concepts))
    asked = changes[np.arange(len(concepts)), column] * np.where(rises, 1, -1)
    moving = (column >= 0) & (asked >= _MOVES)
    for k in np.flatnonzero(column >= 0):
        others = np.flatnonzero(moving & ~related[column[k], column])
        beside = np.flatnonzero(~related[column[k]])
        if not len(others):
            continue
        theirs = np.c_[changes[np.ix_(others, beside)], _KEPT * changes[others, column[k]]]
        cancelled = np.append(changes[k, beside], 0.0)
        square = theirs @ theirs.T + _RIDGE * theirs.shape[1] * np.eye(len(others))
        weights[k, others] = -np.linalg.solve(square, theirs @ cancelled)
    mixed = torch.from_numpy(weights).to(directions) @ directions.flatten(1)
    return [
        replace(concept, direction=row.view_as(concept.direction))
        for concept, row in zip(concepts, mixed, strict=True)
    ]
