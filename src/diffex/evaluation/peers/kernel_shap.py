"""KernelSHAP by captum: Lundberg & Lee 2017, "A unified approach to interpreting model predictions"."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.library import captum_methods
from diffex.evaluation.peers.superpixels import explained_by_parts


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
        return explained_by_parts(method, classifier, x, samples=self.samples, seed=self.seed)
