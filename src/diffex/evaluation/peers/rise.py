"""RISE, re-implemented: Petsiuk, Das & Saenko 2018, "RISE: randomized input sampling for explanation"."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from diffex.evaluation.peers.counted import Counted

_TOGETHER = 128


@final
@dataclass(frozen=True)
class Rise:
    """Mean of random soft masks, weighted by the target's probability on the masked image.

    Parameters
    ----------
    masks : int, default 600
        Pictures asked per image; all images see the same masks.
    cells : int, default 7
        Side of the coarse grid.
    keep : float, default 0.5
        Chance that a cell is kept.
    seed : int, default 0
        Of the masks.
    """

    masks: int = 600
    cells: int = 7
    keep: float = 0.5
    seed: int = 0
    name: str = "RISE"

    def maps(self, classifier: Counted, x: Tensor, target: int) -> Tensor:
        """Explain images, ``(n, 1, h, w)``; see `Peer`."""
        masks = self.drawn(int(x.shape[2]), int(x.shape[3])).to(x)
        low = classifier.value_range[0]
        found = []
        for image in x:
            scores = torch.cat(
                [
                    classifier.probability(low + (image - low) * part, target)
                    for part in torch.split(masks, _TOGETHER)
                ]
            ).to(masks)
            found.append(torch.einsum("m,mchw->chw", scores, masks) / (len(masks) * self.keep))
        return torch.stack(found).cpu()

    def drawn(self, height: int, width: int) -> Tensor:
        """Draw masks: a coarse random grid, enlarged smoothly and shifted by a part of a cell.

        Parameters
        ----------
        height, width : int
            Of the images.

        Returns
        -------
        Tensor, shape (masks, 1, height, width)
            From 0 to 1.
        """
        generator = torch.Generator().manual_seed(self.seed)
        cell = (-(-height // self.cells), -(-width // self.cells))
        grid = (torch.rand(self.masks, 1, self.cells, self.cells, generator=generator) < self.keep).float()
        size = ((self.cells + 1) * cell[0], (self.cells + 1) * cell[1])
        large = functional.interpolate(grid, size=size, mode="bilinear", align_corners=False)
        tops = torch.randint(cell[0], (self.masks,), generator=generator).tolist()
        lefts = torch.randint(cell[1], (self.masks,), generator=generator).tolist()
        places = zip(large, tops, lefts, strict=True)
        return torch.stack([one[:, top : top + height, left : left + width] for one, top, left in places])
