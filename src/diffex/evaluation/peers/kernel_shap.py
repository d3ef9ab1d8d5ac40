"""KernelSHAP by captum: Lundberg & Lee 2017, "A unified approach to interpreting model predictions"."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.library import captum_methods
from diffex.evaluation.peers.superpixels import superpixels

_TOGETHER = 64


@final
@dataclass(frozen=True)
class KernelShap:
    """Shapley values of superpixels against black, by weighted least squares.

    Parameters
    ----------
    samples : int, default 300
        Pictures asked per image.
    seed : int, default 0
        Of the pictures.
    """

    samples: int = 300
    seed: int = 0
    name: str = "KernelSHAP"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, 1, h, w)``; see `Peer`."""
        method = captum_methods().KernelShap(lambda z: classifier.margins(z, target))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.seed)
            found = [
                method.attribute(
                    one,
                    baselines=classifier.value_range[0],
                    feature_mask=superpixels(one).to(one.device),
                    n_samples=self.samples,
                    perturbations_per_eval=_TOGETHER,
                )[:, :1]
                for one in torch.split(x, 1)
            ]
        return torch.cat(found).float().cpu()
