"""Which few factors a rule may read: those chosen again and again from halves of the images."""

import math
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from diffex.effects.arrays import FloatArray
from diffex.rules.factors import Factors
from diffex.rules.forward_choice import forward_choice
from diffex.rules.sparse_network import varies
from diffex.rules.stability_selection import stability_selection

_PAIRS = 25
_THRESHOLD = 0.6


def choose_factors(
    factors: Factors, margin: FloatArray, groups: NDArray[np.str_] | None, most: int, seed: int
) -> Factors:
    """Choose factors by stability selection over forward choices, for the margin and for what it decides.

    Parameters
    ----------
    factors : Factors
        Of n images.
    margin : ndarray, shape (n,)
        What a rule should give.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.
    most : int
        Factors at most.
    seed : int
        Of the half-samples.

    Returns
    -------
    Factors
        Chosen from at least 60 % of the half-samples, at most `most`, the most frequent first; the single
        most frequent one where none is.
    """
    stable = stability_selection(
        factors.values, _asked(margin), partial(_choose, most=most),
        pairs=_PAIRS, threshold=_THRESHOLD, seed=seed, groups=groups,
    )  # fmt: skip
    order = np.argsort(-stable.frequency, kind="stable")
    chosen = [int(j) for j in order if j in stable.selected][:most] or [int(order[0])]
    return factors.columns([factors.names[j] for j in chosen])


def _asked(margin: FloatArray) -> FloatArray:
    """The margin, and what it decides: its probability, which moves where the margin changes sign."""
    return np.stack([margin, np.tanh(margin / 2)], axis=1)


def _choose(x: FloatArray, outputs: FloatArray, seed: int, *, most: int) -> tuple[int, ...]:
    """Forward choice, then pairs that act only through their product, which it cannot see."""
    chosen = forward_choice(x, outputs, seed, most=most)
    moving = varies(x)  # what differs among all images may be constant in a half
    z = np.where(moving, (x - x.mean(axis=0)) / np.where(moving, x.std(axis=0), 1.0), 0.0)
    while len(chosen) < most:
        more = [j for j in _best_pair(z, outputs[:, 0], chosen) if j not in chosen]
        if not more or len(chosen) + len(more) > most:
            break
        chosen = (*chosen, *more)
    return chosen


def _best_pair(z: FloatArray, y: FloatArray, chosen: tuple[int, ...]) -> tuple[int, ...]:
    """The pair whose product explains most of what lines and squares of the chosen leave; () if too little.

    Judged by the extended Bayesian information criterion over all pairs, as in `forward_choice`.
    """
    n, d = z.shape
    own = z[:, list(chosen)]
    products = [own[:, i] * own[:, j] for i, j in combinations(range(len(chosen)), 2)]
    design = np.column_stack([np.ones(n), own, own**2, *products])
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    across, lengths = (z * left[:, None]).T @ z, (z**2).T @ z**2
    share = np.triu(across**2 / np.maximum(lengths * float(left @ left), 1e-300), 1)
    i, j = (int(place) for place in np.unravel_index(share.argmax(), share.shape))
    worth = -n * math.log1p(-min(float(share[i, j]), 1 - 1e-12))
    return (i, j) if worth > math.log(n) + 2 * math.log(d * d / 2) else ()
