"""A counterfactual in pixels: Wachter, Mittelstadt & Russell 2017, "Counterfactual explanations"."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.evaluation.peers.counted import Counted


@final
@dataclass(frozen=True)
class PixelCounterfactual:
    """The change that gradient ascent on the pixels makes, without any generator: the floor.

    Parameters
    ----------
    steps : int, default 20
        Of ascent; normalised gradients.
    length : float, default 0.005
        Root mean square of a step, as a share of the value range.
    """

    steps: int = 20
    length: float = 0.005
    name: str = "pixel counterfactual"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, c, h, w)``; see `Peer`."""
        return (self.changed(classifier, x, target) - x).cpu()

    def changed(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Raise the target's margin.

        Parameters
        ----------
        classifier : Counted
            Differentiable.
        x : Tensor, shape (n, c, h, w)
            Grey values.
        target : int
            Index of the class.

        Returns
        -------
        Tensor, shape (n, c, h, w)
            Within the value range.
        """
        low, high = classifier.value_range
        now = x.detach().clone()
        for _ in range(self.steps):
            with torch.enable_grad():
                now.requires_grad_(True)
                (gradient,) = torch.autograd.grad(classifier.margins(now, target).sum(), now)
            size = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
            now = (now.detach() + self.length * (high - low) * gradient / size).clamp(low, high)
        return now
