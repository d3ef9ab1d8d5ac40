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
        method = captum_methods().IntegratedGradients(lambda z: classifier.margins(z, target))
        found: Tensor = method.attribute(
            x.clone().requires_grad_(True),
            baselines=torch.full_like(x, classifier.value_range[0]),
            n_steps=self.steps,
            internal_batch_size=_TOGETHER,
        )
        return found.detach().float().cpu()
