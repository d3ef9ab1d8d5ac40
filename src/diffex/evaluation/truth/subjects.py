"""Which classifiers are explained, and the truth about them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, final

import numpy as np
from torch import nn

from diffex.classifiers import Classifier
from diffex.classifiers.blackbox import SmallConvNet
from diffex.effects.arrays import BoolArray, FloatArray
from diffex.evaluation.attributes.interventions import Interventions, Oracle, fit_reader, reader_r2
from diffex.evaluation.bench import Bench, shipped_folder
from diffex.evaluation.demo import SHIPPED_RULES, TARGET, shipped_model
from diffex.evaluation.sets import planted, relabelled
from diffex.evaluation.stages import black_box
from diffex.evaluation.truth.known import Listener, known, listening, truth_cells
from diffex.generators import DiffusionAutoencoder
from diffex.images import Images
from diffex.images.planted_factors import FACTORS
from diffex.images.planted_labels import graded_rule

PAIRS = (
    ("nucleus_intensity", "puncta_intensity"),
    ("nucleus_area", "puncta_number"),
    ("cell_area", "debris"),
)
"""Registered before any classifier was looked at: the planted product, and two pairs that add up."""

SINGLE = tuple((name,) for name in FACTORS)
"""Every factor by itself."""

_ORACLE = "oracle"
_ACTIVE, _NULL = 0.1, 0.02  # of the largest effect
_GRADED = 11


@final
@dataclass(frozen=True, eq=False)
class Subjects:
    """Classifiers of planted cells, the shipped generator, and what reads factors.

    Parameters
    ----------
    voices : dict of str to Classifier
        By name: the shipped rules, and ``graded-0``...
    generator : DiffusionAutoencoder
        One for all.
    target : int
        Index of the class, in all of them.
    truth : Interventions
        True effects of single factors; it reads the oracle's features.
    oracle : Oracle
        Reads factors off pictures.
    ungated : tuple of str
        Shipped rules for whose classifier the generator misses a gate; their rows say so.
    """

    voices: dict[str, Classifier]
    generator: DiffusionAutoencoder
    target: int
    truth: Interventions
    oracle: Oracle
    ungated: tuple[str, ...]

    def hashes(self) -> dict[str, str]:
        """Hash the weights of every classifier, by name."""
        return {name: voice.state_hash() for name, voice in self.voices.items()}

    def active(self, name: str) -> BoolArray:
        """Mark the factors that truly matter to a classifier, ``(12,)``: 10 % of the largest effect."""
        size = np.abs(self.truth.effects(name))
        return np.asarray(size > _ACTIVE * size.max())

    def null(self, name: str) -> BoolArray:
        """Mark the factors that do not matter, ``(12,)``: under 2 % of the largest effect."""
        size = np.abs(self.truth.effects(name))
        return np.asarray(size < _NULL * size.max())


def subjects(bench: Bench, graded: int) -> Subjects:
    """Open the shipped classifiers, fit those of graded rules, and find the truth; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    graded : int
        How many classifiers of graded linear rules.

    Returns
    -------
    Subjects
        With the truth of `bench.size(500, 40)` cells.
    """
    models = {name: shipped_model(name, bench.device) for name in SHIPPED_RULES}
    taught = _taught(bench)
    voices = {name: model.classifier for name, model in models.items()} | graded_voices(bench, taught, graded)
    reader = fit_reader(bench, taught, bench.size(1500, 40))
    target = voices["linear"].card.class_names.index(TARGET)
    single = known(bench, _heard(voices, target) | {_ORACLE: listening(trunk(reader))}, SINGLE)
    truth = Interventions({name: single[name] for name in voices}, single[_ORACLE])
    oracle = _oracle(bench, reader, truth)
    ungated = tuple(name for name, model in models.items() if not model.passed)
    return Subjects(voices, models["linear"].generator, target, truth, oracle, ungated)


def true_pairs(bench: Bench, made: Subjects) -> dict[str, FloatArray]:
    """Find the true interactions of `PAIRS`; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    made : Subjects
        Classifiers.

    Returns
    -------
    dict of str to ndarray of shape (n, pairs)
        Cell by cell, by classifier.
    """
    return known(bench, _heard(made.voices, made.target), PAIRS)


def without_classifiers(bench: Bench) -> Subjects:
    """Open the shipped generator and the oracle alone, for what no classifier has a say in; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.

    Returns
    -------
    Subjects
        Without voices; its oracle is that of `subjects`.
    """
    reader = fit_reader(bench, _taught(bench), bench.size(1500, 40))
    truth = Interventions({}, known(bench, {_ORACLE: listening(trunk(reader))}, SINGLE)[_ORACLE])
    generator = DiffusionAutoencoder.load(shipped_folder(), bench.device)
    return Subjects({}, generator, 0, truth, _oracle(bench, reader, truth), ())


def _heard(voices: Mapping[str, Classifier], target: int) -> dict[str, Listener]:
    return {name: listening(voice, target) for name, voice in voices.items()}


def _taught(bench: Bench) -> Images:
    return planted(bench.size(4000, 300), 11_000 + bench.seed)


def _oracle(bench: Bench, reader: Classifier, truth: Interventions) -> Oracle:
    network = reader.module
    assert isinstance(network, SmallConvNet)
    response = truth.reads.mean(axis=0) @ network.head.weight.double().cpu().numpy().T
    return Oracle(reader, response, reader_r2(reader, *truth_cells(bench)))


def graded_voices(bench: Bench, pool: Images, count: int) -> dict[str, Classifier]:
    """Fit classifiers of linear rules whose weights fall from 1 to 0.15 over eleven factors.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    pool : Images
        Planted cells with their factors.
    count : int
        How many.

    Returns
    -------
    dict of str to Classifier
        ``graded-0``...
    """
    steps, rules = bench.size(500, 20), [graded_rule(1000 * bench.seed + k, _GRADED) for k in range(count)]
    return {
        f"graded-{k}": black_box(bench, f"graded-{k}", relabelled(pool, rule, bench.seed + k), steps=steps)
        for k, rule in enumerate(rules)
    }


def trunk(reader: Classifier) -> Classifier:
    """Make the classifier whose "logits" are the features under a network's last layer.

    Parameters
    ----------
    reader : Classifier
        A wrapped `SmallConvNet`.

    Returns
    -------
    Classifier
        Any linear head on it is a classifier of its own.
    """
    network = copy.deepcopy(reader.module)
    assert isinstance(network, SmallConvNet)
    names = tuple(f"feature-{k}" for k in range(network.head.in_features))
    network.head = cast(nn.Linear, nn.Identity())
    card = reader.card.model_copy(update={"class_names": names})
    return Classifier(network, card, differentiable=True, address="features")
