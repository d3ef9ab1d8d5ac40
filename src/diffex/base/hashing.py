"""Content hashes of weights and values."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diffex.base.files import plain


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Hash named tensors by name, shape, dtype and bytes.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        For example a ``state_dict``.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()


def hash_value(value: Any) -> str:
    """Hash anything JSON can hold.

    Parameters
    ----------
    value : object
        A nested structure; order of mapping keys does not matter.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    text = json.dumps(plain(value), sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
