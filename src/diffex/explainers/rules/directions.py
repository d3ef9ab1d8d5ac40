"""Directions of the code that move one factor of a formula and hold its other factors."""

from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.concepts import Concept, Evidence
from diffex.concepts.sources import SOURCES
from diffex.concepts.sources.making import make
from diffex.concepts.white_codes import ridge, symmetric_root, white_codes
from diffex.effects.arrays import FloatArray
from diffex.rules.factors import Factors

KIND = "factor"
_RANDOM = 20


@final
@dataclass(frozen=True, eq=False)
class FactorMap:
    """The linear map from codes to factors, and the way back that moves one factor at a time.

    Parameters
    ----------
    factors : Factors
        F of them, of the n images it was fitted on.
    forward : ndarray, shape (d, F)
        Change of each factor per change of the code.
    backward : ndarray, shape (F, d)
        Likeliest change of code per unit of one factor, the others held.
    r2 : ndarray, shape (F,)
        How well codes predict each factor on images left out.
    metric : ndarray, shape (F, F)
        Squared length, in white codes, of moves by standard deviations of the factors.
    """

    factors: Factors
    forward: FloatArray
    backward: FloatArray
    r2: FloatArray
    metric: FloatArray

    def requested(self, concept: Concept) -> FloatArray:
        """Change of every factor that a concept asks for at strength 1, ``(F,)``."""
        return np.asarray(concept.direction.double().numpy() @ self.forward)

    def code_moves(self, moves: FloatArray) -> FloatArray:
        """Moves of codes ``(n, d)`` that ask for moves of factors ``(n, F)``, in standard deviations."""
        return np.asarray((moves * self.factors.values.std(axis=0)) @ self.backward)

    def change(self, codes: FloatArray, moves: FloatArray) -> FloatArray:
        """Change of every factor ``(n, F)``, in its unit, where codes ``(n, d)`` get `code_moves`."""
        return np.asarray(self.code_moves(moves) @ self.forward)

    def propose(self, evidence: Evidence) -> list[Concept]:
        """Propose a direction per factor, then random directions for the null."""
        meanings = self.factors.meanings
        rows = self.backward * self.factors.values.std(axis=0)[:, None]
        found = make(KIND, rows, [m.name for m in meanings], [m.words for m in meanings])
        return [*found, *SOURCES["random"](evidence, _RANDOM)]


def map_factors(codes: FloatArray, covariance: FloatArray, factors: Factors) -> FactorMap:
    r"""Fit the map by ridge regression.

    Parameters
    ----------
    codes : ndarray, shape (n, d)
        Of the images.
    covariance : ndarray, shape (d, d)
        Of codes, over the generator's fitting images.
    factors : Factors
        Of the same images.

    Returns
    -------
    FactorMap
        With :math:`W` the ridge weights in white codes, a unit of factor j alone is the white move
        :math:`W (W^\top W)^{-1} e_j`, the shortest, hence likeliest.
    """
    spread = symmetric_root(covariance)
    white = white_codes(codes, spread)
    scale = factors.values.std(axis=0)
    wanted = (factors.values - factors.values.mean(axis=0)) / scale
    weights = ridge(white, wanted)
    error = wanted[1::2] - white[1::2] @ ridge(white[::2], wanted[::2])
    forward = np.linalg.pinv(spread, rcond=1e-6) @ weights * scale
    metric: FloatArray = np.asarray(np.linalg.pinv(weights.T @ weights), dtype=np.float64)
    backward = (spread @ weights @ metric).T / scale[:, None]
    return FactorMap(factors, forward, backward, 1 - error.var(axis=0) / wanted[1::2].var(axis=0), metric)
