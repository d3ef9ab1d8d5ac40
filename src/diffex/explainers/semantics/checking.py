"""Did an edit happen, and only that? Judged by what it measurably changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.concepts import Node
from diffex.concepts.measurable import column_of
from diffex.effects.arrays import SIGNS, FloatArray
from diffex.effects.intervals import mean_intervals, standard_errors
from diffex.effects.replication import replication_units
from diffex.explainers.semantics.config import SemanticConfig
from diffex.measurements import Quantity

_ALIKE = 0.6  # correlation
_STILL = 1e-9  # standard deviation
VERDICTS = DONE, FAILED, LEAKS, UNCHECKED = "done", "failed", "leaks", "unchecked"


@final
@dataclass(frozen=True, eq=False)
class Checks:
    """What became of the edits of K phrases, both signs.

    Parameters
    ----------
    column : ndarray of int, shape (K,)
        Which measurement each phrase names; -1 where none does.
    on_target : ndarray, shape (K, 2)
        Mean change of it in the direction asked for, in standard deviations of real images.
    on_low : ndarray, shape (K, 2)
        Lower end of its 95 % interval.
    off_target : ndarray, shape (K, 2)
        Size of the mean change beyond what its standard error explains, averaged over the others, in standard
        deviations.
    verdict : ndarray of str, shape (K, 2)
        ``done``, ``failed`` (too little of what was asked for), ``leaks`` (too much else), or ``unchecked``
        (nothing measures the phrase, so nobody knows).
    """

    column: NDArray[np.int64]
    on_target: FloatArray
    on_low: FloatArray
    off_target: FloatArray
    verdict: NDArray[np.str_]

    @property
    def done(self) -> NDArray[np.bool_]:
        """Whether the edit happened, and little else, ``(K, 2)``."""
        return np.asarray(self.verdict == DONE)


def check_edits(
    changes: FloatArray,
    nodes: Sequence[Node],
    quantities: Sequence[Quantity],
    real: FloatArray,
    groups: NDArray[np.str_] | None,
    config: SemanticConfig,
) -> Checks:
    """Judge every edit by the measurement that its phrase names and by all that have nothing to do with it.

    Measurements that say nearly the same (`related`) are not held against an edit.

    Parameters
    ----------
    changes : ndarray, shape (K, n, 2, m)
        Measurements of edits less those of null edits; NaN where not rendered.
    nodes : sequence of Node
        The K phrases.
    quantities : sequence of Quantity
        The m measurements.
    real : ndarray, shape (r, m)
        Measurements of real images.
    groups : ndarray of str, shape (n,), optional
        Unit of replication of the images.
    config : SemanticConfig
        Thresholds.

    Returns
    -------
    Checks
        A verdict per phrase and sign.
    """
    column = columns_named(nodes, quantities)
    shape = (len(nodes), 2)
    on, low, off = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    verdict = np.full(shape, UNCHECKED, dtype="<U9")
    spread, same = real.std(axis=0), related(quantities, real)
    live = spread > _STILL
    for k, node in enumerate(nodes):
        rows = np.flatnonzero(~np.isnan(changes[k, :, 0, 0]))
        if column[k] < 0 or len(rows) < 2 or not live[column[k]]:
            continue
        scaled = changes[k, rows][..., live] / spread[live]  # (r, 2, live)
        own, others = np.flatnonzero(live).tolist().index(column[k]), ~same[column[k], live]
        sense = np.array(SIGNS) * (1 if node.rises else -1)
        found = mean_intervals(scaled[..., own] * sense, None if groups is None else groups[rows])
        on[k], low[k] = found.value, found.low
        units = replication_units(len(rows), None if groups is None else groups[rows])
        besides = scaled[..., others].reshape(len(rows), -1)
        squared = besides.mean(axis=0) ** 2 - standard_errors(besides, units) ** 2
        off[k] = np.sqrt(np.clip(squared, 0, None)).reshape(2, -1).mean(axis=1)
        verdict[k] = [_verdict(*values, config) for values in zip(on[k], low[k], off[k], strict=True)]
    return Checks(column, on, low, off, verdict)


def columns_named(nodes: Sequence[Node], quantities: Sequence[Quantity]) -> NDArray[np.int64]:
    """Find the measurement that each phrase names.

    Parameters
    ----------
    nodes : sequence of Node
        K phrases.
    quantities : sequence of Quantity
        The measurements.

    Returns
    -------
    ndarray of int, shape (K,)
        Positions; -1 where nothing measures a phrase.
    """
    names = [q.name for q in quantities]
    named = [None if n.measurement is None else column_of(n.measurement, quantities) for n in nodes]
    return np.array([-1 if name is None else names.index(name) for name in named], dtype=np.int64)


def _verdict(on: float, low: float, off: float, config: SemanticConfig) -> str:
    if on < config.on_target or low <= 0:
        return FAILED
    return LEAKS if on < config.ratio * off else DONE


def in_spreads(changes: FloatArray, spread: FloatArray) -> FloatArray:
    """Give changes in standard deviations; 0 where real images do not differ.

    Parameters
    ----------
    changes : ndarray, shape (..., m)
        Of measurements.
    spread : ndarray, shape (m,)
        Standard deviation of each over real images.

    Returns
    -------
    ndarray, shape of `changes`
        Without a unit.
    """
    return np.asarray(changes / np.where(spread > _STILL, spread, np.inf))


def related(quantities: Sequence[Quantity], real: FloatArray) -> NDArray[np.bool_]:
    """Find measurements that say nearly the same.

    Parameters
    ----------
    quantities : sequence of Quantity
        The m measurements.
    real : ndarray, shape (r, m)
        Measurements of r real images.

    Returns
    -------
    ndarray of bool, shape (m, m)
        True for those of one kind, of one channel or object, and for those that are `alike`.
    """
    told = np.array([f"{q.kind}/{q.words.split()[-1]}" for q in quantities])
    return np.asarray((told[:, None] == told) | alike(real))


def alike(real: FloatArray) -> NDArray[np.bool_]:
    """Find measurements that go together over images.

    Parameters
    ----------
    real : ndarray, shape (r, m)
        Measurements of r real images.

    Returns
    -------
    ndarray of bool, shape (m, m)
        Correlated by 0.6 or more, of either sign; every measurement goes with itself.
    """
    live = real.std(axis=0) > _STILL
    together = np.eye(real.shape[1], dtype=bool)
    if live.any():
        together[np.ix_(live, live)] |= np.abs(np.corrcoef(real[:, live], rowvar=False)) >= _ALIKE
    return together
