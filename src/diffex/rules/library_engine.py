"""Formulas from a library of terms: best subsets by forward selection with exchange. Exactly reproducible."""

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import final

import numpy as np
import sympy

from diffex.effects.arrays import FloatArray
from diffex.rules.expression import Expr, Tanh, numeric, symbol

_CENTRES = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles at which a step may lie
_STEEPNESS = (0.7, 2.0)  # per standard deviation
_SPREAD_FLOOR = 1e-9
_ENDS, _ROOM, _STEEPEST = (0.01, 0.99), 1.1, 0.95  # of a bounded margin, before constants are fitted
_SMALLEST_GAIN = 0.002  # of the variance: a term that explains less ends the search
_PLAIN = 0.15  # what each further factor of a product, or power, explains counts this much less


@final
@dataclass(frozen=True)
class LibraryEngine:
    """Sums of few terms (powers, products, smooth steps of factors), and such sums inside one smooth step.

    After SINDy (Brunton et al. 2016) and FFX (McConaghy 2011), with best subsets in place of a penalty.

    Parameters
    ----------
    most_terms : int
        Terms of the longest formula, beside the constant.
    """

    most_terms: int = 5

    @property
    def name(self) -> str:
        """Short name."""
        return "library"

    def search(self, names: tuple[str, ...], x: FloatArray, y: FloatArray, seed: int) -> list[Expr]:
        """Find the best formula of each number of terms; see `RuleEngine.search`."""
        smooth = _library(names)
        low, high = np.quantile(y, _ENDS)
        middle, reach = (low + high) / 2, max(float(high - low) / 2 * _ROOM, _SPREAD_FLOOR)
        inner = np.arctanh(np.clip((y - middle) / reach, -_STEEPEST, _STEEPEST))
        bounded = [
            sympy.Float(middle) + sympy.Float(reach) * Tanh(formula)
            for formula in self._sums(smooth, names, x, inner)
        ]
        plain = [symbol(name) for name in names]  # which steps and products would crowd out
        sums = [*self._sums([*smooth, *_steps(names, x)], names, x, y), *self._sums(plain, names, x, y)]
        return [sympy.Float(y.mean()), *sums, *bounded]

    def _sums(self, bodies: list[Expr], names: tuple[str, ...], x: FloatArray, y: FloatArray) -> list[Expr]:
        """The best sum of each number of terms."""
        columns = np.stack([numeric(body, names)(x) for body in bodies], axis=1)
        spread = columns.std(axis=0)
        keep = np.flatnonzero(spread > _SPREAD_FLOOR)
        worth = np.array([(1 - _PLAIN) ** (_degree(body) - 1) for body in bodies])
        white = (columns[:, keep] - columns[:, keep].mean(axis=0)) / spread[keep]
        return [
            _formula([bodies[keep[j]] for j in chosen], columns[:, keep[chosen]], y)
            for chosen in _best_subsets(white, y - y.mean(), worth[keep], self.most_terms)
        ]


def _library(names: tuple[str, ...]) -> list[Expr]:
    symbols = [symbol(name) for name in names]
    alone = [s**power for s in symbols for power in (1, 2)]
    together = [a * b for a, b in combinations(symbols, 2)]
    together += [a * b**2 for a, b in permutations(symbols, 2)]
    return [*alone, *together]


def _degree(body: Expr) -> int:
    """Factors that are multiplied; a step is one."""
    return 1 if body.has(Tanh) else sum(int(power) for power in body.as_powers_dict().values())


def _steps(names: tuple[str, ...], x: FloatArray) -> list[Expr]:
    symbols, spread = [symbol(name) for name in names], x.std(axis=0)
    return [
        Tanh(sympy.Float(steep / width) * s - sympy.Float(steep / width * centre))
        for s, width, column in zip(symbols, spread, x.T, strict=True)
        if width > _SPREAD_FLOOR
        for centre in np.quantile(column, _CENTRES)
        for steep in _STEEPNESS
    ]


def _formula(bodies: list[Expr], columns: FloatArray, y: FloatArray) -> Expr:
    design = np.concatenate([np.ones((len(y), 1)), columns], axis=1)
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    weighted = [sympy.Float(w) * body for w, body in zip(weights[1:], bodies, strict=True)]
    return sympy.Add(sympy.Float(weights[0]), *weighted)


def _best_subsets(white: FloatArray, y: FloatArray, worth: FloatArray, most: int) -> list[list[int]]:
    """Grow the set by the best column, then exchange columns while that helps; one set of each size.

    What a column explains is weighed by its worth: of a product and a factor that do about the same, noise
    would take either. Where that gains too little, every column counts alike.
    """
    gram, right = white.T @ white, white.T @ y
    found: list[list[int]] = []
    explained, whole = 0.0, float(y @ y)
    while len(found) < min(most, white.shape[1]):
        least = explained + _SMALLEST_GAIN * whole
        tried = (_grown(found[-1] if found else [], gram, right, w) for w in (worth, np.ones_like(worth)))
        chosen = next((one for one in tried if _explained(gram, right, one) >= least), None)
        if chosen is None:
            break
        found.append(chosen)
        explained = _explained(gram, right, chosen)
    return found


def _grown(chosen: list[int], gram: FloatArray, right: FloatArray, worth: FloatArray) -> list[int]:
    """Add the best column, then exchange columns while that helps."""
    return _exchanged([*chosen, _best_addition(gram, right, chosen, worth)], gram, right, worth)


def _explained(gram: FloatArray, right: FloatArray, chosen: list[int]) -> float:
    """Sum of squares that columns explain together."""
    some = right[chosen]
    return float(some @ np.linalg.pinv(gram[np.ix_(chosen, chosen)], hermitian=True) @ some)


def _exchanged(chosen: list[int], gram: FloatArray, right: FloatArray, worth: FloatArray) -> list[int]:
    for _ in range(3):
        before = list(chosen)
        for place in range(len(chosen)):
            others = [*chosen[:place], *chosen[place + 1 :]]
            best = _best_addition(gram, right, others, worth)
            chosen = [*chosen[:place], best, *chosen[place + 1 :]]
        if chosen == before:
            break
    return chosen


def _best_addition(gram: FloatArray, right: FloatArray, chosen: list[int], worth: FloatArray) -> int:
    """The column whose addition lowers the residual most: its part that is new, against the residual."""
    if not chosen:
        return int(np.argmax(worth * np.square(right) / gram.diagonal()))
    inner = np.linalg.pinv(gram[np.ix_(chosen, chosen)], hermitian=True)
    across = gram[:, chosen]
    left = right - across @ (inner @ right[chosen])
    new = gram.diagonal() - np.einsum("ij,jk,ik->i", across, inner, across)
    gain = np.where(new > 1e-6 * gram.diagonal(), np.square(left) / np.maximum(new, 1e-300), -1.0)
    gain[chosen] = -1.0
    return int(np.argmax(worth * gain))
