"""A small StylEx: Lang et al. 2021, "Explaining in style" (arXiv 2104.13369)."""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.noise import generator as seeded
from diffex.generators import PixelTransform
from diffex.generators.networks import Encoder

START = 4
"""Side of the map that the generator starts from."""

_WIDTHS = (96, 96, 64, 48)  # at 4, 8, 16 and 32 px
_CRITIC = (48, 64, 96, 128)
_PATCH = 2  # networks work on pixel-unshuffled images
_SLOPE = 0.2
_EPS = 1e-6


@final
class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a style, output scaled back to unit variance.

    Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (arXiv 1912.04958), eqs. 1
    and 3, with the scaling taken out of the weights, so that no image needs weights of its own.

    Parameters
    ----------
    before, after : int
        Channels.
    side : int
        Of the maps; for the fixed noise.
    seed : int
        Of the fixed noise.
    """

    def __init__(self, before: int, after: int, side: int, seed: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, 3, 3) / math.sqrt(9 * before))
        self.bias = nn.Parameter(torch.zeros(after))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(1, 1, side, side, generator=seeded("stylex", seed)))

    def forward(self, x: Tensor, style: Tensor, noise: torch.Generator | None) -> Tensor:
        """Convolve ``(n, before, h, w)`` with styles ``(n, before)``; noise is the fixed map without one."""
        power = self.weight.square().sum(dim=(2, 3))  # (after, before)
        scale = torch.rsqrt(functional.linear(style.square(), power).float() + _EPS)
        out = functional.conv2d(x * style[:, :, None, None], self.weight, padding=1) * scale[:, :, None, None]
        drawn = self.get_buffer("noise")
        if noise is not None:
            drawn = torch.randn(len(x), 1, *drawn.shape[2:], generator=noise).to(drawn)
        shifted = out + self.strength * drawn + self.bias[:, None, None]
        return functional.leaky_relu(shifted, _SLOPE) * math.sqrt(2)


@final
class StyleGenerator(nn.Module):
    """Two modulated convolutions per scale from 4 px up, then pixels by a shuffle.

    Parameters
    ----------
    channels : int
        Of the image.
    side : int
        Of the image: 16 or more, a power of two.
    latents : int
        Size of w.

    Notes
    -----
    The map it starts from is linear in w where StyleGAN's is constant: pose and places need not go through
    styles, which leaves these to what can be named.
    """

    def __init__(self, channels: int, side: int, latents: int) -> None:
        super().__init__()
        widths = _WIDTHS[: int(math.log2(side // _PATCH // START)) + 1]
        self.start = nn.Linear(latents, widths[0] * START**2)
        convs: list[ModulatedConv] = []
        before = widths[0]
        for level, width in enumerate(widths):
            for _ in range(1 if level == 0 else 2):
                convs.append(ModulatedConv(before, width, START * 2**level, len(convs)))
                before = width
        self.convs = nn.ModuleList(convs)
        self.counts = [*(conv.weight.shape[1] for conv in convs), before]
        self.affine = nn.Linear(latents, sum(self.counts))
        nn.init.normal_(self.affine.weight, std=0.5 / math.sqrt(latents))
        nn.init.ones_(self.affine.bias)
        self.pixels = nn.Parameter(torch.randn(channels * _PATCH**2, before, 1, 1) / math.sqrt(before))
        self.offset = nn.Parameter(torch.zeros(channels * _PATCH**2))

    def forward(self, w: Tensor, styles: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Render w ``(n, latents)`` with styles ``(n, K)``, by default those of `affine`."""
        parts = torch.split(styles, self.counts, dim=1)
        x = self.start(w).view(len(w), -1, START, START)
        for conv, style in zip(self.convs, parts, strict=False):
            side = conv.get_buffer("noise").shape[-1]
            if side != x.shape[-1]:
                x = functional.interpolate(x, scale_factor=2, mode="bilinear")
            x = conv(x, style, noise)
        x = functional.conv2d(x * parts[-1][:, :, None, None], self.pixels, self.offset)
        return functional.pixel_shuffle(x.float(), _PATCH)


@final
class Critic(nn.Module):
    """Tells images from renders: strided convolutions, and the spread over the batch as a last map.

    Parameters
    ----------
    channels : int
        Of the image.
    side : int
        Of the image.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(_PATCH)]
        before = channels * _PATCH**2
        for level, width in enumerate(_CRITIC):
            layers += [nn.Conv2d(before, width, 3, 1 + (level > 0), 1), nn.LeakyReLU(_SLOPE)]
            before = width
        self.features = nn.Sequential(*layers)
        self.last = nn.Conv2d(before + 1, before, 3, 1, 1)
        small = max(1, side // _PATCH // 2 ** (len(_CRITIC) - 1))
        self.head = nn.Linear(before * small**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Give a logit of being real, ``(n,)``, of images in the model's range."""
        maps = self.features(x)
        spread = (maps.float().var(dim=0, unbiased=False) + _EPS).sqrt().mean().to(maps)
        told = torch.cat([maps, spread.expand(len(maps), 1, *maps.shape[2:])], dim=1)
        logit: Tensor = self.head(functional.leaky_relu(self.last(told), _SLOPE).flatten(1))
        return logit.squeeze(1).float()


@final
class Stylex(nn.Module):
    """Encoder and style-modulated generator, told what the classifiers say of the image.

    Parameters
    ----------
    pixels : PixelTransform
        Range that the networks work in, the same as of our own generator.
    channels, side : int
        Of the image.
    told : int
        Margins that w ends in: those of the explained classifiers, as published.
    latents : int, default 128
        What the encoder adds.
    """

    def __init__(
        self, pixels: PixelTransform, channels: int, side: int, told: int, latents: int = 128
    ) -> None:
        super().__init__()
        self.pixel_transform = pixels
        self.encoder = Encoder(channels, latents)
        self.generator = StyleGenerator(channels, side, latents + told)

    @property
    def coordinates(self) -> int:
        """Number K of style coordinates."""
        return sum(self.generator.counts)

    def encode(self, x: Tensor, told: Tensor) -> Tensor:
        """Encode grey values ``(n, c, h, w)`` and standardised margins ``(n, told)`` to w."""
        mean, _ = self.encoder(self.pixel_transform.to_model(x))
        return torch.cat([mean, told.to(mean)], dim=1)

    def styles(self, w: Tensor) -> Tensor:
        """Give the style coordinates of w, ``(n, K)``."""
        found: Tensor = self.generator.affine(w)
        return found.float()

    def render(self, w: Tensor, styles: Tensor) -> Tensor:
        """Render grey values ``(n, c, h, w)`` of w with any styles, on the fixed noise."""
        return self.pixel_transform.to_images(self.generator(w, styles))
