"""K1 for saliency: what share of a map lies on the pixels that a factor changes, against its true effect."""

from collections.abc import Iterator

import numpy as np

from diffex.effects.arrays import FloatArray, IntArray
from diffex.evaluation.attributes.recovery import spearman
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import SHIPPED_RULES
from diffex.evaluation.peers import BASELINES, SALIENCY
from diffex.evaluation.rows import Measured
from diffex.evaluation.truth.explainers import OURS, lookers
from diffex.evaluation.truth.mapping import maps_of
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.recovered import edits_of
from diffex.evaluation.truth.scene import Scene
from diffex.evaluation.truth.scores import over_classifiers
from diffex.evaluation.truth.subjects import Subjects


def mass_on_factors(maps: FloatArray, cells: Scene) -> FloatArray:
    """Give the share of each map that lies on each factor's pixels.

    Parameters
    ----------
    maps : ndarray, shape (n, h, w)
        Zero or more.
    cells : Scene
        With the masks of twelve factors.

    Returns
    -------
    ndarray, shape (n, 12)
        Shares; 0 for a map of zeros.
    """
    total = np.maximum(maps.sum(axis=(1, 2)), 1e-12)
    return np.asarray(np.einsum("nhw,njhw->nj", maps, cells.masks.astype(np.float64)) / total[:, None])


def against_saliency(bench: Bench, made: Subjects, pool: Pool, cells: Scene) -> Iterator[Measured]:
    """Compare sizes of effects: ours with those read off saliency maps, on the shipped classifiers.

    Parameters
    ----------
    bench : Bench
        Seed, stages.
    made : Subjects
        Classifiers and truth.
    pool : Pool
        Rendered.
    cells : Scene
        Images that were mapped.

    Yields
    ------
    Measured
        A difference per peer.
    """
    names, size = list(SHIPPED_RULES), len(cells.images)
    ours, masses = {}, {}
    for name in names:
        columns = lookers(pool, name, made.target)[OURS].columns
        ours[name] = np.abs(edits_of(pool, name, made.target, columns).main(np.arange(len(pool.levels))))
        maps, _ = maps_of(bench, name, made, pool, cells)
        masses[name] = {peer: mass_on_factors(one, cells) for peer, one in maps.items()}
    for peer in (one.name for one in (*SALIENCY, *BASELINES)):

        def gain(name: str, rows: IntArray, peer: str = peer) -> float:
            true = np.abs(made.truth.effects(name))
            return spearman(ours[name], true) - spearman(masses[name][peer][rows].mean(axis=0), true)

        value = over_classifiers(names, gain, size, bench.seed)
        what = f"Spearman of sizes of effects, shipped rules: ours minus {peer}"
        note = "the peer's effect of a factor: share of its map on the factor's pixels"
        yield Measured("K1", what, value[0], "> 0", *value[1:], note=note, holds=value[1] > 0)
