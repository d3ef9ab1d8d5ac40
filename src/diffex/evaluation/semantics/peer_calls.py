"""What searches of single coordinates call, which come without a test of their own."""

import numpy as np

from diffex.effects.arrays import SIGNS, FloatArray
from diffex.effects.matrix import margin_of, probabilities_of
from diffex.effects.search import Found
from diffex.evaluation.peers.attfind import repaired_attfind
from diffex.evaluation.semantics.found_factors import Called, sign_tested
from diffex.evaluation.semantics.moves import Moved
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.subjects import Subjects
from diffex.images.planted_factors import FACTORS

RULES = ("every coordinate whose sign test passes", "AttFind's ten")
"""Generous to the peer, and as published."""

_MOST = 10


def peer_calls(label: str, moves: Moved, made: Subjects) -> dict[str, dict[str, Called]]:
    """List what a search of single coordinates calls of every classifier, by either rule.

    Parameters
    ----------
    label : str
        Whose coordinates.
    moves : Moved
        What their edits did.
    made : Subjects
        Classifiers.

    Returns
    -------
    dict of str to dict of str to Called
        By label and rule, then by classifier: all that a sign test lets through, and AttFind's ten.
    """
    calls = dict(zip(RULES, (_tested, _searched), strict=True))
    return {
        f"{label}, {rule}": {name: call(moves, name, made.target) for name in made.voices}
        for rule, call in calls.items()
    }


def pool_calls(pool: Pool, name: str, target: int) -> Called:
    """List what our own concepts call by the peers' generous rule, so that concepts are compared at one rule.

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
    Called
        Edits along concepts that are not random, of either sign.
    """
    own = [k for k in pool.columns(name) if pool.concepts[k].kind != "random"]
    effects = pool.effects(name, target)[:, own].reshape(len(pool.levels), -1)
    return _kept(effects, pool.factors[:, own])


def _tested(one: Moved, name: str, target: int) -> Called:
    before = margin_of(one.plain[name], target)[:, None, None]
    return _kept((margin_of(one.logits[name], target) - before).reshape(len(before), -1), one.factors)


def _kept(effects: FloatArray, factors: FloatArray) -> Called:
    kept = sign_tested(effects)
    return Called(factors.mean(axis=0).reshape(-1, len(FACTORS))[kept], effects.mean(axis=0)[kept])


def _searched(one: Moved, name: str, target: int) -> Called:
    shifts = probabilities_of(one.logits[name]) - probabilities_of(one.plain[name])[:, None, None]
    found: tuple[Found, ...] = repaired_attfind(shifts, target, _MOST)
    places = [(k.concept, SIGNS.index(k.sign)) for k in found]
    changes = [one.factors[:, concept, side].mean(axis=0) for concept, side in places]
    return Called(np.array(changes).reshape(-1, len(FACTORS)), np.array([k.effect for k in found]))
