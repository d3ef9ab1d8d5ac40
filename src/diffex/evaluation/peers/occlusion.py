"""Occlusion by captum: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks"."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.library import captum_methods

_TOGETHER = 8


@final
@dataclass(frozen=True)
class Occlusion:
    """Change of the margin where a square of one channel is blackened.

    Parameters
    ----------
    share : int, default 8
        The square's side is this part of the image's; it moves by half of that.
    """

    share: int = 8
    name: str = "Occlusion"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, c, h, w)``; see `Peer`."""
        method = captum_methods().Occlusion(lambda z: classifier.margins(z, target))
        height, width = (max(2, int(side) // self.share) for side in x.shape[2:])
        with torch.no_grad():
            found: Tensor = method.attribute(
                x,
                sliding_window_shapes=(1, height, width),
                strides=(1, height // 2, width // 2),
                baselines=classifier.value_range[0],
                perturbations_per_eval=_TOGETHER,
            )
        return found.float().cpu()
