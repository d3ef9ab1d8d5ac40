"""The middle of the image: a baseline of Judd et al. 2012, "A benchmark of models of saliency"."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.evaluation.peers.counted import Counted

_SIGMA = 0.25


@final
@dataclass(frozen=True)
class CentrePrior:
    """A Gaussian around the centre, a quarter of the image wide; the classifier is not asked."""

    name: str = "centre prior"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, 1, h, w)``; see `Peer`."""
        del classifier, target
        height, width = int(x.shape[2]), int(x.shape[3])
        rows, columns = ((torch.arange(side) + 0.5) / side - 0.5 for side in (height, width))
        square = rows.square().view(-1, 1) + columns.square().view(1, -1)
        return torch.exp(-square / (2 * _SIGMA**2)).expand(len(x), 1, height, width)
