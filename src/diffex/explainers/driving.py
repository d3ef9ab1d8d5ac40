"""What drives the classifier, in measured quantities: random moves of the code, rendered and measured."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.drivers import drivers
from diffex.effects.matrix import margin_of
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.explainers.naming import measure_like
from diffex.explainers.preparing import Prepared
from diffex.runs.tables import DRIVER_COLUMNS

_PER_LATENT = 8
_SIZE = 0.5  # standard deviations of the code, along every axis
_TOGETHER = 256
_DIFFERS = 1e-9
_VARIES = 1e-6  # of the largest variance: what codes do along other axes is rounding


@final
@dataclass(frozen=True, eq=False)
class Moves:
    """Random moves of the codes of images.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
        Which image each moves; every image takes its turn.
    white : ndarray, shape (m, a)
        Along the axes, in units of their spread.
    axes : ndarray, shape (d, a)
        From white moves to moves of codes, of the same unit.
    """

    rows: IntArray
    white: FloatArray
    axes: FloatArray

    def moved(self, codes: Tensor) -> Tensor:
        """Move codes ``(n, d)`` of the images, ``(m, d)``."""
        return codes[self.rows] + torch.from_numpy(self.white @ self.axes.T).to(codes)


def random_moves(images: int, covariance: FloatArray, seed: int) -> Moves:
    """Draw moves half as large as images differ, eight for every number of the code.

    Parameters
    ----------
    images : int
        How many there are.
    covariance : ndarray, shape (d, d)
        Of codes; nothing moves where they do not vary.
    seed : int
        Of the moves.

    Returns
    -------
    Moves
        Independent of each other and of the images.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _VARIES * values.max()
    axes = _SIZE * vectors[:, kept] * np.sqrt(values[kept])
    count = _PER_LATENT * len(covariance)
    white = np.random.default_rng(derive_seed("drivers", seed)).normal(size=(count, int(kept.sum())))
    return Moves(np.arange(count) % images, white, axes)


def driven(prepared: Prepared, q: float, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Tell which measured quantities the classifier follows when images are changed at random.

    Both halves of the sample take part: quantities are chosen without the classifier.

    Parameters
    ----------
    prepared : Prepared
        The sample.
    q : float
        False discovery rate.
    seed : int
        Of the moves.

    Returns
    -------
    (DataFrame, dict)
        Columns `DRIVER_COLUMNS`, a row per quantity that can be moved apart from the others, the largest
        effect first; and ``moves``, ``share``, ``straight``, ``full`` as of `Drivers`.
    """
    codes = prepared.inversion.codes
    moves = random_moves(len(codes), prepared.evidence.covariance, seed)
    seen = np.arange(min(len(moves.rows), len(codes)))
    before, after = _read(prepared, seen, codes[seen]), _read(prepared, moves.rows, moves.moved(codes))
    prepared.ledger.count("drivers", (len(seen) + len(moves.rows)) * prepared.screen.evaluations)
    margins, measured = (last - first[moves.rows] for first, last in zip(before, after, strict=True))
    spread = prepared.evidence.measured.std(axis=0).to_numpy()
    found = drivers(moves.white, in_spreads(measured, spread), margins)
    quantities = [prepared.evidence.quantities[j] for j in found.chosen]
    adjusted = benjamini_hochberg(found.p)
    table = pd.DataFrame(
        {
            "quantity": [one.name for one in quantities], "words": [one.words for one in quantities],
            "effect": found.effect, "low": found.low, "high": found.high, "p": found.p, "q": adjusted,
            "significant": adjusted <= q,
        },
        columns=DRIVER_COLUMNS,
    )  # fmt: skip
    table = table.sort_values("effect", key=np.abs, ascending=False, kind="stable", ignore_index=True)
    told = {"moves": len(margins), "share": found.share, "straight": found.straight, "full": found.full}
    return table, told


def in_spreads(changes: FloatArray, spread: FloatArray) -> FloatArray:
    """Divide changes by the spread between images.

    Parameters
    ----------
    changes : ndarray, shape (n, q)
        Of every quantity.
    spread : ndarray, shape (q,)
        Its standard deviation over real images.

    Returns
    -------
    ndarray, shape (n, q)
        0 for quantities that do not differ between images.
    """
    differs = spread > _DIFFERS
    return np.asarray(np.where(differs, changes / np.where(differs, spread, 1.0), 0.0))


def _read(prepared: Prepared, rows: NDArray[np.int64], codes: Tensor) -> tuple[FloatArray, FloatArray]:
    """Render images with given codes: margins ``(n,)`` and measurements ``(n, q)``."""
    margins, measured = [], []
    for start in range(0, len(rows), _TOGETHER):
        some = rows[start : start + _TOGETHER]
        x = prepared.screen.render(prepared.rows(some), codes[start : start + _TOGETHER])
        margins.append(margin_of(prepared.judge.logits(x), prepared.target))
        measured.append(measure_like(prepared.images, x, some, prepared.shape_channel).to_numpy())
    return np.concatenate(margins), np.concatenate(measured)
