"""Attacks on the rules of a run: in pixels, beside the classifier at the same budget, and in factors."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from diffex.classifiers import Classifier
from diffex.editors import LatentEditor
from diffex.effects.arrays import BoolArray, FloatArray
from diffex.effects.matrix import Judge
from diffex.effects.replication import replication_units
from diffex.explainers.rules.factors import Reader
from diffex.explainers.rules.flips import FactorMoves, smallest_flips
from diffex.explainers.rules.stand_ins import stand_in, with_guide
from diffex.explainers.rules.yardstick import Yardstick
from diffex.images import Images
from diffex.rules.attacks.library import Effort
from diffex.rules.attacks.robustness import Stand, Subjects, as_dict, attack, find_budget
from diffex.rules.attacks.victim import Victim
from diffex.rules.factors import Factors
from diffex.rules.fidelity import bootstrapped
from diffex.rules.hard_concrete import fit_hard_concrete
from diffex.rules.rule import Rule
from diffex.rules.rule_set import RuleSet
from diffex.rules.sparse_network import SparseNetwork

_KEEP = 0.5
_PENALTY, _NETWORK_STEPS = 0.01, 1500
_SHOWN = 6


@final
@dataclass(frozen=True, eq=False)
class Target:
    """The models under attack, and what they read.

    Parameters
    ----------
    classifier, guide : Classifier
        The black box, and what gives its gradients.
    rules : RuleSet
        Over factors.
    network : SparseNetwork
        Over the same factors.
    read : callable
        From pixels alone to these factors.
    """

    classifier: Classifier
    guide: Classifier
    rules: RuleSet
    network: SparseNetwork
    read: Reader


def sparse_network(factors: Factors, margins: FloatArray, seed: int) -> SparseNetwork:
    """Fit the sparse network that is attacked beside the rules.

    Parameters
    ----------
    factors : Factors
        Of n images.
    margins : ndarray, shape (n, k)
        The classifier's.
    seed : int
        Of the fit.

    Returns
    -------
    SparseNetwork
        Behind hard-concrete gates; of two classes it gives the second's margin.
    """
    outputs = margins[:, 1:] if margins.shape[1] == 2 else margins
    return fit_hard_concrete(factors.values, outputs, _PENALTY, steps=_NETWORK_STEPS, seed=seed)


def attack_pixels(
    target: Target, fitting: Images, tests: Images, seed: int, *, effort: Effort, twin_steps: int
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Attack classifier, sparse network and rules at the budget where the classifier keeps half its accuracy.

    Parameters
    ----------
    target : Target
        The models.
    fitting : Images
        What twins of models without gradients learn from.
    tests : Images
        Labelled; attacked.
    seed : int
        Of everything random.
    effort : Effort
        Steps and queries.
    twin_steps : int
        Of a twin's training.

    Returns
    -------
    (dict, ndarray of shape (1 + models, m, c, h, w))
        ``budget`` (share of the range), ``grey_levels``, ``images``, ``unit`` and ``models`` as from
        `as_dict`, each with ``half_kept_at``, the budget at which PGD leaves half; some images as they are,
        and as the strongest attack on each model made them.
    """
    subjects = _subjects(tests)
    black_box = Victim("classifier", target.classifier, target.guide)
    budget = find_budget(black_box, subjects, _KEEP, seed)
    stands, halves = [attack(black_box, subjects, budget, effort, seed)], [budget]
    names = target.classifier.card.class_names
    deciders = {"sparse network": _deciding(target.network), "rules": target.rules.margins}
    with tempfile.TemporaryDirectory(prefix="diffex-") as folder:
        for name, decide in deciders.items():
            made = stand_in(name, target.read, decide, tests, names)
            victim = with_guide(
                name, made, fitting, budget, Path(folder) / name, seed,
                steps=twin_steps, device=target.classifier.device,
            )  # fmt: skip
            stands.append(attack(victim, subjects, budget, effort, seed, others=stands[0].pictures))
            halves.append(find_budget(victim, subjects, _KEEP, seed))
    low, high = subjects.value_range
    told = {
        "budget": budget,
        "grey_levels": budget * (high - low),
        "images": len(tests),
        "unit": replication_units(len(tests), tests.groups).unit,
        "models": [
            {**told, "half_kept_at": half}
            for told, half in zip(as_dict(stands, subjects, seed), halves, strict=True)
        ],
    }
    return told, _pictures(stands, subjects)


