"""What of an edit the classifier answers to."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

_TOGETHER = 256


def integrated_gradients(
    margins: Callable[[Tensor], Tensor], start: Tensor, end: Tensor, points: int
) -> Tensor:
    """Tell what each pixel adds to the change of the margin from some images to others.

    Gradients along the straight line between them, times the difference, by Gauss-Legendre quadrature.
    Summed over all pixels they are the change of the margin, but for the error of the quadrature.

    Parameters
    ----------
    margins : callable
        From ``(m, c, h, w)`` grey values to ``(m,)`` margins; gradients flow.
    start, end : Tensor, shape (n, c, h, w)
        Grey values, for example of null edits and of edits.
    points : int
        Of the line.

    Returns
    -------
    Tensor, shape (n, c, h, w)
        Signed, in logits, on the CPU.

    References
    ----------
    Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks".
    """
    nodes, weights = np.polynomial.legendre.leggauss(points)
    places = torch.from_numpy((nodes + 1) / 2).to(start)
    shares = torch.from_numpy(weights / 2).to(start)
    return torch.cat(
        [
            _attributed(margins, first, last, places, shares)
            for first, last in zip(
                *(torch.split(x, max(1, _TOGETHER // points)) for x in (start, end)), strict=True
            )
        ]
    )


def _attributed(
    margins: Callable[[Tensor], Tensor], start: Tensor, end: Tensor, places: Tensor, shares: Tensor
) -> Tensor:
    line = start + places.view(-1, 1, 1, 1, 1) * (end - start)
    with torch.enable_grad():
        x = line.flatten(0, 1).requires_grad_(True)
        (gradient,) = torch.autograd.grad(margins(x).sum(), x)
    mean = (shares.view(-1, 1, 1, 1, 1) * gradient.view_as(line)).sum(dim=0)
    return ((end - start) * mean).detach().float().cpu()
