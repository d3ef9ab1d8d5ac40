"""What every classifier must keep, checked: for adapters of ours and of third parties."""

import torch
from torch import Tensor

from diffex.classifiers.classifier import Classifier

_UNIT = (0.0, 1.0)


def check_classifier(classifier: Classifier) -> None:
    """Check that a classifier keeps the contract.

    The same images give the same logits, alone or in a batch and in any value range; gradients
    reach the pixels if and only if the classifier says so; use leaves its state as it was and
    never switches training mode on.

    Parameters
    ----------
    classifier : Classifier
        What to check, with a few images of noise.

    Raises
    ------
    AssertionError
        That says what is not kept.
    """
    before = classifier.state_hash()
    shape = (5, classifier.card.channels, *classifier.card.size)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        _check_values(classifier, x)
    _check_gradient(classifier, x)
    _check_features(classifier, x)
    _check_mode(classifier)
    assert classifier.state_hash() == before, "state_hash changed by use: the network must not be altered"


def _check_values(classifier: Classifier, x: Tensor) -> None:
    logits = classifier.logits(x, _UNIT)
    expected = (len(x), len(classifier.card.class_names))
    assert logits.shape == expected, f"logits have shape {tuple(logits.shape)}, expected {expected}"
    assert logits.dtype == torch.float32, f"logits are {logits.dtype}, expected torch.float32"
    _same(logits, classifier.logits(x, _UNIT), "deterministic: two calls differ")
    alone = torch.cat([classifier.logits(row, _UNIT) for row in torch.split(x, 1)])
    _same(logits, alone, "batch-invariant: images alone and in a batch differ")
    _same(logits, classifier.logits(x * 255, (0.0, 255.0)), "range-invariant: [0, 255] and [0, 1] differ")
    _same(logits, classifier.logits(x * 2 - 1, (-1.0, 1.0)), "range-invariant: [-1, 1] and [0, 1] differ")


def _same(expected: Tensor, got: Tensor, what: str) -> None:
    tolerance = 1e-3 * max(1.0, float(expected.abs().max()))
    worst = float((expected - got).abs().max())
    assert worst <= tolerance, f"not {what} by {worst:.2g} in a logit"


def _check_gradient(classifier: Classifier, x: Tensor) -> None:
    pixels = x.clone().requires_grad_()
    logits = classifier.logits(pixels, _UNIT)
    if not classifier.differentiable:
        assert not logits.requires_grad, "differentiable is False, but logits carry a gradient"
        return
    assert logits.requires_grad, "differentiable is True, but logits carry no gradient"
    (gradient,) = torch.autograd.grad(logits.sum(), pixels)
    assert torch.isfinite(gradient).all(), "the gradient with respect to pixels is not finite"


def _check_features(classifier: Classifier, x: Tensor) -> None:
    maps = classifier.features(x, _UNIT)
    assert classifier.differentiable or not maps, "a black box gave feature maps, expected an empty list"
    assert all(one.ndim == 4 and len(one) == len(x) for one in maps), "feature maps are not (n, c, h, w)"


def _check_mode(classifier: Classifier) -> None:
    if classifier.module is not None:
        on = [name or "the network" for name, part in classifier.module.named_modules() if part.training]
        assert not on, f"training mode is on in {', '.join(on)}"
