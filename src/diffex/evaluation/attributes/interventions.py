"""Exact interventions on planted cells: the truth about classifiers, and about what reads factors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

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
from diffex.images.planted_factors import FACTORS
from diffex.training import TrainConfig, train

STEP = 0.5
"""Half of an intervention, in standard deviations of the factor."""

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


def true_effects(
    voices: Mapping[str, Classifier], target: int, reader: Classifier, count: int, seed: int
) -> tuple[dict[str, FloatArray], FloatArray, FloatArray]:
    """Intervene on every factor exactly, with the same noise on both sides.

    ``tau_j = mean over cells of [ f(do(f_j + s)) - f(do(f_j - s)) ] / (2 s)``, s = `STEP`.

    Parameters
    ----------
    voices : mapping of str to Classifier
        The classifiers.
    target : int
        Index of the class.
    reader : Classifier
        Reads factors; its response is measured on the same pictures.
    count : int
        Cells.
    seed : int
        Of the cells, not used elsewhere.

    Returns
    -------
    (dict of str to ndarray of shape (12,), ndarray of shape (12, 12), ndarray of shape (12,))
        Effect of every factor on every classifier; response and R2 of the reader.
    """
    cells = PlantedCells()
    factors = cells.sample_factors(count, seed)
    seeds = seed * 1_000_000 + np.arange(count)
    truth = {name: np.zeros(len(FACTORS)) for name in voices}
    response = np.zeros((len(FACTORS), len(FACTORS)))
    for j, factor in enumerate(FACTORS):
        sides = [cells.render(cells.do(factors, factor, delta=way * STEP), seeds) for way in (1, -1)]
        for name, voice in voices.items():
            up, down = (margin_of(logits_of(voice, x, _RANGE), target) for x in sides)
            truth[name][j] = float((up - down).mean()) / (2 * STEP)
        read_up, read_down = (logits_of(reader, x, _RANGE) for x in sides)
        response[j] = (read_up - read_down).mean(axis=0) / (2 * STEP)
    return truth, response, r2_of(logits_of(reader, cells.render(factors, seeds), _RANGE), factors)


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
