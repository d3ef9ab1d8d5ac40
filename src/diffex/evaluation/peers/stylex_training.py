"""Train a small StylEx for several classifiers at once, as ours serves several."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.noise import derive_seed
from diffex.classifiers import Classifier
from diffex.evaluation.peers.stylex import Critic, Stylex
from diffex.generators import PixelTransform
from diffex.generators.losses import LogitScale
from diffex.images import Images
from diffex.training import TrainConfig, train

_WEIGHTS, _RECORD = "stylex.safetensors", "training.json"
_READ = 256  # images read or classified at once
_MOST_TOLD = 3.0  # standard deviations of a margin


@final
@dataclass(frozen=True)
class StylexConfig:
    """How a StylEx is trained.

    Parameters
    ----------
    steps, batch_size : int
        Optimiser steps, and images of each.
    lr : float
        Peak learning rate.
    seed : int
        Of weights, batches and noise.
    reconstruction, features, divergence, adversarial : float
        Weights of the squared error of pixels and of the classifiers' feature maps (as shares of their
        variance), of the classifiers' Kullback-Leibler divergence, and of the critic.
    penalty : float
        R1's gamma: half of it times the critic's squared gradient on real images.
    asked : int
        Classifiers drawn for each step, each given `guided` images.
    guided, penalised : int
        Images that a classifier, and the penalty, see of each batch.
    """

    steps: int
    batch_size: int = 32
    lr: float = 1.5e-3
    seed: int = 0
    reconstruction: float = 4.0
    features: float = 0.3
    divergence: float = 0.5
    adversarial: float = 0.03
    penalty: float = 1.0
    asked: int = 2
    guided: int = 8
    penalised: int = 8


@final
class StylexTask(nn.Module):
    """One step of generator, encoder and critic together; the critic's weights stand still for the first two.

    Parameters
    ----------
    model : Stylex
        Encoder and generator.
    critic : Critic
        Discriminator.
    classifiers : sequence of Classifier
        Explained; differentiable.
    value_range : (float, float)
        Of the pixels.
    config : StylexConfig
        Weights of the losses.
    """

    def __init__(
        self,
        model: Stylex,
        critic: Critic,
        classifiers: Sequence[Classifier],
        value_range: tuple[float, float],
        config: StylexConfig,
    ) -> None:
        super().__init__()
        self.model, self.critic = model, critic
        self._classifiers, self._range, self._config = tuple(classifiers), value_range, config

    def forward(self, step: int, generator: torch.Generator, x: Tensor, told: Tensor) -> dict[str, Tensor]:
        """Compute the losses of grey values ``(n, c, h, w)`` and standardised margins ``(n, m)``.

        Parameters
        ----------
        step : int
            Not used.
        generator : torch.Generator
            Of the noise and of the classifiers drawn.
        x : Tensor
            Images.
        told : Tensor
            What all classifiers say of them.

        Returns
        -------
        dict of str to Tensor
            ``loss`` and its unweighted parts.
        """
        model, config = self.model, self._config
        image = model.pixel_transform.to_model(x)
        w = model.encode(x, told)
        shown = model.generator(w, model.styles(w), generator)
        still = {name: value.detach() for name, value in self.critic.named_parameters()}
        judged = functional_call(self.critic, still, (shown,))
        heard = self._heard(x, shown, generator)
        parts = {
            "reconstruction": (shown - image).square().mean() / image.var(dim=(0, 2, 3)).mean(),
            **heard,
            "adversarial": functional.softplus(-judged).mean(),
            "critic": self._critic_loss(image, shown.detach()),
            "penalty": self._penalty(image[: config.penalised]),
        }
        weighed = ("reconstruction", "features", "divergence", "adversarial")
        total = parts["critic"] + 0.5 * config.penalty * parts["penalty"]
        return {"loss": total + sum(getattr(config, name) * parts[name] for name in weighed), **parts}

    def _critic_loss(self, real: Tensor, shown: Tensor) -> Tensor:
        """The non-saturating loss of Goodfellow et al. 2014."""
        return functional.softplus(-self.critic(real)).mean() + functional.softplus(self.critic(shown)).mean()

    def _penalty(self, real: Tensor) -> Tensor:
        """R1 of Mescheder et al. 2018, in fp32: it is differentiated twice."""
        with torch.autocast(real.device.type, enabled=False):
            given = real.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.critic(given).sum(), given, create_graph=True)
        return slope.square().sum(dim=(1, 2, 3)).mean()

    def _heard(self, x: Tensor, shown: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """What some classifiers, drawn for this step, hear of image and render."""
        config = self._config
        drawn = torch.randperm(len(self._classifiers), generator=generator)[: config.asked].tolist()
        divergence, far = [], []
        for k, voice in enumerate(drawn):
            rows = (torch.arange(config.guided) + k * config.guided) % len(x)
            classifier = self._classifiers[voice]
            with torch.no_grad():
                said, maps = classifier.margins_and_features(x[rows], self._range)
            render = self.model.pixel_transform.to_images(shown[rows])
            heard, seen = classifier.margins_and_features(render, self._range)
            divergence.append(_divergence(said, heard))
            pairs = zip(maps, seen, strict=True)
            far += [(b - a).square().mean() / a.var().clamp_min(1e-6) for a, b in pairs]
        return {"divergence": torch.stack(divergence).mean(), "features": torch.stack(far).mean()}


def _divergence(said: Tensor, heard: Tensor) -> Tensor:
    """Kullback-Leibler divergence of two classes given by margins: those of the image first."""
    true, shown = (functional.logsigmoid(torch.stack([m[:, 1], -m[:, 1]])) for m in (said, heard))
    return (true.exp() * (true - shown)).sum(0).mean()


@final
@dataclass(frozen=True, eq=False)
class TrainedStylex:
    """A StylEx, the scale of the margins that it is told, and what it took.

    Parameters
    ----------
    model : Stylex
        In eval mode.
    classifiers : tuple of Classifier
        That it is told of, in order.
    scale : LogitScale
        Of their margins of class 1.
    cpu_seconds : float
        Of telling margins and training; of the last part alone where it was interrupted.
    """

    model: Stylex
    classifiers: tuple[Classifier, ...]
    scale: LogitScale
    cpu_seconds: float

    @torch.no_grad()
    def encode(self, x: Tensor, value_range: tuple[float, float]) -> Tensor:
        """Encode grey values ``(n, c, h, w)`` to w ``(n, latents + classifiers)``."""
        said = margins_said(self.classifiers, x, value_range)
        return self.model.encode(x, _told(self.scale, said))


@torch.no_grad()
def margins_said(classifiers: Sequence[Classifier], x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Ask all classifiers for the margin of class 1.

    Parameters
    ----------
    classifiers : sequence of Classifier
        Of two classes.
    x : Tensor, shape (n, c, h, w)
        Grey values.
    value_range : (float, float)
        Of these.

    Returns
    -------
    Tensor, shape (n, classifiers)
        In logits.
    """
    logits = [one.logits(x, value_range) for one in classifiers]
    return torch.stack([found[:, 1] - found[:, 0] for found in logits], dim=1)


