"""Encoder, decoder and pixel noise of the total-correlation VAE."""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.generators.pixels import MODEL_SD

_WIDTHS = (16, 32, 64, 96)
_GRID = 4
_HIDDEN = 256
_START = math.log(MODEL_SD**2)  # as if the decoder knew nothing
_FLOOR = _START - math.log(1000)  # pixels without noise would make the likelihood unbounded
_FASTER = 10.0  # the noise level must travel further than a weight


@final
class Encoder(nn.Module):
    """Convolutions of stride 2 down to 4 x 4, to mean and log-variance of z.

    There is no normalisation: it would take the brightness out of the image.

    Parameters
    ----------
    channels : int
        Of the image.
    latents : int
        Size of z.
    side : {32, 64}, default 64
        Of the image, in pixels.
    """

    def __init__(self, channels: int, latents: int, side: int = 64) -> None:
        super().__init__()
        widths = _widths(side)
        layers: list[nn.Module] = []
        for before, width in zip((channels, *widths), widths, strict=False):
            layers += [nn.Conv2d(before, width, 4, 2, 1), nn.SiLU()]
        flat = widths[-1] * _GRID**2
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, _HIDDEN), nn.SiLU())
        self.head = nn.Linear(_HIDDEN, 2 * latents)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``(n, c, side, side)`` in the model's range to ``(n, d)`` mean and log-variance, fp32."""
        mean, log_variance = self.head(self.features(x)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)


@final
class Decoder(nn.Module):
    """The encoder's mirror, to the mean of the pixels.

    Parameters
    ----------
    channels : int
        Of the image.
    latents : int
        Size of z.
    side : {32, 64}, default 64
        Of the image, in pixels.
    """

    def __init__(self, channels: int, latents: int, side: int = 64) -> None:
        super().__init__()
        widths = _widths(side)[::-1]
        layers: list[nn.Module] = [nn.Linear(latents, _HIDDEN), nn.SiLU()]
        layers += [nn.Linear(_HIDDEN, widths[0] * _GRID**2), nn.Unflatten(1, (widths[0], _GRID, _GRID))]
        for before, width in zip(widths, (*widths[1:], channels), strict=True):
            layers += [nn.SiLU(), nn.ConvTranspose2d(before, width, 4, 2, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Decode ``(n, d)`` to ``(n, c, side, side)`` in the model's range, fp32."""
        image: Tensor = self.layers(z)
        return image.float()


@final
class PixelNoise(nn.Module):
    """Learnt variance of the Gaussian likelihood, one per channel.

    It finds by itself how much the pixels weigh against the code, so that `beta` means the same for all
    images: Rybkin et al. 2021, "Simple and effective VAE training with calibrated decoders".

    Parameters
    ----------
    channels : int
        Of the image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(channels))

    def forward(self) -> Tensor:
        """Log-variance in the model's range, ``(c,)``; never below a thousandth of the images' own."""
        return _FLOOR + functional.softplus(_START - _FLOOR + _FASTER * self.level)


def _widths(side: int) -> tuple[int, ...]:
    return _WIDTHS[: int(math.log2(side // _GRID))]
