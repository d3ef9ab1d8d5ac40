"""Flips and quarter turns, one random draw per image."""

import torch
from torch import Tensor


def augment(x: Tensor, symmetry: str, generator: torch.Generator) -> Tensor:
    """Turn and flip images at random.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)``.
    symmetry : {"dihedral", "mirror", "none"}
        Quarter turns and flips (square images only turn), left-right flips, or nothing.
    generator : torch.Generator
        Of the draws.

    Returns
    -------
    Tensor
        ``(n, c, h, w)``.
    """
    if symmetry == "none":
        return x
    flips = torch.rand(len(x), generator=generator) < 0.5
    x = torch.where(flips.view(-1, 1, 1, 1), x.flip(3), x)
    if symmetry == "mirror" or x.shape[2] != x.shape[3]:
        return x
    turns = torch.randint(4, (len(x),), generator=generator).tolist()
    return torch.stack([torch.rot90(image, k, (1, 2)) for image, k in zip(x, turns, strict=True)])
