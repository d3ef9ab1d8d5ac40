"""Integrated gradients by captum: Sundararajan et al. 2017, "Axiomatic attribution for deep networks"."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.library import captum_methods

_TOGETHER = 256


@final
@dataclass(frozen=True)
class IntegratedGradients:
    """Gradients on the straight line from black to the image, times the difference.

    Parameters
    ----------
    steps : int, default 32
        Points of the line.
    """

    steps: int = 32
    name: str = "Integrated Gradients"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, c, h, w)``; see `Peer`."""
        black = torch.full_like(x, classifier.value_range[0])
        return integrated_gradients(classifier, black, x, target, self.steps)


def integrated_gradients(classifier: Counted, start: Tensor, end: Tensor, target: int, steps: int) -> Tensor:
    """Tell what each pixel adds to the change of the margin from some images to others.

    Parameters
    ----------
    classifier : Counted
        Asked for gradients.
    start, end : Tensor, shape (n, c, h, w)
        Grey values.
    target : int
        Index of the class.
    steps : int
        Points of the straight line between them.

    Returns
    -------
    Tensor, shape (n, c, h, w)
        Signed.
    """
    method = captum_methods().IntegratedGradients(lambda z: classifier.margins(z, target))
    found: Tensor = method.attribute(
        end.clone().requires_grad_(True), baselines=start, n_steps=steps, internal_batch_size=_TOGETHER
    )
    return found.detach().float().cpu()
