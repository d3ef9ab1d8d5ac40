"""Train the weights that diffex ships: a generator of planted cells and four classifiers of them.

Run as ``python scripts/train_shipped.py WORK``; a killed run goes on. Fixed seeds; no real data.
"""

import argparse
import logging
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.devices import resolve_device
from diffex.base.files import load_tensors, save_tensors
from diffex.base.hashing import hash_tensors, hash_value
from diffex.classifiers import Classifier, ClassifierCard
from diffex.classifiers.blackbox import SmallConvNet, load_black_box, standardise
from diffex.classifiers.feature_maps import record_feature_maps
from diffex.classifiers.fitting import card_of, fit_black_box
from diffex.evaluation.demo import SHIPPED_RULES
from diffex.generators import DiffusionAutoencoder, GeneratorConfig, fit_generator, measure_gates
from diffex.generators.fitting import Guiding
from diffex.generators.model import mean_codes, write_model
from diffex.images import Images, PlantedCells, images_from_arrays
from diffex.images.planted_factors import CHANNEL_NAMES, FACTORS
from diffex.images.planted_labels import LabelRule
from diffex.training import TrainConfig, train

SEED = 2025
LOGIT = 0.08  # of 16 margins at once: a strong pull is answered by texture that only one step renders
SHIPPED = Path(__file__).parents[1] / "src" / "diffex" / "shipped"


class FactorTask(nn.Module):
    """Regress the simulator's twelve factors, so that the generator's losses care for all of them."""

    def __init__(self, network: nn.Module, card: ClassifierCard) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, step: int, generator: torch.Generator, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Smooth error of the factors."""
        predicted = self.network(standardise(x, self.card, (0.0, 1.0))).float()
        return {"loss": functional.smooth_l1_loss(predicted, y)}


class Factors:
    """Guide by the network of factors: each is a margin of its own."""

    outputs = len(FACTORS)

    def __init__(self, network: nn.Module, card: ClassifierCard) -> None:
        self.network, self.card = network.eval().requires_grad_(False), card

    def state_hash(self) -> str:
        """Hash of the network."""
        return hash_tensors(self.network.state_dict())

    def to(self, device: torch.device) -> "Factors":
        """Move the network."""
        self.network.to(device)
        return self

    def margins_and_features(
        self, x: Tensor, value_range: tuple[float, float]
    ) -> tuple[Tensor, list[Tensor]]:
        """Factors ``(n, 12)`` and feature maps."""
        seen: list[Tensor] = []
        ready = standardise(x, self.card, value_range)
        maps = record_feature_maps(lambda v: seen.append(self.network(v)), ready, 4)
        return seen[0].float(), maps


class Chorus:
    """Guide by classifiers and factors at once: their margins side by side, and all their feature maps."""

    def __init__(self, members: list[Classifier], factors: Factors) -> None:
        self.members, self.factors = members, factors
        self.parts: list[Guiding] = [*members, factors]

    @property
    def outputs(self) -> int:
        """A margin per classifier, and the factors."""
        return len(self.members) + self.factors.outputs

    def state_hash(self) -> str:
        """Hash of all."""
        return hash_value([part.state_hash() for part in self.parts])

    def to(self, device: torch.device) -> "Chorus":
        """Move everything."""
        for part in self.parts:
            part.to(device)
        return self

    def margins_and_features(
        self, x: Tensor, value_range: tuple[float, float]
    ) -> tuple[Tensor, list[Tensor]]:
        """Margins of class 1 of each classifier, then the factors, ``(n, m + 12)``, and all feature maps."""
        heard = [part.margins_and_features(x, value_range) for part in self.members]
        factors, maps = self.factors.margins_and_features(x, value_range)
        margins = [found[:, 1:] for found, _ in heard]
        return torch.cat([*margins, factors], dim=1), [m for _, found in heard for m in found] + maps


def rendered(factors: NDArray[np.float64], seed: int) -> Images:
    """Simulate cells once and keep them in memory."""
    cells, count = PlantedCells(), len(factors)
    seeds = np.arange(count) + 1_000_000 * seed
    parts = [cells.render(factors[i : i + 500], seeds[i : i + 500]) for i in range(0, count, 500)]
    return images_from_arrays(torch.cat(parts), channel_names=CHANNEL_NAMES)


def factor_guide(folder: Path, images: Images, factors: NDArray[np.float64], device: torch.device) -> Factors:
    """Fit the network of factors, or open it."""
    card = card_of(images, FACTORS)
    goal = torch.from_numpy(factors.astype(np.float32))
    torch.manual_seed(SEED)
    network = SmallConvNet(images.channels, len(FACTORS))
    if not (folder / "guide.safetensors").exists():
        train(
            FactorTask(network, card),
            lambda rows, g: {"x": images.read(rows), "y": goal[torch.from_numpy(rows)]},
            len(images),
            TrainConfig(steps=900, batch_size=64, lr=2e-3, ema=0.995, seed=SEED),
            folder / "guide",
            device=device,
            what="factor guide",
        )
        save_tensors(folder / "guide.safetensors", dict(network.state_dict()))
    network.load_state_dict(load_tensors(folder / "guide.safetensors"))
    return Factors(network.cpu(), card)


def classifier_images(rule: LabelRule, seed: int, count: int = 4000) -> Images:
    """Cells labelled by a rule, streamed from the simulator."""
    return PlantedCells().images(count, seed, rule=rule)


def main() -> None:
    """Train what is missing, then copy everything into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--cells", type=int, default=16000)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    device = resolve_device(options.device)
    factors = PlantedCells().sample_factors(options.cells, SEED)
    images = rendered(factors, SEED)
    guide = factor_guide(options.work, images, factors, device)
    classifiers = []
    for name, rule in SHIPPED_RULES.items():
        folder = options.work / "classifiers" / name
        if not (folder / "config.json").exists():
            fit_black_box(classifier_images(rule, SEED), folder, seed=SEED, device=device)
        classifiers.append(load_black_box(folder))
    if not (options.work / "generator.safetensors").exists():
        config = GeneratorConfig(
            steps=options.steps, seed=SEED, logit=LOGIT, guided_share=0.4, at_noise=0.3, mean=3.0
        )
        chorus = Chorus(classifiers, guide)
        fit_generator(images, chorus, config, options.work / "generator", device=device).save(options.work)
    ship(options.work)


def ship(work: Path) -> None:
    """Copy weights into the package, half precision, with the gates of every classifier."""
    SHIPPED.mkdir(parents=True, exist_ok=True)
    for file in ("generator.json", "generator.safetensors"):
        shutil.copy(work / file, SHIPPED / file)
    generator = DiffusionAutoencoder.load(SHIPPED, torch.device("cpu"))
    for name, rule in SHIPPED_RULES.items():
        target = SHIPPED / name
        shutil.rmtree(target, ignore_errors=True)
        (target / "classifier").mkdir(parents=True)
        shutil.copy(work / "classifiers" / name / "config.json", target / "classifier")
        tensors = load_tensors(work / "classifiers" / name / "model.safetensors")
        halved = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
        save_tensors(target / "classifier" / "model.safetensors", halved)
        classifier = load_black_box(target / "classifier")
        gates = measure_gates(generator, classifier, classifier_images(rule, SEED + 1, 256))
        for gate in gates:
            logging.info("%s: %s", name, gate)
        codes = mean_codes(generator, classifier, classifier_images(rule, SEED, 1000))
        write_model(target, classifier, gates, codes, {"black_box": None, "generator": ".."})


if __name__ == "__main__":
    main()
