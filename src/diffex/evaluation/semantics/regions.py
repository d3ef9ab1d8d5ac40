"""What a saliency map names: the compartments of a cell on which it lies, by the simulator's exact masks."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import binom

from diffex.classifiers import Classifier
from diffex.effects.arrays import BoolArray, FloatArray
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.grad_cam import GradCam
from diffex.evaluation.truth.scene import Scene, summed
from diffex.images.planted_factors import factor_index

COMPARTMENTS: Mapping[str, tuple[str, ...]] = {
    "nucleus": ("nucleus_area", "nucleus_eccentricity", "nucleus_intensity", "chromatin_granularity"),
    "edge of the cell": ("cell_area", "cell_roughness"),
    "puncta": ("puncta_number", "puncta_intensity", "puncta_radius"),
    "cytoplasm": ("cytoplasm_intensity",),
    "background": ("background_gradient",),
    "lower right corner": ("debris",),
}
"""Factors by the place where they act."""


def both_maps(classifier: Classifier, cells: Scene) -> FloatArray:
    """Grad-CAM for and against the target, added: a region counts whatever the sign of its factors.

    Parameters
    ----------
    classifier : Classifier
        Of two classes.
    cells : Scene
        n cells.

    Returns
    -------
    ndarray, shape (n, h, w)
        Zero or more.
    """
    asked, x = Counted(classifier, cells.images.value_range), cells.images.read()
    return np.asarray(sum(summed(GradCam().maps(asked, x, target)) for target in range(2)))


def named_compartments(maps: FloatArray, cells: Scene, q: float = 0.05) -> dict[str, bool]:
    """Say which compartments maps lie on: brighter inside than outside, by a sign test over cells.

    Parameters
    ----------
    maps : ndarray, shape (n, h, w)
        Zero or more.
    cells : Scene
        With the masks of twelve factors; a compartment is the union of those of its factors.
    q : float, default 0.05
        Benjamini & Hochberg over compartments.

    Returns
    -------
    dict of str to bool
        By compartment.
    """
    p = []
    for factors in COMPARTMENTS.values():
        inside = np.asarray(cells.masks[:, [factor_index(name) for name in factors]].any(axis=1))
        gain = np.array([_gain(one, mask) for one, mask in zip(maps, inside, strict=True)])
        up, count = int((gain > 0).sum()), int((gain != 0).sum())
        p.append(float(binom.sf(up - 1, count, 0.5)) if count else 1.0)
    return dict(zip(COMPARTMENTS, (benjamini_hochberg(p) <= q).tolist(), strict=True))


def _gain(heat: FloatArray, mask: BoolArray) -> float:
    if mask.all() or not mask.any():
        return 0.0
    return float(heat[mask].mean() - heat[~mask].mean())


def region_coverage(named: Mapping[str, bool], active: BoolArray) -> tuple[float, float]:
    """Share of active factors in named compartments: all of them, and one for each compartment.

    Parameters
    ----------
    named : mapping of str to bool
        From `named_compartments`.
    active : ndarray of bool, shape (12,)
        Which factors matter.

    Returns
    -------
    (float, float)
        Generous: a region is taken to name all that is active in it; and each region one factor at most.
        Signs are not asked for.
    """
    own = {where: [active[factor_index(f)] for f in factors] for where, factors in COMPARTMENTS.items()}
    counts = np.array([sum(own[where]) for where in COMPARTMENTS if named[where]])
    every = max(int(active.sum()), 1)
    return float(counts.sum() / every), float((counts > 0).sum() / every)
