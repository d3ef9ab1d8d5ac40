"""Train the text-to-image model that diffex ships, on captioned planted cells and scenes.

First on images one by one, then on pairs that differ in one factor, each from itself, at last each from the
other. Run as ``python scripts/train_text.py WORK``; a killed run goes on. Fixed seeds; no real data.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.devices import resolve_device
from diffex.base.noise import derive_seed
from diffex.generators.text.config import TextConfig
from diffex.generators.text.fitting import fit_text_model
from diffex.generators.text.model import TextModel, open_text_model
from diffex.images import PlantedCells, images_from_arrays
from diffex.images.planted_captions import cell_phrases, scene_phrases
from diffex.images.planted_factors import CHANNEL_NAMES
from diffex.images.planted_scenes import PlantedScenes

SEED = 2026
CELLS, SCENES = 14_000, 5_000
CELL_PAIRS, SCENE_PAIRS = 18_000, (1_800, 6_000)
CLEAR = 0.7, 2.0  # standard deviations to either side
SECOND = TextConfig(seed=SEED, steps=5_500, batch_size=32, lr=5e-4)
THIRD = TextConfig(seed=SEED, steps=6_000, batch_size=48, lr=5e-4, counterfactual=True)
SHIPPED = Path(__file__).parents[1] / "src" / "diffex" / "shipped" / "text"


Said = list[tuple[str, ...]]


def captioned(kept: Path) -> tuple[Tensor, Said]:
    """Draw cells and scenes, and say what is true of each."""
    factors, fields = PlantedCells().sample_factors(CELLS, SEED), PlantedScenes().sample_factors(SCENES, SEED)
    cells = [derive_seed("text cell", SEED, i) for i in range(CELLS)]
    scenes = [derive_seed("text scene", SEED, i) for i in range(SCENES)]
    return _rendered(kept, factors, cells, fields, scenes), cell_phrases(factors) + scene_phrases(fields)


def twins(kept: Path, scenes: int, seed: int) -> tuple[Tensor, Said, NDArray[np.int64]]:
    """Draw cells and scenes twice, with one factor high and low; give the positions of each pair."""
    cells, cell_seeds = _both_ways(PlantedCells().sample_factors(CELL_PAIRS, seed), "text cell pair")
    fields, field_seeds = _both_ways(PlantedScenes().sample_factors(scenes, seed), "text scene pair")
    pixels = _rendered(kept, cells, cell_seeds, fields, field_seeds)
    pairs = np.arange(len(pixels)).reshape(-1, 2)
    return pixels, cell_phrases(cells) + scene_phrases(fields), pairs


def _both_ways(factors: NDArray[np.float64], what: str) -> tuple[NDArray[np.float64], list[int]]:
    """Repeat every row with one factor, in turn, set high and low; twins have one seed."""
    rng = np.random.default_rng(derive_seed(what, SEED))
    twice, size = np.repeat(factors, 2, axis=0), rng.uniform(*CLEAR, len(factors))
    column = np.arange(len(factors)) % factors.shape[1]
    twice[::2][np.arange(len(factors)), column] = size
    twice[1::2][np.arange(len(factors)), column] = -size
    return twice, [derive_seed(what, SEED, i // 2) for i in range(len(twice))]


def _rendered(
    kept: Path,
    factors: NDArray[np.float64],
    cells: Sequence[int],
    fields: NDArray[np.float64],
    scenes: Sequence[int],
) -> Tensor:
    """Render once."""
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        drawn = [PlantedCells().render(factors, cells), PlantedScenes().render(fields, scenes)]
        np.save(kept, (torch.cat(drawn) * 255).round().byte().numpy())
    return torch.from_numpy(np.load(kept)).float() / 255


def in_pairs(turn: int, work: Path, start: Path, config: TextConfig, device: torch.device) -> TextModel:
    """Train a model further on pairs, for the first or the second time."""
    pixels, said, pairs = twins(work / f"twins-{turn}.npy", SCENE_PAIRS[turn - 1], SEED + turn)
    images = images_from_arrays(pixels, channel_names=CHANNEL_NAMES)
    model = open_text_model(str(start), device)
    training = work / f"in-pairs-{turn}"
    model = fit_text_model(images, said, config, training, device=device, start=model, pairs=pairs)
    return model.to(torch.device("cpu"))


def main() -> None:
    """Train, then write the shipped folder in bf16."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    work, device = chosen.work, resolve_device(chosen.device)
    first, second = work / "first", work / "second"
    if not first.is_dir():
        pixels, said = captioned(work / "pixels.npy")
        images = images_from_arrays(pixels, channel_names=CHANNEL_NAMES)
        model = fit_text_model(images, said, TextConfig(seed=SEED), work / "one-by-one", device=device)
        model.to(torch.device("cpu")).save(first, torch.bfloat16)
    if not second.is_dir():
        in_pairs(1, work, first, SECOND, device).save(second, torch.bfloat16)
    in_pairs(2, work, second, THIRD, device).save(SHIPPED, torch.bfloat16)


if __name__ == "__main__":
    main()
