"""Batches for networks that take one batch size only."""

import torch
from torch import Tensor


def split_into_chunks(x: Tensor, batch: int | None) -> list[Tensor]:
    """Split images into batches of the size that a network takes.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
        Images, at least one.
    batch : int or None
        The fixed batch size; None where any is taken.

    Returns
    -------
    list of Tensor, shape (batch, c, h, w) each
        The last is padded with its own last image: drop what the network gives beyond ``n``.

    Examples
    --------
    >>> [len(chunk) for chunk in split_into_chunks(torch.zeros(5, 1, 2, 2), 3)]
    [3, 3]
    """
    if batch is None:
        return [x]
    missing = -len(x) % batch
    padded = torch.cat([x, x[-1:].expand(missing, -1, -1, -1)]) if missing else x
    return list(torch.split(padded, batch))
