"""Which edits each explainer looks at: ours, and the peers that share our generator."""

from dataclasses import dataclass
from typing import final

import numpy as np

from diffex.effects.arrays import SIGNS, FloatArray, IntArray
from diffex.effects.search import Found
from diffex.evaluation.attributes.null_runs import tested_table
from diffex.evaluation.peers.attfind import released_attfind, repaired_attfind
from diffex.evaluation.truth.pool import Pool

OURS = "diffex"
REPAIRED = "AttFind repaired"
_MOST = 10
_CALIBRATES = 0.45  # of the random directions; the others calibrate beside the pool, as in an explanation
_KINDS = {
    "random directions": ("random",),
    "principal axes": ("principal_axis",),
    "published contrastive directions": ("contrastive_codes",),
    "proxy gradient": ("proxy_gradient",),
}


@final
@dataclass(frozen=True, eq=False)
class Looked:
    """Edits of one explainer.

    Parameters
    ----------
    columns : ndarray of int, shape (m,)
        Edits, as positions in the flat (concept, sign) axis of a pool: ``2 * concept + (sign < 0)``.
    weights : ndarray, shape (m,)
        What the explainer says each is worth.
    note : str
        What a reader must know.
    """

    columns: IntArray
    weights: FloatArray
    note: str = ""


def lookers(pool: Pool, name: str, target: int) -> dict[str, Looked]:
    """List the edits that every explainer of one classifier looks at.

    Parameters
    ----------
    pool : Pool
        Rendered.
    name : str
        Of the classifier.
    target : int
        Index of the class.

    Returns
    -------
    dict of str to Looked
        Ours first. The two searches as published choose ten of our whole pool; the one per coordinate, as
        StylEx does, of single latents.
    """
    every = pool.columns(name)
    mean = pool.effects(name, target).mean(axis=0)  # (D, 2)
    looked = {OURS: _all(every, mean)}
    looked |= {label: _all(pool.columns(name, kinds), mean) for label, kinds in _KINDS.items()}
    for label, part in (("mean difference", "classes"), ("linear probe", "probe")):
        own = [k for k, one in enumerate(pool.concepts) if one.id == f"{name}:mean_difference:{part}"]
        looked[label] = _all(np.array(own, dtype=np.int64), mean)
    broken = released_attfind(pool.shifts(name, misread=True)[:, every], target, _MOST)
    looked["AttFind as released"] = _chosen(every, broken.found, broken.failure)
    right = pool.shifts(name)
    looked[REPAIRED] = _chosen(every, repaired_attfind(right[:, every], target, _MOST))
    single = pool.columns(name, ("latent",))
    looked["AttFind per coordinate"] = _chosen(single, repaired_attfind(right[:, single], target, _MOST))
    return looked


def explanation(pool: Pool, name: str, target: int, seed: int) -> Looked:
    """Explain a classifier with the pool, by the test of an attribute explanation.

    Parameters
    ----------
    pool : Pool
        Rendered; its random directions calibrate the null.
    name : str
        Of the classifier.
    target : int
        Index of the class.
    seed : int
        Of the halves and the null.

    Returns
    -------
    Looked
        Significant rows, one sign of each concept, by rank on the selecting half, with effects of the other.
    """
    every = pool.columns(name)
    screen = pool.screen(name, target)
    tested, random = every[~screen.random[every]], every[screen.random[every]]
    calibrating, beside = np.split(random, [max(8, round(_CALIBRATES * len(random)))])
    table = tested_table(screen, tested, calibrating, beside, seed)
    good = table[table["significant"]].drop_duplicates("concept")
    columns = 2 * good["concept"].to_numpy(dtype=np.int64) + (good["sign"].to_numpy() < 0)
    return Looked(columns, good["effect"].to_numpy(dtype=np.float64), f"{len(good)} significant concepts")


def _all(concepts: IntArray, mean: FloatArray) -> Looked:
    columns = (2 * concepts[:, None] + np.arange(len(SIGNS))).ravel()
    return Looked(columns, mean[concepts].ravel())


def _chosen(concepts: IntArray, found: tuple[Found, ...], note: str = "") -> Looked:
    columns = [2 * int(concepts[one.concept]) + (one.sign < 0) for one in found]
    return Looked(np.array(columns, dtype=np.int64), np.array([one.effect for one in found]), note)
