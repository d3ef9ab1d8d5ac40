"""Train the generator around a classifier."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.positions import evenly
from diffex.generators.autoencoder import DiffusionAutoencoder, ImageForm
from diffex.generators.config import GeneratorConfig
from diffex.generators.losses import AutoencoderTask, Guide, LogitScale
from diffex.generators.pixels import PixelTransform
from diffex.images import Images
from diffex.images.augment import augment
from diffex.training import TrainConfig, train

_CODES = 4096


class Guiding(Protocol):
    """What the losses ask: a differentiable classifier, its twin, or several at once."""

    @property
    def outputs(self) -> int:
        """Number of margins."""
        ...

    def to(self, device: torch.device) -> "Guiding":
        """Move it."""
        ...

    def margins_and_features(
        self, x: Tensor, value_range: tuple[float, float]
    ) -> tuple[Tensor, list[Tensor]]:
        """Margins of grey values, ``(n, k)``, and feature maps, in one pass."""
        ...

    def state_hash(self) -> str:
        """Hash of its weights."""
        ...


def fit_generator(
    images: Images,
    guide: Guiding | None,
    config: GeneratorConfig,
    folder: Path,
    *,
    device: torch.device,
    start: DiffusionAutoencoder | None = None,
) -> DiffusionAutoencoder:
    """Train a diffusion autoencoder on images, with a differentiable classifier in the losses.

    Parameters
    ----------
    images : Images
        The fitting images; labels are not used.
    guide : Guiding or None
        The classifier, or its differentiable twin; None trains a classifier-unaware generator.
    config : GeneratorConfig
        Network, path, losses and length.
    folder : Path
        Checkpoints; an unfinished training goes on.
    device : torch.device
        Where to train.
    start : DiffusionAutoencoder, optional
        Begin with these weights and pixel transform (adaptation to another classifier).

    Returns
    -------
    DiffusionAutoencoder
        In eval mode, with the code statistics of the fitting images.

    Raises
    ------
    FolderError
        If the folder holds an unfinished training of other images, classifier or configuration.
    """
    classes = guide.outputs if guide else 2
    form = ImageForm(images.channel_names, images.size, classes)
    model = DiffusionAutoencoder(config, form, start.pixels if start else PixelTransform.fit(images))
    if start is not None:
        model.load_state_dict(start.state_dict())
    scale = None if guide is None else logit_scale(guide, images)
    task = AutoencoderTask(model, None if guide is None else _looking(guide.to(device), images), scale)

    images.remember()

    def read(positions: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        return {"x": augment(images.read(positions), config.symmetry, generator)}

    length = TrainConfig(
        steps=config.steps,
        batch_size=config.batch_size,
        lr=config.lr,
        seed=config.seed,
        ema=_ema(config.steps),
    )
    origin = _origin(images, guide, config, start)
    train(task, read, len(images), length, folder, device=device, what="generator", settings=origin)
    model.requires_grad_(False)
    _set_code_statistics(model, images)
    return model


def _origin(
    images: Images, guide: Guiding | None, config: GeneratorConfig, start: DiffusionAutoencoder | None
) -> dict[str, Any]:
    """What a training must share with the checkpoint that it goes on from."""
    return {
        **config.model_dump(mode="json"),
        "pixels": images.fingerprint(),
        "classifier": None if guide is None else guide.state_hash(),
        "start": None if start is None else start.state_hash(),
    }


def _ema(steps: int) -> float:
    """Average over about the last fifteenth of the training."""
    return min(0.999, 1 - 15 / max(steps, 30))


def _looking(guide: Guiding, images: Images) -> Guide:
    return lambda x: guide.margins_and_features(x, images.value_range)


@torch.no_grad()
def logit_scale(guide: Guiding, images: Images) -> LogitScale:
    """Mean and spread of every class margin over up to 2,048 images.

    Parameters
    ----------
    guide : Guiding
        The classifier.
    images : Images
        The fitting images.

    Returns
    -------
    LogitScale
        ``(k,)`` each.
    """
    some = images.subset(evenly(len(images), 2048))
    seen = [guide.margins_and_features(x, images.value_range)[0].cpu() for _, x in some.batches(256)]
    rows = torch.cat(seen)
    return LogitScale(rows.mean(0), rows.std(0).clamp_min(1e-3))


@torch.no_grad()
def _set_code_statistics(model: DiffusionAutoencoder, images: Images) -> None:
    some = images.subset(evenly(len(images), _CODES))
    codes = torch.cat([model.encode(x) for _, x in some.batches(256)])
    model.code_mean.copy_(codes.mean(0))
    model.code_cov.copy_(torch.cov(codes.T))
