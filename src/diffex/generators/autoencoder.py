"""The classifier-aware diffusion autoencoder: images to codes, codes to images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from diffex.base.devices import Precision, autocast, best_precision
from diffex.base.errors import FolderError
from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.hashing import hash_tensors
from diffex.generators.config import GeneratorConfig
from diffex.generators.networks import Decoder, Encoder
from diffex.generators.paths import Network, NoisePath
from diffex.generators.pixels import MODEL_SD, PixelTransform

SCHEMA = 2
_BATCH = 64  # images that are encoded or rendered at once


@final
@dataclass(frozen=True)
class ImageForm:
    """What images a generator takes.

    Parameters
    ----------
    channel_names : tuple of str
        A name per channel.
    size : (int, int)
        Height and width in pixels.
    classes : int
        Logits of the classifier it was trained for.
    """

    channel_names: tuple[str, ...]
    size: tuple[int, int]
    classes: int


@final
class DiffusionAutoencoder(nn.Module):
    """Encoder to a few latents, diffusion decoder back.

    Parameters
    ----------
    config : GeneratorConfig
        Network and path.
    form : ImageForm
        Channels and size of the images.
    pixels : PixelTransform
        Contrast of the images.

    Notes
    -----
    After Preechakul et al. 2022 and Bourou et al. 2025, with a small code, a rectified-flow path and the
    classifier in the losses only.
    """

    code_mean: Tensor
    code_cov: Tensor

    def __init__(self, config: GeneratorConfig, form: ImageForm, pixels: PixelTransform) -> None:
        super().__init__()
        self.config, self.form, self.pixels = config, form, pixels
        channels = len(form.channel_names)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.encoder = Encoder(channels, config.latents)
            self.decoder = Decoder(channels, config, form.classes)
        self.path = NoisePath(config.path, MODEL_SD, pixels.detail)
        self.register_buffer("code_mean", torch.zeros(config.latents))
        self.register_buffer("code_cov", torch.eye(config.latents))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def precision(self) -> Precision:
        """Precision of rendering on this device."""
        return best_precision(self.device)

    @property
    def latents(self) -> int:
        """Size of the code."""
        return self.config.latents

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(c, h, w)`` of an image, and of its noise."""
        return (len(self.form.channel_names), *self.form.size)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Encode images.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` in the data's value range.

        Returns
        -------
        Tensor
            Posterior means, ``(n, d)``, fp32, on the CPU.
        """
        with autocast(self.device, self.precision):
            means = [self.encoder(self.pixels.to_model(v.to(self.device)))[0] for v in torch.split(x, _BATCH)]
        return torch.cat(means).cpu()

    def bound(self, z: Tensor, logits: Tensor | None = None) -> Network:
        """Bind the decoder to codes.

        Parameters
        ----------
        z : Tensor
            ``(n, d)``.
        logits : Tensor, optional
            ``(n, k)`` standardised logits, for a decoder with a logit condition.

        Returns
        -------
        callable
            ``network(scaled x_t, t) -> F``.
        """
        z = z.to(self.device)

        def network(x: Tensor, t: Tensor) -> Tensor:
            with autocast(self.device, self.precision):
                raw: Tensor = self.decoder(x, t, z, None, logits)
            return raw

        return network

    @torch.no_grad()
    def decode(self, z: Tensor, noise: Tensor, depth: int | None = None) -> Tensor:
        """Render codes.

        Parameters
        ----------
        z : Tensor
            ``(n, d)``.
        noise : Tensor
            ``(n, c, h, w)``; the same noise on both sides makes an edit comparable with its null edit.
        depth : int, optional
            Network evaluations per image, default the configuration's; 1 gives the posterior mean.

        Returns
        -------
        Tensor
            Images in the data's value range, on the CPU.
        """
        rendered = [
            self.path.render(self.bound(code), start.to(self.device), depth or self.config.depth)
            for code, start in zip(torch.split(z, _BATCH), torch.split(noise, _BATCH), strict=True)
        ]
        return self.pixels.to_images(torch.cat(rendered)).cpu()

    def one_step(self, z: Tensor, noise: Tensor) -> Tensor:
        """Render with one evaluation, differentiably.

        Parameters
        ----------
        z : Tensor
            ``(n, d)``, may require gradients.
        noise : Tensor
            ``(n, c, h, w)``.

        Returns
        -------
        Tensor
            Images in the data's value range, on the generator's device.
        """
        at_noise = torch.ones(len(z), device=self.device)
        image, _ = self.path.evaluate(self.bound(z), noise.to(self.device), at_noise)
        return self.pixels.to_images(image)

    @torch.no_grad()
    def invert(self, x: Tensor, z: Tensor, depth: int | None = None) -> Tensor:
        """Find the noise that renders `x` back from `z`.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` in the data's value range.
        z : Tensor
            Their codes, ``(n, d)``.
        depth : int, optional
            As for `decode`.

        Returns
        -------
        Tensor
            Noise, ``(n, c, h, w)``, on the CPU.
        """
        found = [
            self.path.invert(
                self.bound(code), self.pixels.to_model(v.to(self.device)), depth or self.config.depth
            )
            for v, code in zip(torch.split(x, _BATCH), torch.split(z, _BATCH), strict=True)
        ]
        return torch.cat(found).cpu()

    def state_hash(self) -> str:
        """Hash of all weights."""
        return hash_tensors(self.state_dict())

    def save(self, folder: Path) -> None:
        """Write ``generator.json`` and ``generator.safetensors`` (bf16 but for the code statistics).

        Parameters
        ----------
        folder : Path
            The model folder.
        """
        state = {
            k: v.to(torch.bfloat16) if v.is_floating_point() and not k.startswith("code_") else v
            for k, v in self.state_dict().items()
        }
        save_tensors(folder / "generator.safetensors", state)
        write_json(folder / "generator.json", self._description())

    def _description(self) -> dict[str, Any]:
        form = {
            "channel_names": self.form.channel_names,
            "size": self.form.size,
            "classes": self.form.classes,
        }
        config = self.config.model_dump(mode="json")
        return {"schema": SCHEMA, "config": config, "form": form, "pixels": self.pixels.as_dict()}

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "DiffusionAutoencoder":
        """Read what `save` wrote.

        Parameters
        ----------
        folder : Path
            The model folder.
        device : torch.device
            Where to put it.

        Returns
        -------
        DiffusionAutoencoder
            In eval mode, fp32 weights, channels last in memory: convolutions are a tenth quicker on a CPU.

        Raises
        ------
        FolderError
            If files are missing, damaged or of another schema.
        """
        values = read_json(folder / "generator.json")
        schema = values.get("schema") if isinstance(values, dict) else None
        if schema != SCHEMA:
            raise FolderError(
                f"{folder} holds a generator of schema {schema}, this diffex reads {SCHEMA}: "
                "fit it again, or use the version of diffex that wrote it."
            )
        state = load_tensors(folder / "generator.safetensors")
        try:
            model = _from_description(values)
            model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FolderError(
                f"{folder} is damaged: generator.json and generator.safetensors do not fit together; "
                "fit the generator again."
            ) from error
        return model.to(device).eval().requires_grad_(False)


def _from_description(values: dict[str, Any]) -> DiffusionAutoencoder:
    form = values["form"]
    return DiffusionAutoencoder(
        GeneratorConfig(**values["config"]),
        ImageForm(tuple(form["channel_names"]), _pair(form["size"]), form["classes"]),
        PixelTransform.from_dict(values["pixels"]),
    )


def _pair(values: Sequence[int]) -> tuple[int, int]:
    height, width = values
    return height, width
