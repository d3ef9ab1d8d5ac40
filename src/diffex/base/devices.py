"""Where networks run, and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from diffex.base.errors import InputError

Precision = Literal["fp32", "bf16"]


def resolve_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``mps`` into a device that exists.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        ``auto`` takes the first accelerator found, else the CPU.

    Returns
    -------
    torch.device
        A device that can be used now.

    Raises
    ------
    InputError
        If the name is unknown or the device absent.
    """
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if found[kind]))
    kind = name.split(":")[0]
    if not found.get(kind, False):
        have = ", ".join(k for k, there in found.items() if there)
        raise InputError(f"--device got {name!r}, expected auto or one that is here ({have}).")
    return torch.device(name)


def best_precision(device: torch.device) -> Precision:
    """Choose bf16 where the hardware computes in it, else fp32.

    Parameters
    ----------
    device : torch.device
        Where the network runs. CPUs without bf16 instructions are slower with it.

    Returns
    -------
    {"fp32", "bf16"}
        The precision for `autocast`.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if device.type == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16" if fast else "fp32"
    return "fp32"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Open a mixed-precision context.

    Parameters
    ----------
    device : torch.device
        Where the network runs.
    precision : {"fp32", "bf16"}
        ``fp32`` gives an empty context.

    Returns
    -------
    context manager
        Use it around forward passes; losses are computed in fp32 outside.
    """
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
