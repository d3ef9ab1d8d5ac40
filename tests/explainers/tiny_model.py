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
GENERATOR = GeneratorConfig(latents=8, widths=(16, 16, 16), steps=4, batch_size=16, depth=2)
BLACK_BOX_STEPS, TAUGHT_STEPS = 60, 160


def cells(count=96, seed=5, **more):
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
    """Fit for a few steps, then teach the one-step renderer a little more, without the average of weights."""
    request = FitRequest(images, GENERATOR, classifier, black_box_steps=BLACK_BOX_STEPS)
    fit_model(request, folder, CPU)
    generator = DiffusionAutoencoder.load(folder, CPU)
    teach(generator, images.read())
    generator.save(folder)
    return open_model(folder, CPU, classifier)


def teach(generator, x):
    """Render images back from their codes in one step, whatever the noise."""
    g = torch.Generator().manual_seed(0)
    size = generator.latents
    with torch.no_grad():
        head, codes = generator.encoder.head, generator.encode(x)
        head.weight[:size] /= codes.std(0).view(-1, 1)  # codes begin small, and would be overlooked
        head.bias[:size] = (head.bias[:size] - codes.mean(0)) / codes.std(0)
    codes = generator.encode(x)
    weights = [p.requires_grad_(True) for p in generator.decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=2e-3)
    goal = generator.pixels.to_model(x)
    with torch.enable_grad():
        for _ in range(TAUGHT_STEPS):
            rows = torch.randint(len(x), (16,), generator=g)
            noise = torch.randn(16, *generator.image_shape, generator=g)
            network = generator.bound(codes[rows])
            raw, _ = generator.path.evaluate(network, noise, torch.ones(16))
            optimizer.zero_grad()
            (raw - goal[rows]).square().mean().backward()
            optimizer.step()
    generator.code_mean.copy_(codes.mean(0))
    generator.code_cov.copy_(codes.T.cov())


def config(**more):
    """Of an explanation that takes about a second."""
    fields = {
        "target": "treated", "images": 48, "concepts": 24, "top": 1, "strengths": (0.5, 1.0),
        "verify_depth": 1, "verify_images": 16, "shown": 2, "force": True,
    }  # fmt: skip
    return AttributeConfig(**fields | more)
