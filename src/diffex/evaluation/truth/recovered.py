"""Effects of factors and of pairs, recovered from an explainer's edits alone."""

from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.effects.arrays import FloatArray, IntArray
from diffex.evaluation.attributes.recovery import mean_changes, recovered_effects
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.subjects import PAIRS
from diffex.images.planted_factors import FACTORS, factor_index


@final
@dataclass(frozen=True, eq=False)
class Edits:
    """What some edits do to the factors and to one classifier.

    Parameters
    ----------
    factors : ndarray, shape (n, m, 12)
        Change of every factor.
    margins : ndarray, shape (n, m)
        Change of the target's margin.
    levels : ndarray, shape (n, 12)
        Factors of the null edits.
    """

    factors: FloatArray
    margins: FloatArray
    levels: FloatArray

    def main(self, rows: IntArray) -> FloatArray:
        """Recover the effect of every factor, ``(12,)``, from some images; 0 without edits."""
        if not self.margins.shape[1]:
            return np.zeros(len(FACTORS))
        return recovered_effects(*mean_changes(self.factors, self.margins, rows))

    def pairs(self, rows: IntArray) -> FloatArray:
        """Recover the interactions of `PAIRS` from some images, ``(pairs,)``.

        Least squares of the change of the margin over images and edits on the changes of all factors and,
        for every pair, on the change of the product of its two factors.

        Parameters
        ----------
        rows : ndarray of int
            Images, with repetition in a bootstrap.

        Returns
        -------
        ndarray, shape (pairs,)
            Logits per product of standard deviations.
        """
        grams, sums = self._normal()
        return np.asarray(
            np.linalg.lstsq(grams[rows].sum(0), sums[rows].sum(0), rcond=1e-8)[0][len(FACTORS) :]
        )

    def _normal(self) -> tuple[FloatArray, FloatArray]:
        products = [self._product(factor_index(a), factor_index(b)) for a, b in PAIRS]
        x = np.concatenate([self.factors, np.stack(products, axis=-1)], axis=-1)  # (n, m, 12 + pairs)
        return np.einsum("nmi,nmj->nij", x, x), np.einsum("nmi,nm->ni", x, self.margins)

    def _product(self, a: int, b: int) -> FloatArray:
        before = self.levels[:, None, a], self.levels[:, None, b]
        after = before[0] + self.factors[..., a], before[1] + self.factors[..., b]
        return np.asarray(after[0] * after[1] - before[0] * before[1])


def edits_of(pool: Pool, name: str, target: int, columns: IntArray) -> Edits:
    """Take some edits of a pool.

    Parameters
    ----------
    pool : Pool
        Rendered.
    name : str
        Of the classifier.
    target : int
        Index of the class.
    columns : ndarray of int
        Positions in the flat (concept, sign) axis.

    Returns
    -------
    Edits
        Of the pool's cells.
    """
    count = len(pool.levels)
    factors = pool.factors.reshape(count, -1, len(FACTORS))[:, columns]
    return Edits(factors, pool.effects(name, target).reshape(count, -1)[:, columns], pool.levels)
