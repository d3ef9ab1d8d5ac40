"""Encoder and decoder of the diffusion autoencoder."""

from typing import final

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional

from diffex.generators.config import GeneratorConfig

_MAPS, _GRID = 16, 8  # channels and side of the coarse map that z draws


@final
class Encoder(nn.Module):
    """Convolutions on the pixel-unshuffled image, to mean and log-variance of z.

    Parameters
    ----------
    channels : int
        Of the image.
    latents : int
        Size of z.
    """

    def __init__(self, channels: int, latents: int) -> None:
        super().__init__()
        widths = [40, 96, 96, 128, 128, 192, 192]
        strides = [1, 2, 1, 2, 1, 2, 1]
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        before = channels * 4
        for width, stride in zip(widths, strides, strict=True):
            layers += [nn.Conv2d(before, width, 3, stride, 1), nn.GroupNorm(8, width), nn.SiLU()]
            before = width
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.head = nn.Linear(before * 16, 2 * latents)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``(n, c, h, w)`` in the model's range to ``(n, d)`` mean and log-variance, fp32."""
        odd = (0, x.shape[3] % 2, 0, x.shape[2] % 2)
        even = functional.pad(x, odd, mode="reflect") if any(odd) else x
        mean, log_variance = self.head(self.features(even)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)


@final
class Decoder(nn.Module):
    """diffusers' U-Net on the pixel-unshuffled image; z enters by adaptive normalisation and as a coarse map.

    Normalisation tells every place the same; the map tells each place its own, so that shapes are learnt
    early.

    Parameters
    ----------
    channels : int
        Of the image.
    config : GeneratorConfig
        Widths, patch, latents, conditions.
    classes : int
        Logits of the classifier, for the optional logit condition.
    """

    def __init__(self, channels: int, config: GeneratorConfig, classes: int) -> None:
        super().__init__()
        self.patch = config.patch
        self.multiple = config.patch * 2 ** (len(config.widths) - 1)
        folded, embed = channels * config.patch**2, 4 * config.widths[0]
        levels = len(config.widths)
        self.unet = UNet2DModel(
            in_channels=folded + _MAPS,
            out_channels=folded,
            layers_per_block=1,
            block_out_channels=config.widths,
            down_block_types=("DownBlock2D",) * levels,
            up_block_types=("UpBlock2D",) * levels,
            class_embed_type="identity",
            resnet_time_scale_shift="scale_shift",
            norm_num_groups=16,
            add_attention=False,  # at 4x4 it costs a seventh of a step and shows no gain
        )
        self.code = nn.Sequential(nn.Linear(config.latents, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.layout = nn.Linear(embed, _MAPS * _GRID**2)
        self.null = nn.Parameter(torch.zeros(embed))
        self.logits = nn.Linear(classes, embed, bias=False) if config.logit_condition else None

    def forward(
        self, x: Tensor, t: Tensor, z: Tensor, drop: Tensor | None = None, logits: Tensor | None = None
    ) -> Tensor:
        """Predict the image, in units of its spread.

        Parameters
        ----------
        x : Tensor
            Scaled ``x_t``, ``(n, c, h, w)``.
        t : Tensor
            ``(n,)`` in [0, 1].
        z : Tensor
            ``(n, d)``.
        drop : Tensor, optional
            ``(n,)`` bool: rows that see the learnt null code.
        logits : Tensor, optional
            ``(n, k)`` standardised logits; rows of zeros are dropped.

        Returns
        -------
        Tensor
            ``(n, c, h, w)``, fp32.
        """
        code = self.code(z)
        if drop is not None:
            code = torch.where(drop.view(-1, 1), self.null.to(code.dtype), code)
        if self.logits is not None and logits is not None:
            code = code + self.logits(logits)
        height, width = x.shape[-2:]
        down, right = -height % self.multiple, -width % self.multiple
        padded = functional.pad(x, (0, right, 0, down), mode="reflect") if down or right else x
        folded = functional.pixel_unshuffle(padded, self.patch)
        layout = self.layout(code).unflatten(1, (_MAPS, _GRID, _GRID))
        layout = functional.interpolate(layout, size=folded.shape[-2:], mode="bilinear", align_corners=False)
        folded = torch.cat([folded, layout.to(folded.dtype)], dim=1)
        raw = self.unet(folded, t * 1000, class_labels=code).sample
        return functional.pixel_shuffle(raw, self.patch)[..., :height, :width].float().contiguous()
