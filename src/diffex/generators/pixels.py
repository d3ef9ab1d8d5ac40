"""From the data's own grey values to the range a diffusion model likes, and back."""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional

from diffex.images import Images

MODEL_SD = 0.5  # of every channel, in the model's range
_SAMPLE = 512
_DIM = 0.3
_PER_CHANNEL = ("low", "high", "gamma", "sd", "gain", "offset", "detail")


@final
@dataclass(frozen=True)
class PixelTransform:
    """Per-channel contrast: ``y = gain ((x - low) / (high - low)) ** gamma + offset``.

    Parameters
    ----------
    low, high : tuple of float
        0.1 % and 99.9 % quantiles of the fitting images, per channel.
    gamma : tuple of float
        0.5 where most pixels are dim (fluorescence), else 1.
    sd : tuple of float
        Standard deviation per channel over the fitting images, in grey values: the unit of sizes.
    value_range : (float, float)
        Of the data; images are clipped to it.
    gain, offset : tuple of float
        Give each channel mean 0 and standard deviation 0.5 in the model's range.
    detail : tuple of float
        Standard deviation of the finest detail in the model's range, as if it were white noise.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    gamma: tuple[float, ...]
    sd: tuple[float, ...]
    value_range: tuple[float, float]
    gain: tuple[float, ...] = (2.0,)
    offset: tuple[float, ...] = (-1.0,)
    detail: tuple[float, ...] = (0.0,)

    @classmethod
    def fit(cls, images: Images) -> "PixelTransform":
        """Read up to 512 images and choose the contrast of each channel.

        Parameters
        ----------
        images : Images
            The fitting images.

        Returns
        -------
        PixelTransform
            For these images and others like them.
        """
        positions = torch.linspace(0, len(images) - 1, min(len(images), _SAMPLE)).long()
        x = images.read(positions.numpy())
        pixels = x.transpose(0, 1).flatten(1)  # (c, n*h*w)
        thin = pixels[:, :: max(1, pixels.shape[1] // 1_000_000)]
        low, middle, high = torch.quantile(thin, torch.tensor([0.001, 0.5, 0.999]), dim=1)
        high = torch.maximum(high, low + 1e-3 * (images.value_range[1] - images.value_range[0]))
        dim = (middle - low) / (high - low) < _DIM
        plain = cls(
            low=tuple(low.tolist()),
            high=tuple(high.tolist()),
            gamma=tuple(0.5 if d else 1.0 for d in dim.tolist()),
            sd=tuple(pixels.std(dim=1).clamp_min(1e-6).tolist()),
            value_range=images.value_range,
            gain=(1.0,),
            offset=(0.0,),
        )
        unit = plain.to_model(x).transpose(0, 1).flatten(1)
        gain = MODEL_SD / unit.std(dim=1).clamp_min(1e-3)
        offset = -gain * unit.mean(dim=1)
        even = replace(plain, gain=tuple(gain.tolist()), offset=tuple(offset.tolist()))
        return replace(even, detail=_noise_level(even.to_model(x)))

    def to_model(self, x: Tensor) -> Tensor:
        """Transform grey values.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` in the value range.

        Returns
        -------
        Tensor
            Mean 0, standard deviation 0.5 per channel over the fitting images.
        """
        low, high, gamma, gain, offset = self._constants(x)
        return gain * ((x - low) / (high - low)).clamp_min(0) ** gamma + offset

    def to_images(self, y: Tensor) -> Tensor:
        """Transform back.

        Parameters
        ----------
        y : Tensor
            ``(n, c, h, w)`` in the model's range.

        Returns
        -------
        Tensor
            Grey values, clipped to the value range; gradients flow.
        """
        low, high, gamma, gain, offset = self._constants(y)
        unit = ((y - offset) / gain).clamp_min(1e-4)
        return (low + (high - low) * unit ** (1 / gamma)).clamp(*self.value_range)

    def size(self, difference: Tensor) -> Tensor:
        """Size of a change: root mean square over pixels, channels in units of their spread.

        Parameters
        ----------
        difference : Tensor
            ``(..., c, h, w)`` in grey values.

        Returns
        -------
        Tensor
            ``(...)``.
        """
        sd = torch.tensor(self.sd, device=difference.device).view(-1, 1, 1)
        return (difference / sd).square().mean(dim=(-3, -2, -1)).sqrt()

    def _constants(self, like: Tensor) -> list[Tensor]:
        constants = (self.low, self.high, self.gamma, self.gain, self.offset)
        return [torch.tensor(v, device=like.device).view(-1, 1, 1) for v in constants]

    def as_dict(self) -> dict[str, Any]:
        """Give the values as JSON can hold them."""
        return {k: list(getattr(self, k)) for k in (*_PER_CHANNEL, "value_range")}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PixelTransform":
        """Rebuild from `as_dict`."""
        low, high = values["value_range"]
        return cls(**{k: tuple(values[k]) for k in _PER_CHANNEL}, value_range=(low, high))


def _noise_level(y: Tensor) -> tuple[float, ...]:
    """Standard deviation per channel of white noise with the same finest detail (Immerkaer 1996)."""
    line = torch.tensor([1.0, -2.0, 1.0])
    kernel = torch.outer(line, line).expand(y.shape[1], 1, 3, 3)
    fine = functional.conv2d(y, kernel, groups=y.shape[1])
    return tuple((fine.square().mean(dim=(0, 2, 3)).sqrt() / 6).tolist())
