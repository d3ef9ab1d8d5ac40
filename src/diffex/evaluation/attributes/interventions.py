"""Exact interventions on planted cells: the truth about classifiers, and about what reads factors."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.files import load_tensors, save_tensors
from diffex.classifiers import Classifier
from diffex.classifiers.blackbox import BlackBoxTask, SmallConvNet
from diffex.classifiers.fitting import card_of
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import margin_of
from diffex.evaluation.bench import FIT_ROOMS, Bench, code_hash
from diffex.evaluation.sets import factors_of
from diffex.generators import logits_of
from diffex.images import Images, PlantedCells
from diffex.images.augment import augment
from diffex.images.planted_factors import FACTORS, factor_index
from diffex.training import TrainConfig, train

STEP = 0.5
"""Half of an intervention, in standard deviations of the factor."""

Heard = Callable[[Tensor], FloatArray]
"""What a network says of images ``(n, c, h, w)``: ``(n, ...)``."""

_RANGE = (0.0, 1.0)


@final
@dataclass(frozen=True, eq=False)
class Oracle:
    """A network that reads the twelve factors off pixels, corrected by interventions.

    Parameters
    ----------
    reader : Classifier
        Its "logits" are factors.
    response : ndarray, shape (12, 12)
        Row j: what it reads, per standard deviation, when factor j alone is changed.
    r2 : ndarray, shape (12,)
        On cells it was not fitted to.
    """

    reader: Classifier
    response: FloatArray
    r2: FloatArray

    def corrected(self, changes: FloatArray) -> FloatArray:
        """Turn changes of what is read, ``(..., 12)``, into changes of the factors."""
        return np.asarray(changes @ np.linalg.pinv(self.response, rcond=0.05))


def fit_reader(bench: Bench, cells: Images, steps: int) -> Classifier:
    """Fit the network that reads factors, or open it.

    Parameters
    ----------
    bench : Bench
        Seed, stages, device.
    cells : Images
        Simulated, with their factors.
    steps : int
        Of 64 cells.

    Returns
    -------
    Classifier
        Twelve outputs, in standard deviations.
    """
    folder = bench.stage("reader", [cells.fingerprint(), steps, bench.seed, code_hash(FIT_ROOMS)])
    card = card_of(cells, FACTORS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(bench.seed)
        network = SmallConvNet(cells.channels, len(FACTORS))
    weights = folder / "reader.safetensors"
    if not weights.exists():
        task = BlackBoxTask(network, card, _RANGE, torch.ones(len(FACTORS)))
        _train(network, cells, task, steps, folder, bench)
        save_tensors(weights, dict(network.state_dict()))
    network.load_state_dict(load_tensors(weights))
    return Classifier(network.to(bench.device), card, differentiable=True, address="factors")


def _train(
    network: SmallConvNet, cells: Images, task: BlackBoxTask, steps: int, folder: Path, bench: Bench
) -> None:
    goal = torch.from_numpy(factors_of(cells).astype(np.float32))
    config = TrainConfig(
        steps=steps, batch_size=64, lr=2e-3, warmup=50, ema=1 - 15 / max(steps, 30), seed=bench.seed
    )
    train(
        task,
        lambda rows, g: {
            "x": augment(cells.read(rows), "dihedral", g),
            "y": goal[torch.from_numpy(rows)],
        },
        len(cells),
        config,
        folder / "training",
        device=bench.device,
        what="oracle of factors",
        settings={"pixels": cells.fingerprint()},
    )
    network.cpu()


@final
@dataclass(frozen=True, eq=False)
class Interventions:
    """What exact interventions do, cell by cell, per standard deviation of the factor.

    Parameters
    ----------
    margins : dict of str to ndarray of shape (n, 12)
        Change of the target's margin, by classifier.
    reads : ndarray, shape (n, 12, outputs)
        Change of what the reader sees, by factor changed.
    """

    margins: dict[str, FloatArray]
    reads: FloatArray

    def effects(self, name: str) -> FloatArray:
        """Give the true effect of every factor on a classifier, ``(12,)``."""
        return np.asarray(self.margins[name].mean(axis=0))

    def errors(self, name: str) -> FloatArray:
        """Give the standard error of `effects`, ``(12,)``: the cells are a sample."""
        values = self.margins[name]
        return np.asarray(values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def intervene(
    voices: Mapping[str, Classifier], target: int, reader: Classifier, count: int, seed: int
) -> Interventions:
    """Intervene on every factor exactly, with the same noise on both sides.

    ``[ f(do(f_j + s)) - f(do(f_j - s)) ] / (2 s)`` for every cell, s = `STEP`.

    Parameters
    ----------
    voices : mapping of str to Classifier
        The classifiers.
    target : int
        Index of the class.
    reader : Classifier
        Of any outputs; their response is measured on the same pictures.
    count : int
        Cells.
    seed : int
        Of the cells, not used elsewhere.

    Returns
    -------
    Interventions
        Cell by cell.
    """
    heard = {name: margins_by(voice, target) for name, voice in voices.items()}
    heard["reads"] = outputs_by(reader)
    parts = [differences(heard, (factor,), count, seed) for factor in FACTORS]
    found = {name: np.stack([part[name] for part in parts], axis=1) for name in heard}
    return Interventions({name: found[name] for name in voices}, found["reads"])


def differences(
    heard: Mapping[str, Heard], names: tuple[str, ...], count: int, seed: int
) -> dict[str, FloatArray]:
    """Change one factor, or several together, exactly and with the same noise.

    The difference of what is heard between s = `STEP` above and s below, over ``2 s``; for two factors the
    difference of differences, ``[ f(+,+) - f(+,-) - f(-,+) + f(-,-) ] / (2 s)^2``.

    Parameters
    ----------
    heard : mapping of str to callable
        What to ask of images ``(n, c, h, w)``.
    names : tuple of str
        The factors.
    count : int
        Cells.
    seed : int
        Of the cells.

    Returns
    -------
    dict of str to ndarray of shape (n, ...)
        Per standard deviation of each factor.
    """
    cells = PlantedCells()
    factors = cells.sample_factors(count, seed)
    seeds = seed * 1_000_000 + np.arange(count)
    found: dict[str, FloatArray] = {}
    for signs in product((1, -1), repeat=len(names)):
        moved = factors.copy()
        for name, sign in zip(names, signs, strict=True):
            moved[:, factor_index(name)] += sign * STEP
        x = cells.render(moved, seeds)
        for name, ask in heard.items():
            found[name] = found.get(name, 0.0) + math.prod(signs) * ask(x) / (2 * STEP) ** len(names)
    return found


def margins_by(voice: Classifier, target: int) -> Heard:
    """Hear the margin of a class.

    Parameters
    ----------
    voice : Classifier
        The network.
    target : int
        Index of the class.

    Returns
    -------
    callable
        Gives ``(n,)``.
    """
    return lambda x: np.asarray(margin_of(logits_of(voice, x, _RANGE), target))


def outputs_by(reader: Classifier) -> Heard:
    """Hear all outputs.

    Parameters
    ----------
    reader : Classifier
        The network.

    Returns
    -------
    callable
        Gives ``(n, outputs)``.
    """
    return lambda x: logits_of(reader, x, _RANGE)


def reader_r2(reader: Classifier, count: int, seed: int) -> FloatArray:
    """Measure how well factors are read off the cells that `intervene` starts from.

    Parameters
    ----------
    reader : Classifier
        Reads the twelve factors.
    count : int
        Cells.
    seed : int
        Of the cells.

    Returns
    -------
    ndarray, shape (12,)
        R2 of each factor.
    """
    cells = PlantedCells()
    factors = cells.sample_factors(count, seed)
    x = cells.render(factors, seed * 1_000_000 + np.arange(count))
    return r2_of(logits_of(reader, x, _RANGE), factors)


def true_effects(
    voices: Mapping[str, Classifier], target: int, reader: Classifier, count: int, seed: int
) -> tuple[dict[str, FloatArray], FloatArray, FloatArray]:
    """Average what `intervene` finds over the cells.

    Parameters
    ----------
    voices : mapping of str to Classifier
        The classifiers.
    target : int
        Index of the class.
    reader : Classifier
        Reads factors.
    count : int
        Cells.
    seed : int
        Of the cells, not used elsewhere.

    Returns
    -------
    (dict of str to ndarray of shape (12,), ndarray of shape (12, 12), ndarray of shape (12,))
        Effect of every factor on every classifier; response and R2 of the reader.
    """
    found = intervene(voices, target, reader, count, seed)
    truth = {name: found.effects(name) for name in voices}
    return truth, found.reads.mean(axis=0), reader_r2(reader, count, seed)


def r2_of(read: NDArray[np.float64], factors: NDArray[np.float64]) -> FloatArray:
    """Share of each factor's variance that is read.

    Parameters
    ----------
    read, factors : ndarray, shape (n, J)
        What is read, and what is true.

    Returns
    -------
    ndarray, shape (J,)
        1 at best.
    """
    return np.asarray(1 - ((read - factors) ** 2).mean(axis=0) / factors.var(axis=0))
