"""Grey values and sizes to those of Stable Diffusion's images, and back."""

from torch import Tensor
from torch.nn import functional


def to_unit(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Bring grey values to -1..1.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)`` in `value_range`.
    value_range : (float, float)
        Of the images.

    Returns
    -------
    Tensor
        The same shape.
    """
    low, high = value_range
    return 2 * (x - low) / (high - low) - 1


def from_unit(y: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Bring -1..1 to grey values.

    Parameters
    ----------
    y : Tensor
        ``(n, c, h, w)``.
    value_range : (float, float)
        Of the images; they are clipped to it.

    Returns
    -------
    Tensor
        The same shape.
    """
    low, high = value_range
    return (low + (high - low) * (y + 1) / 2).clamp(low, high)


def resized(y: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize images; they may overshoot their range a little.

    Parameters
    ----------
    y : Tensor
        ``(n, c, h, w)``.
    size : (int, int)
        Height and width wanted.

    Returns
    -------
    Tensor
        As they are where they have the size.
    """
    if y.shape[2:] == size:
        return y
    return functional.interpolate(y, size=size, mode="bicubic", antialias=True)
