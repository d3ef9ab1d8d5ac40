"""The total-correlation VAE: images to codes of separate properties, codes to images."""

from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.devices import autocast, best_precision
from diffex.base.errors import FolderError
from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.hashing import hash_tensors
from diffex.generators.pixels import PixelTransform
from diffex.generators.tcvae.config import TCVAEConfig
from diffex.generators.tcvae.network import Decoder, Encoder, PixelNoise
from diffex.generators.tcvae.pose import canonical_pose

SCHEMA = 1
FILE = "tcvae.json"
"""Written last: a folder that has it is finished."""
_BATCH = 256  # images that are encoded or decoded at once


@final
class TCVAE(nn.Module):
    """Encoder to a few separate latents, decoder back to the mean image.

    Parameters
    ----------
    config : TCVAEConfig
        Size of the code, and whether images are brought to a canonical pose.
    channel_names : tuple of str
        A name per channel.
    size : (int, int)
        Height and width of the images in pixels; inside they are square.
    pixels : PixelTransform
        Contrast of the images.

    Notes
    -----
    Chen et al. 2018, "Isolating sources of disentanglement in VAEs"; used to find rules by Soelistyo & Lowe
    2024, "Discovering interpretable models of scientific image data with deep learning".
    """

    def __init__(
        self,
        config: TCVAEConfig,
        channel_names: tuple[str, ...],
        size: tuple[int, int],
        pixels: PixelTransform,
    ) -> None:
        super().__init__()
        self.config, self.channel_names, self.size, self.pixels = config, channel_names, size, pixels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.encoder = Encoder(len(channel_names), config.latents, config.side)
            self.decoder = Decoder(len(channel_names), config.latents, config.side)
        self.noise = PixelNoise(len(channel_names))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def latents(self) -> int:
        """Size of the code."""
        return self.config.latents

    def prepare(self, x: Tensor) -> Tensor:
        """Bring grey values ``(n, c, h, w)`` to the networks' range and size, ``(n, c, side, side)``."""
        return _resized(self.pixels.to_model(x), (self.config.side, self.config.side))

    def posed(self, x: Tensor) -> Tensor:
        """Bring images ``(n, c, h, w)`` to the pose that codes are about."""
        return canonical_pose(x, self.config.pose_channel) if self.config.pose == "canonical" else x

    @torch.no_grad()
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images to distributions of codes.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` in the data's value range.

        Returns
        -------
        (Tensor, Tensor)
            Means and log-variances, ``(n, d)``, fp32, on the CPU.
        """
        with autocast(self.device, best_precision(self.device)):
            seen = [self.encoder(self.prepare(v.to(self.device))) for v in torch.split(self.posed(x), _BATCH)]
        means, log_variances = zip(*seen, strict=True)
        return torch.cat(means).cpu(), torch.cat(log_variances).cpu()

    def encode(self, x: Tensor) -> Tensor:
        """Encode images.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` in the data's value range.

        Returns
        -------
        Tensor
            Posterior means, ``(n, d)``, fp32, on the CPU; the prior is standard normal.
        """
        return self.posterior(x)[0]

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Decode codes.

        Parameters
        ----------
        z : Tensor
            ``(n, d)``.

        Returns
        -------
        Tensor
            ``(n, c, h, w)`` in the data's value range, on the CPU; in canonical pose where images are
            brought to it.
        """
        with autocast(self.device, best_precision(self.device)):
            decoded = [self.decoder(code.to(self.device)) for code in torch.split(z, _BATCH)]
        return self.pixels.to_images(_resized(torch.cat(decoded), self.size)).cpu()

    def state_hash(self) -> str:
        """Hash of all weights."""
        return hash_tensors(self.state_dict())

    def save(self, folder: Path) -> None:
        """Write ``tcvae.json`` and ``tcvae.safetensors``.

        Parameters
        ----------
        folder : Path
            The model folder.
        """
        save_tensors(folder / "tcvae.safetensors", self.state_dict())
        write_json(folder / FILE, self._description())

    def _description(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "config": self.config.model_dump(mode="json"),
            "channel_names": self.channel_names,
            "size": self.size,
            "pixels": self.pixels.as_dict(),
        }

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "TCVAE":
        """Read what `save` wrote.

        Parameters
        ----------
        folder : Path
            The model folder.
        device : torch.device
            Where to put it.

        Returns
        -------
        TCVAE
            In eval mode.

        Raises
        ------
        FolderError
            If files are missing, damaged or of another schema.
        """
        values = read_json(folder / FILE)
        schema = values.get("schema") if isinstance(values, dict) else None
        if schema != SCHEMA:
            raise FolderError(
                f"{folder} holds a total-correlation VAE of schema {schema}, this diffex reads {SCHEMA}: "
                "fit it again, or use the version of diffex that wrote it."
            )
        state = load_tensors(folder / "tcvae.safetensors")
        try:
            model = _from_description(values)
            model.load_state_dict(state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FolderError(
                f"{folder} is damaged: tcvae.json and tcvae.safetensors do not fit together; fit it again."
            ) from error
        return model.to(device).eval().requires_grad_(False)


def _from_description(values: dict[str, Any]) -> TCVAE:
    height, width = values["size"]
    return TCVAE(
        TCVAEConfig(**values["config"]),
        tuple(values["channel_names"]),
        (height, width),
        PixelTransform.from_dict(values["pixels"]),
    )


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[2:]) == size:
        return x
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
