"""A trial run of a classifier: what does not fit is said now and not after an hour's fit."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffex.base.errors import ClassifierError
from diffex.classifiers.card import ClassifierCard

if TYPE_CHECKING:
    from diffex.classifiers.classifier import Classifier


def try_out(classifier: "Classifier") -> None:
    """Classify a mid-grey image and one of noise, so that what does not fit is said at once.

    Parameters
    ----------
    classifier : Classifier
        Freshly made.

    Raises
    ------
    ClassifierError
        If the network fails, gives other than finite logits of the card's classes, probabilities,
        other logits the second time, or no gradient where one is promised; or if it changes itself.
    """
    before = classifier.state_hash()
    x = _trial_images(classifier.card).requires_grad_(classifier.differentiable)
    with torch.enable_grad():
        first = _try_logits(classifier, x)
    _refuse_probabilities(first.detach() * classifier.card.temperature, classifier.address)
    if classifier.differentiable and not _gradient_reaches(first, x):
        raise ClassifierError(
            f"Classifier {classifier.address} got no gradient from its logits to its input, expected one: "
            "pass differentiable=False, or remove no_grad and detach from its forward."
        )
    if not torch.allclose(first, _try_logits(classifier, x), rtol=1e-3, atol=1e-4):
        raise ClassifierError(
            f"Classifier {classifier.address} got different logits for the same images, expected the same: "
            "switch off its dropout or other randomness (export it in evaluation mode)."
        )
    if classifier.state_hash() != before:
        raise ClassifierError(
            f"Classifier {classifier.address} got other buffers after two images, expected no change: "
            "export it in evaluation mode (module.eval())."
        )


def _try_logits(classifier: "Classifier", x: Tensor) -> Tensor:
    try:
        return classifier.logits(x, classifier.card.value_range)
    except ClassifierError:
        raise
    except Exception as error:  # networks fail with errors of any kind
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        shape = "x".join(str(side) for side in x.shape)
        raise ClassifierError(
            f"Classifier {classifier.address} got a trial input of {shape} and failed ({reason}), expected "
            "logits: correct channels and size to what the network takes."
        ) from error


def _trial_images(card: ClassifierCard) -> Tensor:
    """Make one mid-grey image and one of noise, in the card's range."""
    low, high = card.value_range
    shape = (card.channels, *card.size)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return low + (high - low) * torch.stack([torch.full(shape, 0.5), noise])


def _gradient_reaches(logits: Tensor, x: Tensor) -> bool:
    if not logits.requires_grad:
        return False
    with torch.enable_grad():
        total = logits.sum()
    return torch.autograd.grad(total, x, allow_unused=True)[0] is not None


def _refuse_probabilities(logits: Tensor, address: str) -> None:
    inside = bool(((logits > 0) & (logits < 1)).all())
    if inside and torch.allclose(logits.sum(dim=1), torch.ones(len(logits)).to(logits.device), atol=1e-5):
        raise ClassifierError(
            f"Classifier {address} got outputs that sum to 1 (probabilities), expected logits: "
            "remove its softmax, or return the logarithm of the probabilities."
        )
