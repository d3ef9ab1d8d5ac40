"""Grey values to the range of Stable Diffusion's images, and back."""

from torch import Tensor


def to_unit(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Bring grey values ``(n, c, h, w)`` of `value_range` to -1..1."""
    low, high = value_range
    return 2 * (x - low) / (high - low) - 1


def from_unit(y: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Bring -1..1 to grey values, clipped to `value_range`."""
    low, high = value_range
    return (low + (high - low) * (y + 1) / 2).clamp(low, high)
