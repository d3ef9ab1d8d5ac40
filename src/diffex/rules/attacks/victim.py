"""What is attacked: a classifier, and where its gradients come from."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from diffex.classifiers import Classifier


@final
@dataclass(frozen=True, eq=False)
class Victim:
    """A classifier under attack.

    Parameters
    ----------
    name : str
        For people.
    classifier : Classifier
        What has to be fooled.
    guide : Classifier
        Gives gradients: the classifier itself, or a twin of one that has none.
    """

    name: str
    classifier: Classifier
    guide: Classifier

    @property
    def path(self) -> str:
        """Where gradients come from, in words."""
        return "its own" if self.guide is self.classifier else "of a network taught to do the same"

    def network(self, value_range: tuple[float, float], scale: float) -> "GuidedNetwork":
        """Make what attacks work on.

        Parameters
        ----------
        value_range : (float, float)
            Of the images' pixels.
        scale : float
            Logits are divided by it; decisions stay, and a loss of large logits has a gradient again.

        Returns
        -------
        GuidedNetwork
            Of pixels in [0, 1].
        """
        return GuidedNetwork(self, value_range, scale)


@final
class GuidedNetwork(nn.Module):
    """The classifier's logits forward, its guide's gradients backward.

    Of two classes the guide's logits stand in where gradients are asked for: every loss then has the same
    direction, whatever the logits.

    Parameters
    ----------
    victim : Victim
        Classifier and guide.
    value_range : (float, float)
        Of the images' pixels.
    scale : float
        Divides the logits.

    Notes
    -----
    Athalye, Carlini and Wagner 2018, "Obfuscated Gradients Give a False Sense of Security" (backward pass
    differentiable approximation).
    """

    def __init__(self, victim: Victim, value_range: tuple[float, float], scale: float) -> None:
        super().__init__()
        self._victim, self._range, self._scale = victim, value_range, scale

    def forward(self, x: Tensor) -> Tensor:
        """Classify pixels ``(n, c, h, w)`` in [0, 1] to logits ``(n, k)``."""
        low, high = self._range
        pixels, victim = low + (high - low) * x, self._victim
        if victim.guide is victim.classifier:
            return victim.classifier.logits(pixels, self._range).to(x.device) / self._scale
        if torch.is_grad_enabled() and x.requires_grad:
            leaning = victim.guide.logits(pixels, self._range).to(x.device)
            if leaning.shape[1] == 2:  # either loss has one direction: the classifier need not be asked
                return leaning / self._scale
            shown = victim.classifier.logits(pixels.detach(), self._range).to(x.device)
            return (shown + leaning - leaning.detach()) / self._scale
        return victim.classifier.logits(pixels, self._range).to(x.device) / self._scale
