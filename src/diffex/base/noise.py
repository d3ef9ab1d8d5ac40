"""Seeds and noise that depend on names, never on batch size, order or worker."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def derive_seed(*parts: object) -> int:
    """Derive a 63-bit seed from any printable parts.

    Parameters
    ----------
    *parts : object
        Anything whose ``str`` identifies it: an image id, a concept id, a seed.

    Returns
    -------
    int
        Non-negative, below 2**63; the same parts give the same seed on every machine.

    Examples
    --------
    >>> derive_seed("cell-1", 0) == derive_seed("cell-1", 0)
    True
    >>> derive_seed("cell-1", 0) == derive_seed("cell-1", 1)
    False
    """
    text = "\x1f".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """Make a CPU random generator seeded by `derive_seed` of the parts.

    Parameters
    ----------
    *parts : object
        As for `derive_seed`.

    Returns
    -------
    torch.Generator
        A fresh generator on the CPU.
    """
    return torch.Generator().manual_seed(derive_seed(*parts))


def noise_for(ids: Sequence[str], shape: tuple[int, ...], *stream: object) -> Tensor:
    """Draw standard normal noise, one row per image id.

    Parameters
    ----------
    ids : sequence of str
        Image ids; row ``i`` depends on ``ids[i]`` and `stream` alone.
    shape : tuple of int
        Shape of one row, for example ``(c, h, w)``.
    *stream : object
        What tells this noise from other noise of the same image, for example a seed.

    Returns
    -------
    Tensor
        ``(n, *shape)``, float32, on the CPU.
    """
    if not len(ids):
        return torch.empty(0, *shape)
    return torch.stack([torch.randn(shape, generator=generator(i, *stream)) for i in ids])
