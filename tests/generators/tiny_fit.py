"""Tiny generators of real parts; as a process of its own: ``tiny_fit.py FOLDER KILL_AT``."""

import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from diffex.classifiers import Classifier
from diffex.generators import GeneratorConfig, PixelTransform, fitting
from diffex.generators.autoencoder import DiffusionAutoencoder, ImageForm
from diffex.images import images_from_arrays

CPU = torch.device("cpu")
RANGE = (0.0, 255.0)


def config(**more):
    sizes = {"latents": 8, "widths": (16, 16), "steps": 6, "batch_size": 6, "depth": 4}
    return GeneratorConfig(**sizes | more)


def pixels_of(channels=2):
    """The contrast of dim images, without looking at any."""
    ones = (1.0,) * channels
    return PixelTransform((5.0,) * channels, (205.0,) * channels, (0.5,) * channels, ones, RANGE)


def model_of(channels=2, size=(32, 32), **more):
    form = ImageForm(tuple(f"ch{i}" for i in range(channels)), size, classes=2)
    return DiffusionAutoencoder(config(**more), form, pixels_of(channels)).eval()


def discs(count=24, size=32, channels=2):
    """Discs on noise, larger in the second class."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    y, x = np.mgrid[:size, :size] - size / 2
    radii = (4 + 4 * labels + rng.uniform(-1, 1, count))[:, None, None]
    masks = np.hypot(y, x)[None] < radii
    images = 20 + 150 * masks[:, None] + rng.normal(0, 5, (count, channels, size, size))
    return images_from_arrays(
        images.clip(0, 255).astype(np.float32),
        value_range=RANGE,
        labels=labels,
        class_names=("small", "large"),
        masks=masks,
    )


def classifier_of(channels=2):
    """A net with batch norm whose statistics are unlike a fresh one's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(channels, 4, 3, stride=2),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, stride=2),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 2),
        )
        with torch.no_grad():
            net[6].weight.mul_(5)
            net(2 * torch.randn(16, channels, 32, 32))
    return Classifier.wrap(net, class_names=["small", "large"], size=32, value_range=RANGE, mean=60, std=60)


class KillingSource:
    """Pixels that end the process at a certain reading."""

    def __init__(self, source, at):
        self.source, self.left = source, at
        self.fingerprint, self.read_mask = source.fingerprint, source.read_mask

    def read(self, index):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return self.source.read(index)


def fit(folder, images, **more):
    return fitting.fit_generator(images, classifier_of(), config(**more), folder, device=CPU)


def main(folder, at):
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    fitting.TrainConfig = partial(fitting.TrainConfig, checkpoint_s=0.0)
    images = discs()
    model = fit(folder, replace(images, source=KillingSource(images.source, at)))
    (folder / f"rank-{os.environ.get('RANK', '0')}.txt").write_text(model.state_hash())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