def _subjects(images: Images) -> Subjects:
    low, high = images.value_range
    assert images.labels is not None
    x = ((images.read() - low) / (high - low)).clamp(0.0, 1.0)
    return Subjects(x, images.labels, images.groups, (float(low), float(high)))


def _deciding(network: SparseNetwork) -> Any:
    def margins(factors: Factors) -> FloatArray:
        found = network.predict(factors.values)
        return np.hstack([-found, found]) if found.shape[1] == 1 else found

    return margins


def _pictures(stands: list[Stand], subjects: Subjects) -> NDArray[np.float32]:
    """First images that some attack turned, in grey values."""
    turned = np.any([stand.right & ~stand.left for stand in stands], axis=0)
    rows = np.argsort(~turned, kind="stable")[:_SHOWN]
    low, high = subjects.value_range
    every = torch.stack([subjects.x[rows], *(stand.strongest()[rows] for stand in stands)])
    return np.asarray((low + (high - low) * every).numpy(), dtype=np.float32)


@final
@dataclass(frozen=True, eq=False)
class Studio:
    """Renders moved codes, and tells what the pictures are.

    Parameters
    ----------
    editor : LatentEditor
        Renders.
    judge : Judge
        The classifier.
    factors, measure : callable
        Pixels to the factors of rules, and to the yardstick's quantity.
    yardstick : Yardstick
        Tells the target in a picture, independent of rule and classifier.
    target : int
        Index of the class.
    """

    editor: LatentEditor
    judge: Judge
    factors: Reader
    measure: Reader
    yardstick: Yardstick
    target: int


def attack_factors(
    rule: Rule, images: Images, factor_map: FactorMoves, studio: Studio, seed: int, beyond: float
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Move factors by the least that flips a rule, render, and measure the picture anew.

    Parameters
    ----------
    rule : Rule
        Of the target's margin.
    images : Images
        Those whose null edits are moved.
    factor_map : FactorMoves
        Between codes and the factors that the rule reads.
    studio : Studio
        Renders and tells.
    seed : int
        Of intervals.
    beyond : float
        Margin wanted on the rule's other side, in logits.

    Returns
    -------
    (dict, ndarray of shape (2, m, c, h, w))
        ``measurement``, ``unit``, ``threshold``, ``images`` (those whose null edit the yardstick puts where
        the rule does), ``flipped`` (share of them for which a move was found), ``confirmed`` (share of their
        pictures that the yardstick puts on the other side, with a 95 % interval), ``agreed`` (how many of
        these null edits the classifier too puts where the rule does) and ``classifier`` (share of these that
        it then puts on the other side), ``beyond``; some null edits, and the same moved.
    """
    editor, yardstick, read = studio.editor, studio.yardstick, studio.measure
    inversion = editor.invert(images.read(), images.ids)
    null = editor.null(inversion)
    own = studio.factors(null).columns(rule.names)
    moves = smallest_flips(rule, own, inversion.codes, factor_map, beyond)
    moved = editor.render(inversion, inversion.codes + moves.codes)
    studio.judge.ledger.count("attacks", 2 * len(images) * editor.evaluations)
    was = rule.evaluate(own.values) > 0
    eligible = yardstick.tells(read(null)) == was
    rows = np.flatnonzero(eligible & moves.flips)
    at_first, then = (studio.judge.logits(x).argmax(axis=1) == studio.target for x in (null, moved))
    agreed = rows[at_first[rows] == was[rows]]
    told = {
        "measurement": yardstick.factor.words,
        "unit": yardstick.factor.unit,
        "threshold": yardstick.threshold,
        "images": int(eligible.sum()),
        "flipped": float(len(rows) / max(1, eligible.sum())),
        "confirmed": _share((yardstick.tells(read(moved)) != was)[rows], images, rows, seed),
        "agreed": len(agreed),
        "classifier": _share((then != was)[agreed], images, agreed, seed),
        "beyond": beyond,
    }
    shown = rows[:: max(1, len(rows) // _SHOWN)][:_SHOWN]
    return told, np.asarray(torch.stack([null[shown], moved[shown]]).numpy(), dtype=np.float32)


def _share(hit: BoolArray, images: Images, rows: NDArray[np.int64], seed: int) -> list[float] | None:
    """Share with its interval; None of too few."""
    if len(rows) < 2:
        return None
    units = replication_units(len(rows), None if images.groups is None else images.groups[rows])
    return list(bootstrapped(units, len(rows), lambda some: float(hit[some].mean()), seed))
