"""Noise: what a map that knows nothing scores, the baseline of Clark et al. 2023, "XAI-TRIS"."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.evaluation.peers.counted import Counted


@final
@dataclass(frozen=True)
class RandomMap:
    """Uniform noise; the classifier is not asked.

    Parameters
    ----------
    seed : int, default 0
        Of the noise.
    """

    seed: int = 0
    name: str = "random map"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, 1, h, w)``; see `Peer`."""
        del classifier, target
        generator = torch.Generator().manual_seed(self.seed)
        return torch.rand(len(x), 1, *x.shape[2:], generator=generator)
