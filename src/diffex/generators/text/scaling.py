"""Grey values and sizes to those of Stable Diffusion's images, and back."""

from torch import Tensor
from torch.nn import functional


def to_unit(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Bring grey values ``(n, c, h, w)`` of `value_range` to -1..1."""
    low, high = value_range
    return 2 * (x - low) / (high - low) - 1


def from_unit(y: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Bring -1..1 to grey values, clipped to `value_range`."""
    low, high = value_range
    return (low + (high - low) * (y + 1) / 2).clamp(low, high)


def resized(y: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize images ``(n, c, h, w)``; may overshoot their range a little."""
    if y.shape[2:] == size:
        return y
    return functional.interpolate(y, size=size, mode="bicubic", antialias=True)
