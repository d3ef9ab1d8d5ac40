"""The image itself: bright things are what a stain shows, whatever a classifier does."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from diffex.evaluation.peers.counted import Counted


@final
@dataclass(frozen=True)
class Intensity:
    """Grey values above black; the classifier is not asked."""

    name: str = "raw intensity"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, c, h, w)``; see `Peer`."""
        del target
        return (x - classifier.value_range[0]).cpu()