def _told(scale: LogitScale, said: Tensor) -> Tensor:
    return scale.standardise(said).clamp(-_MOST_TOLD, _MOST_TOLD)


def kept_stylex(
    images: Images,
    classifiers: Mapping[str, Classifier],
    config: StylexConfig,
    folder: Path,
    *,
    device: torch.device,
) -> TrainedStylex:
    """Train a StylEx, or open the one trained before; an unfinished training goes on.

    Parameters
    ----------
    images : Images
        The fitting images, held in memory at half precision.
    classifiers : mapping of str to Classifier
        Explained, of two classes, differentiable.
    config : StylexConfig
        Length and losses.
    folder : Path
        Named after all of these.
    device : torch.device
        Where to train.

    Returns
    -------
    TrainedStylex
        In eval mode.

    Raises
    ------
    FolderError
        If the folder holds an unfinished training with other settings.
    """
    voices = tuple(classifiers.values())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("stylex", config.seed))
        model = Stylex(PixelTransform.fit(images), images.channels, images.size[0], len(voices))
        critic = Critic(images.channels, images.size[0])
    if not (folder / _RECORD).exists():
        _fit(images, model, critic, voices, config, folder, device)
    kept, record = load_tensors(folder / _WEIGHTS), read_json(folder / _RECORD)
    scale = LogitScale(kept.pop("scale.mean"), kept.pop("scale.sd"))
    model.load_state_dict(kept)
    model.eval().requires_grad_(False)
    return TrainedStylex(model.to(device), voices, scale, float(record["cpu_seconds"]))


def _fit(
    images: Images,
    model: Stylex,
    critic: Critic,
    voices: tuple[Classifier, ...],
    config: StylexConfig,
    folder: Path,
    device: torch.device,
) -> None:
    pixels = torch.cat([x.half() for _, x in images.batches(_READ)])
    started = time.process_time()
    parts = (pixels[start : start + _READ].float() for start in range(0, len(pixels), _READ))
    said = torch.cat([margins_said(voices, x, images.value_range).cpu() for x in parts])
    scale = LogitScale(said.mean(0), said.std(0).clamp_min(1e-3))
    told = _told(scale, said)

    def read(positions: NDArray[np.int64], _: torch.Generator) -> dict[str, Tensor]:
        rows = torch.from_numpy(positions)
        return {"x": pixels[rows].float(), "told": told[rows]}

    task = StylexTask(model, critic, voices, images.value_range, config)
    length = TrainConfig(
        steps=config.steps, batch_size=config.batch_size, lr=config.lr, weight_decay=0.0, seed=config.seed,
        ema=min(0.998, 1 - 15 / max(config.steps, 30)),
    )  # fmt: skip
    settings: dict[str, Any] = {**vars(config), "voices": [one.state_hash() for one in voices]}
    train(task, read, len(pixels), length, folder, device=device, what="StylEx", settings=settings)
    tensors = {**model.state_dict(), "scale.mean": scale.mean, "scale.sd": scale.sd}
    save_tensors(folder / _WEIGHTS, tensors)
    write_json(folder / _RECORD, {"cpu_seconds": time.process_time() - started})
