"""A tiny but real model of planted cells, made in seconds; its gates fail."""

import numpy as np
import torch

from diffex.explainers.config import AttributeConfig
from diffex.generators import GeneratorConfig
from diffex.generators.autoencoder import DiffusionAutoencoder
from diffex.generators.making import FitRequest, fit_model
from diffex.generators.model import open_model
from diffex.images import PlantedCells, images_from_arrays
from diffex.images.planted_labels import LinearRule

CPU = torch.device("cpu")
RULE = LinearRule({"cytoplasm_intensity": 1.0})
GENERATOR = GeneratorConfig(latents=8, widths=(16, 16, 16), steps=30, batch_size=16, depth=2)
BLACK_BOX_STEPS = 60


def cells(count=96, seed=1, **more):
    """Cells of 32 px in grey values 0 to 255, held in memory."""
    drawn = PlantedCells(32).images(count, seed, rule=RULE)
    fields = {
        "value_range": (0.0, 255.0),
        "labels": drawn.labels,
        "class_names": drawn.class_names,
        "channel_names": drawn.channel_names,
        "ids": drawn.ids,
        "groups": drawn.groups,
        "masks": np.asarray(drawn.read_masks()),
        "table": drawn.table,
        "pixel_size_um": drawn.pixel_size_um,
    }
    return images_from_arrays(255 * drawn.read().numpy(), **fields | more)


def fit(images, folder, classifier=None):
    """Fit for a few steps, then shake the decoder, which so early takes no notice of the code."""
    request = FitRequest(images, GENERATOR, classifier, black_box_steps=BLACK_BOX_STEPS)
    fit_model(request, folder, CPU)
    generator = DiffusionAutoencoder.load(folder, CPU)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for parameter in generator.decoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    generator.save(folder)
    return open_model(folder, CPU, classifier)


def config(**more):
    """Of an explanation that takes about a second."""
    fields = {
        "target": "treated", "images": 48, "concepts": 24, "top": 1, "strengths": (0.5, 1.0), "verify_depth": 1,
        "verify_images": 16, "shown": 2, "force": True,
    }  # fmt: skip
    return AttributeConfig(**fields | more)
