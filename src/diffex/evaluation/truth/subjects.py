"""Which classifiers are explained, and the truth about them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, final

import numpy as np
import torch
from torch import nn

from diffex.base.files import load_tensors, save_tensors
from diffex.classifiers import Classifier
from diffex.classifiers.blackbox import SmallConvNet
from diffex.effects.arrays import BoolArray, FloatArray
from diffex.effects.matrix import margin_of
from diffex.evaluation.attributes.interventions import (
    STEP,
    Interventions,
    Oracle,
    fit_reader,
    intervene,
    reader_r2,
)
from diffex.evaluation.bench import FIT_ROOMS, Bench, code_hash
from diffex.evaluation.demo import SHIPPED_RULES, TARGET, shipped_model
from diffex.evaluation.sets import planted, relabelled
from diffex.evaluation.stages import black_box
from diffex.generators import DiffusionAutoencoder, logits_of
from diffex.images import Images, PlantedCells
from diffex.images.planted_factors import factor_index
from diffex.images.planted_labels import graded_rule

PAIRS = (
    ("nucleus_intensity", "puncta_intensity"),
    ("nucleus_area", "puncta_number"),
    ("cell_area", "debris"),
)
"""Registered before any classifier was looked at: the planted product, and two pairs that add up."""

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
    pairs : dict of str to ndarray of shape (n, 3)
        True interactions of `PAIRS`, cell by cell.
    oracle : Oracle
        Reads factors off pictures.
    ungated : tuple of str
        Shipped rules for whose classifier the generator misses a gate; their rows say so.
    """

    voices: dict[str, Classifier]
    generator: DiffusionAutoencoder
    target: int
    truth: Interventions
    pairs: dict[str, FloatArray]
    oracle: Oracle
    ungated: tuple[str, ...]

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
    pool = planted(bench.size(4000, 300), 11_000 + bench.seed)
    voices = {name: model.classifier for name, model in models.items()} | graded_voices(bench, pool, graded)
    reader = fit_reader(bench, pool, bench.size(1500, 40))
    target = voices["linear"].card.class_names.index(TARGET)
    truth, pairs = _truth(bench, voices, target, reader)
    network = reader.module
    assert isinstance(network, SmallConvNet)
    response = truth.reads.mean(axis=0) @ network.head.weight.double().cpu().numpy().T
    r2 = reader_r2(reader, bench.size(500, 40), 13_000 + bench.seed)
    oracle = Oracle(reader, response, r2)
    ungated = tuple(name for name, model in models.items() if not model.passed)
    return Subjects(voices, models["linear"].generator, target, truth, pairs, oracle, ungated)


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


def _truth(
    bench: Bench, voices: Mapping[str, Classifier], target: int, reader: Classifier
) -> tuple[Interventions, dict[str, FloatArray]]:
    hashes = {name: voice.state_hash() for name, voice in voices.items()}
    count, seed = bench.size(500, 40), 13_000 + bench.seed
    content = [hashes, reader.state_hash(), target, count, seed, PAIRS, code_hash(FIT_ROOMS)]
    path = bench.stage("truth", content) / "truth.safetensors"
    if not path.exists():
        found = intervene(voices, target, trunk(reader), count, seed)
        crossed = interactions(voices, target, PAIRS, count, seed)
        arrays = {f"main:{name}": found.margins[name] for name in voices}
        arrays |= {f"pair:{name}": crossed[name] for name in voices}
        _save(path, arrays | {"reads": found.reads})
    kept = {name: tensor.numpy() for name, tensor in load_tensors(path).items()}
    margins = {name: kept[f"main:{name}"] for name in voices}
    return Interventions(margins, kept["reads"]), {n: kept[f"pair:{n}"] for n in voices}


def _save(path: Path, arrays: Mapping[str, FloatArray]) -> None:
    save_tensors(path, {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()})


def interactions(
    voices: Mapping[str, Classifier], target: int, pairs: tuple[tuple[str, str], ...], count: int, seed: int
) -> dict[str, FloatArray]:
    """Intervene on pairs of factors exactly: the difference of differences.

    ``[ f(+,+) - f(+,-) - f(-,+) + f(-,-) ] / (2 s)^2`` for every cell, s = `STEP`, with the same noise.

    Parameters
    ----------
    voices : mapping of str to Classifier
        The classifiers.
    target : int
        Index of the class.
    pairs : tuple of (str, str)
        Names of factors.
    count : int
        Cells.
    seed : int
        Of the cells.

    Returns
    -------
    dict of str to ndarray of shape (n, pairs)
        Logits per product of standard deviations, by classifier.
    """
    cells = PlantedCells()
    factors = cells.sample_factors(count, seed)
    seeds = seed * 1_000_000 + np.arange(count)
    found = {name: np.zeros((count, len(pairs))) for name in voices}
    for column, (a, b) in enumerate(pairs):
        for first in (1, -1):
            for second in (1, -1):
                moved = factors.copy()
                moved[:, factor_index(a)] += first * STEP
                moved[:, factor_index(b)] += second * STEP
                x = cells.render(moved, seeds)
                for name, voice in voices.items():
                    margins = margin_of(logits_of(voice, x, (0.0, 1.0)), target)
                    found[name][:, column] += first * second * margins / (2 * STEP) ** 2
    return found
