"""The canonical pose of an object: in the middle, its principal axis horizontal."""

import torch
from torch import Tensor
from torch.nn import functional

_WINDOW = 0.25  # standard deviation of the widest window, in sides of the image
_CLOSE = 1.5
_SHIFTS = 16


def canonical_pose(x: Tensor, channel: int | None = None) -> Tensor:
    r"""Move the object to the middle and turn its principal axis to the horizontal.

    What is brighter or darker than the border is the object: its weights are the squared differences of the
    mean channel, or of one, from the median of the border, inside a soft window that settles on the object
    nearest to the middle of the image, since crops show neighbours too. With their central second moments
    :math:`\mu`, the axis is at :math:`\frac{1}{2} \mathrm{atan2}(2 \mu_{11}, \mu_{20} - \mu_{02})` (Hu 1962).
    Half turns and mirror images are told apart by the third moments along both axes, which come out positive.
    A latent is then not spent on the direction, nor two on one property that has a direction.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)``, one object each, any range.
    channel : int, optional
        In which the object stands out; default their mean.

    Returns
    -------
    Tensor
        ``(n, c, h, w)``, resampled bilinearly; beyond the border its pixels are repeated.
    """
    points = _points(x)
    weight, centre = _settled(
        _energy(x if channel is None else x[:, [channel]]), points, _WINDOW * min(x.shape[2:])
    )
    axes = _axes(weight, points - centre)[:, None]  # (n, 1, 2, 2)
    grid = (centre + points @ axes) * (2 / _size(x))
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _size(x: Tensor) -> Tensor:
    return x.new_tensor([x.shape[3], x.shape[2]])


def _points(x: Tensor) -> Tensor:
    """Centres of the pixels from the middle of the image, ``(h, w, 2)``, x before y, in pixels."""
    rows, columns = (
        torch.arange(side, dtype=x.dtype, device=x.device) - (side - 1) / 2 for side in x.shape[2:]
    )
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)


def _energy(x: Tensor) -> Tensor:
    """How much a pixel stands out, ``(n, h, w)``; 0 in an empty image."""
    grey = x.mean(1)
    border = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1)
    return (grey - border.median(dim=1).values[:, None, None]).square()


def _settled(energy: Tensor, points: Tensor, widest: float) -> tuple[Tensor, Tensor]:
    """Weights ``(n, h, w)`` of sum 1 under the window, and its centre ``(n, 1, 1, 2)``, by mean shift.

    The window is half as wide again as what it shows: inside an object it grows, beyond it shrinks.
    """
    centre = points.new_zeros(len(energy), 1, 1, 2)
    width, weight = points.new_full((len(energy), 1, 1), widest), energy
    for _ in range(_SHIFTS):
        distance = (points - centre).square().sum(-1)
        weight = energy * (-distance / (2 * width.square())).exp()
        weight = weight / weight.sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)
        centre = torch.einsum("nhw,hwk->nk", weight, points)[:, None, None]
        spread = (weight * distance).sum(dim=(1, 2), keepdim=True) / 2
        width = (_CLOSE * spread.sqrt()).clamp(1.0, widest)
    return weight, centre


def _axes(weight: Tensor, offset: Tensor) -> Tensor:
    """Unit vectors along and across the object, ``(n, 2, 2)``, pointing to its heavier tails."""
    xx, xy, yy = (
        (weight * offset[..., i] * offset[..., j]).sum(dim=(1, 2)) for i, j in ((0, 0), (0, 1), (1, 1))
    )
    angle = 0.5 * torch.atan2(2 * xy, xx - yy)
    along = torch.stack([angle.cos(), angle.sin()], dim=1)
    across = torch.stack([-angle.sin(), angle.cos()], dim=1)
    axes = torch.stack([along, across], dim=1)
    skew = torch.einsum("nhw,nahw->na", weight, torch.einsum("nhwk,nak->nahw", offset, axes) ** 3)
    return torch.where(skew < 0, -1.0, 1.0)[:, :, None] * axes
