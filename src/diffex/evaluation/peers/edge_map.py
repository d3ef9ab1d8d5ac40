"""Edges of the image: the baseline of Adebayo et al. 2018, "Sanity checks for saliency maps"."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from diffex.evaluation.peers.counted import Counted


@final
@dataclass(frozen=True)
class EdgeMap:
    """Sobel's gradient of each channel; the classifier is not asked."""

    name: str = "edge map"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, c, h, w)``; see `Peer`."""
        del classifier, target
        planes = x.cpu().numpy().reshape(-1, *x.shape[2:])
        return (
            torch.from_numpy(
                np.stack([ndimage.generic_gradient_magnitude(plane, ndimage.sobel) for plane in planes])
            )
            .reshape(x.shape)
            .float()
        )
