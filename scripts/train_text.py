"""Train the text-to-image model that diffex ships, on captioned planted cells and scenes.

Run as ``python scripts/train_text.py WORK``; a killed run goes on. Fixed seeds; no real data.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffex.base.devices import resolve_device
from diffex.base.noise import derive_seed
from diffex.generators.text.config import TextConfig
from diffex.generators.text.fitting import fit_text_model
from diffex.images import PlantedCells, images_from_arrays
from diffex.images.planted_captions import cell_phrases, scene_phrases
from diffex.images.planted_factors import CHANNEL_NAMES
from diffex.images.planted_scenes import PlantedScenes

SEED = 2026
CELLS, SCENES = 14_000, 5_000
SHIPPED = Path(__file__).parents[1] / "src" / "diffex" / "shipped" / "text"


def captioned(kept: Path) -> tuple[Tensor, list[tuple[str, ...]]]:
    """Render cells and scenes once, and say what is true of each."""
    cells, scenes = PlantedCells(), PlantedScenes()
    factors, fields = cells.sample_factors(CELLS, SEED), scenes.sample_factors(SCENES, SEED)
    said = cell_phrases(factors) + scene_phrases(fields)
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        first = [derive_seed("text cell", SEED, i) for i in range(CELLS)]
        second = [derive_seed("text scene", SEED, i) for i in range(SCENES)]
        pixels = torch.cat([cells.render(factors, first), scenes.render(fields, second)])
        np.save(kept, (pixels * 255).round().byte().numpy())
    return torch.from_numpy(np.load(kept)).float() / 255, said


def main() -> None:
    """Train, then write the shipped folder in bf16."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pixels, said = captioned(chosen.work / "pixels.npy")
    images = images_from_arrays(pixels, channel_names=CHANNEL_NAMES)
    config = TextConfig(seed=SEED)
    device = resolve_device(chosen.device)
    model = fit_text_model(images, said, config, chosen.work, device=device)
    model.to(torch.device("cpu")).save(SHIPPED, torch.bfloat16)


if __name__ == "__main__":
    main()
