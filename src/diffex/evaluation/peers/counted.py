"""A classifier that counts what it is asked, so that peers are compared at their cost."""

from typing import Protocol, final

import torch
from torch import Tensor

from diffex.classifiers import Classifier
from diffex.classifiers.margins import margin, probabilities


@final
class Counted:
    """A classifier bound to the value range of the images, with the count of its evaluations.

    Parameters
    ----------
    classifier : Classifier
        The thing explained.
    value_range : (float, float)
        Of the pixels it will be given.

    Attributes
    ----------
    evaluations : int
        Images forward, and 2 more for each image of a backward pass.
    """

    def __init__(self, classifier: Classifier, value_range: tuple[float, float]) -> None:
        self.classifier = classifier
        self.value_range = value_range
        self.evaluations = 0

    def margins(self, x: Tensor, target: int) -> Tensor:
        """Give the target's logit margin of ``(n, c, h, w)`` grey values, ``(n,)``; gradients flow."""
        found = margin(self._logits(x), target)
        if found.requires_grad:
            found.register_hook(self._count_backward)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return found

    def probability(self, x: Tensor, target: int) -> Tensor:
        """Give the target's probability of ``(n, c, h, w)`` grey values, ``(n,)``, without gradients."""
        with torch.no_grad():
            return probabilities(self._logits(x))[:, target]

    def _logits(self, x: Tensor) -> Tensor:
        self.evaluations += len(x)
        return self.classifier.logits(x, self.value_range)

    def _count_backward(self, gradient: Tensor) -> None:
        self.evaluations += 2 * len(gradient)


class Peer(Protocol):
    """A method that says where a classifier looks."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images.

        Parameters
        ----------
        classifier : Counted
            Asked as often as the method needs.
        x : Tensor, shape (n, c, h, w)
            Grey values.
        target : int
            Index of the class.

        Returns
        -------
        Tensor, shape (n, c, h, w) or (n, 1, h, w)
            Of any sign and scale; one channel where the method cannot tell channels apart.
        """
        ...
