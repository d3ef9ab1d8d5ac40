"""A network that reads the twelve planted factors, and classifiers that are rules over what it reads."""

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.files import load_tensors, save_tensors
from diffex.classifiers import Classifier, ClassifierCard
from diffex.classifiers.blackbox import SmallConvNet, standardise
from diffex.classifiers.fitting import card_of
from diffex.evaluation.bench import Bench
from diffex.images import PlantedCells, images_from_arrays
from diffex.images.planted import CLASS_NAMES
from diffex.images.planted_factors import CHANNEL_NAMES, FACTORS
from diffex.training import TrainConfig, train

_CELLS, _STEPS, _BATCH = 8000, 1200, 64


@final
class _FactorTask(nn.Module):
    """Regress the twelve factors."""

    def __init__(self, network: nn.Module, card: ClassifierCard) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, step: int, generator: torch.Generator, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        read = self.network(standardise(x, self.card, (0.0, 1.0))).float()
        return {"loss": functional.smooth_l1_loss(read, y)}


@final
class FactorNetwork(nn.Module):
    """Read factors off standardised pixels, ``(n, 3, h, w)`` to ``(n, 12)``."""

    def __init__(self) -> None:
        super().__init__()
        self.network = SmallConvNet(len(CHANNEL_NAMES), len(FACTORS))

    def forward(self, x: Tensor) -> Tensor:
        """Factors in standard deviations."""
        read: Tensor = self.network(x)
        return read


@final
class _RuleNetwork(nn.Module):
    """Two logits from the factors that a network reads: 0, and a weighted sum."""

    def __init__(self, reader: FactorNetwork, weights: Tensor, bend: float) -> None:
        super().__init__()
        self.reader, self.bend = reader, bend
        self.register_buffer("weights", weights)

    def forward(self, x: Tensor) -> Tensor:
        score = self.reader(x) @ self.get_buffer("weights")
        score = score + self.bend * score.tanh()
        return torch.stack([torch.zeros_like(score), score], dim=1)


def fit_reader(bench: Bench) -> tuple[FactorNetwork, ClassifierCard]:
    """Train the network of factors, or open it from the bench's stages.

    Parameters
    ----------
    bench : Bench
        Where stages are kept.

    Returns
    -------
    (FactorNetwork, ClassifierCard)
        Frozen; the card says how pixels come in.
    """
    count, steps = bench.size(_CELLS, 400), bench.size(_STEPS, 60)
    stage = bench.stage("factor-reader", [count, steps, _BATCH, bench.seed])
    cells = PlantedCells()
    factors = cells.sample_factors(count, 500 + bench.seed)
    reader = FactorNetwork()
    kept = stage / "reader.safetensors"
    first = images_from_arrays(cells.render(factors[:256], list(range(256))), channel_names=CHANNEL_NAMES)
    card = card_of(first, CLASS_NAMES)
    if not kept.is_file():
        images = images_from_arrays(cells.render(factors, list(range(count))), channel_names=CHANNEL_NAMES)
        goal = torch.from_numpy(factors.astype(np.float32))
        torch.manual_seed(bench.seed)
        reader = FactorNetwork()
        train(
            _FactorTask(reader, card),
            lambda rows, g: {"x": images.read(rows), "y": goal[torch.from_numpy(rows)]},
            count,
            TrainConfig(steps=steps, batch_size=_BATCH, lr=2e-3, ema=0.995, seed=bench.seed),
            stage / "training",
            device=torch.device("cpu"),
            what="factor reader",
        )
        save_tensors(kept, reader.state_dict())
    reader.load_state_dict(load_tensors(kept))
    return reader.eval().requires_grad_(False), card


def rule_classifier(
    reader: FactorNetwork, card: ClassifierCard, weights: NDArray[np.float64], bend: float = 0.0
) -> Classifier:
    """Make a classifier of pixels from a rule over the factors that a network reads.

    Parameters
    ----------
    reader : FactorNetwork
        Reads the factors.
    card : ClassifierCard
        How pixels come in; classes are ``control`` and ``treated``.
    weights : ndarray, shape (12,)
        Logit of ``treated`` per standard deviation of each factor.
    bend : float, default 0
        Adds this times the tanh of the sum: a rule that is steeper in the middle.

    Returns
    -------
    Classifier
        Differentiable.
    """
    network = _RuleNetwork(reader, torch.from_numpy(weights.astype(np.float32)), bend)
    return Classifier(network, card, differentiable=True, address="rule over factors")
