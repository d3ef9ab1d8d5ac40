"""The losses of the diffusion autoencoder; the classifier's gradient reaches the encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.positions import evenly
from diffex.generators.autoencoder import DiffusionAutoencoder
from diffex.generators.config import GeneratorConfig

Guide = Callable[[Tensor], tuple[Tensor, list[Tensor]]]  # grey values -> margins, feature maps

# Classes far apart make differences within a class small; beyond this error the pull does not weaken.
_KNEE = 0.05


@final
@dataclass(frozen=True)
class LogitScale:
    """Mean and spread of the classifier's margins over the fitting images, ``(k,)`` each."""

    mean: Tensor
    sd: Tensor

    def standardise(self, margins: Tensor) -> Tensor:
        """Margins in standard deviations, ``(n, k)``."""
        return (margins - self.mean.to(margins.device)) / self.sd.to(margins.device)


@final
class AutoencoderTask(nn.Module):
    """One training step of a `DiffusionAutoencoder`.

    Parameters
    ----------
    model : DiffusionAutoencoder
        What is trained.
    guide : callable or None
        Differentiable classifier: grey values to margins and feature maps; None trains unaware.
    scale : LogitScale or None
        Of the guide's margins.
    """

    def __init__(self, model: DiffusionAutoencoder, guide: Guide | None, scale: LogitScale | None) -> None:
        super().__init__()
        self.model = model
        self._guide, self._scale = guide, scale
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.config.seed)
            self.probe = None if scale is None else nn.Linear(model.latents, len(scale.mean))

    @property
    def config(self) -> GeneratorConfig:
        """The model's configuration."""
        return self.model.config

    def forward(self, step: int, generator: torch.Generator, x: Tensor) -> dict[str, Tensor]:
        """Compute the losses of one batch.

        Parameters
        ----------
        step : int
            Guidance is ramped up over the first fifth of the training.
        generator : torch.Generator
            Of all noise in this step.
        x : Tensor
            ``(n, c, h, w)`` grey values.

        Returns
        -------
        dict of str to Tensor
            ``loss`` and its unweighted parts.
        """
        config, model = self.config, self.model
        image = model.pixels.to_model(x)
        mean, log_variance = model.encoder(image)
        noise_z = torch.randn(mean.shape, generator=generator).to(mean)
        z = mean + noise_z * (0.5 * log_variance).exp()
        t, drop = self._times(len(x), generator, image.device)
        noise = torch.randn(image.shape, generator=generator).to(image)
        x_t = model.path.mix(image, noise, t)
        raw = model.decoder(model.path.scaled(x_t, t), t, z, drop, self._told(x, generator))
        estimate, _ = model.path.split(raw, x_t, t)
        errors = model.path.errors(estimate, image, t)
        weight = torch.where(t == 1, config.mean, 1.0)
        parts = {"denoise": (weight * errors).mean()}
        parts["kl"] = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        total = parts["denoise"] + config.kl * parts["kl"]
        if config.total_correlation:
            parts["tc"] = total_correlation(z, mean, log_variance)
            total = total + config.total_correlation * parts["tc"]
        if self._guide is not None:
            ramp = min(1.0, 5 * (step + 1) / config.steps)
            parts |= self._guidance(x, z, estimate, t, drop)
            total = total + ramp * (config.logit * parts["logit"] + config.features * parts["features"])
            total = total + config.probe * parts["probe"]
        return {"loss": total, **parts}

    def _times(self, count: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
        """Times of the path, the first rows at pure noise; dropped codes only among the others."""
        t = self.model.path.draw(count, generator)
        at_noise = max(1, round(self.config.at_noise * count))
        t[:at_noise] = 1.0
        drop = torch.rand(count, generator=generator) < self.config.drop_condition
        drop[:at_noise] = False
        return t.to(device), drop.to(device)

    def _told(self, x: Tensor, generator: torch.Generator) -> Tensor | None:
        if not self.config.logit_condition or self._guide is None or self._scale is None:
            return None
        with torch.no_grad():
            told = self._scale.standardise(self._guide(x)[0])
        keep = torch.rand(len(x), 1, generator=generator) < 0.5
        return told * keep.to(told)

    def _guidance(self, x: Tensor, z: Tensor, estimate: Tensor, t: Tensor, drop: Tensor) -> dict[str, Tensor]:
        """Classifier on image and one-step reconstruction, for a share of the batch that kept z.

        The probe reads the image's margins from z alone: the encoder learns at once what the classifier
        sees, and the decoder finds it in z, however little of the picture it is.
        """
        assert self._guide is not None and self._scale is not None and self.probe is not None
        told = (~drop).nonzero().squeeze(1)
        rows = told[evenly(len(told), max(2, round(self.config.guided_share * len(x))))]
        shown = self.model.pixels.to_images(estimate[rows])
        if not self.config.classifier_gradient:
            shown = shown.detach()
        with torch.no_grad():
            real, maps = self._guide(x[rows])
        seen, maps_shown = self._guide(shown)
        goal = self._scale.standardise(real)
        miss = functional.smooth_l1_loss(
            self._scale.standardise(seen), goal, reduction="none", beta=_KNEE
        ).mean(1)
        code = z[rows] if self.config.classifier_gradient else z[rows].detach()
        read = functional.smooth_l1_loss(self.probe(code), goal, beta=_KNEE)
        confidence = torch.where(t[rows] == 1, 1.0, 1 - t[rows])
        far = [
            (b - a).square().mean(dim=(1, 2, 3)) / a.var().clamp_min(1e-6)
            for a, b in zip(maps, maps_shown, strict=True)
        ]
        features = torch.stack(far).mean(0) if far else torch.zeros_like(miss)
        return {
            "logit": (confidence * miss).mean(),
            "features": (confidence * features).mean(),
            "probe": read,
        }


def total_correlation(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Total correlation of q(z) by minibatch-weighted sampling, up to a constant.

    Parameters
    ----------
    z, mean, log_variance : Tensor
        Samples and posterior parameters, ``(n, d)``.

    Returns
    -------
    Tensor
        Scalar. Chen et al. 2018, "Isolating sources of disentanglement in VAEs".
    """
    count = len(z)
    offset = z.unsqueeze(1) - mean.unsqueeze(0)
    density = -0.5 * (offset.square() / log_variance.exp() + log_variance + 1.8378770664)
    joint = torch.logsumexp(density.sum(2), dim=1)
    product = torch.logsumexp(density, dim=1).sum(1)
    return (joint - product).mean() + (z.shape[1] - 1) * torch.log(torch.tensor(float(count)))
