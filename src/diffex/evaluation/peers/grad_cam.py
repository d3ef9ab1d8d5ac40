"""Grad-CAM by captum: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks"."""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.errors import InputError
from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.library import captum_methods


@final
@dataclass(frozen=True)
class GradCam:
    """Feature maps of the last convolution, weighted by their mean gradient, where positive."""

    name: str = "Grad-CAM"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, 1, h, w)``; see `Peer`.

        Parameters
        ----------
        classifier : Counted
            A module with convolutions.
        x : Tensor, shape (n, c, h, w)
            Grey values.
        target : int
            Index of the class.

        Returns
        -------
        Tensor
            Zero or more.

        Raises
        ------
        InputError
            If the classifier has no convolution.
        """
        layer = last_convolution(classifier, x[:1])
        method = captum_methods().LayerGradCam(lambda z: classifier.margins(z, target), layer)
        with torch.enable_grad():
            coarse = method.attribute(x.clone().requires_grad_(True), relu_attributions=True).detach()
        size = (int(x.shape[2]), int(x.shape[3]))
        return functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False).cpu()


def last_convolution(classifier: Counted, x: Tensor) -> nn.Module:
    """Find the last convolution whose output still has places.

    Parameters
    ----------
    classifier : Counted
        Run once; not counted, since any user would know the layer.
    x : Tensor, shape (1, c, h, w)
        An image.

    Returns
    -------
    nn.Module
        The layer.

    Raises
    ------
    InputError
        If there is none.
    """
    network, seen = classifier.classifier.module, list[nn.Module]()

    def keep(layer: nn.Module, _: Any, output: Tensor) -> None:
        if output.ndim == 4 and max(output.shape[2:]) > 1:
            seen.append(layer)

    layers = [] if network is None else [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    with torch.no_grad():
        classifier.classifier.logits(x, classifier.value_range)
    for hook in hooks:
        hook.remove()
    if not seen:
        raise InputError("Grad-CAM got a classifier without convolutions, expected one: leave this peer out.")
    return seen[-1]
