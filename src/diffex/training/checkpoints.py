"""The state of a training as plain tensors and numbers: no pickle, whole or absent."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffex.base.errors import FolderError
from diffex.base.files import load_tensors, plain, read_json, save_tensors, write_json
from diffex.training.kept import Kept

_STATE = "state-{step}.safetensors"
_HEAD = "training.json"


def save_checkpoint(
    folder: Path, step: int, module: nn.Module, kept: Kept, optimizer: torch.optim.Optimizer, fixed: Any
) -> None:
    """Write weights, moving average, optimiser state and step; the head file is renamed last.

    Parameters
    ----------
    folder : Path
        Where checkpoints live.
    step : int
        Steps done.
    module : nn.Module
        The trained module.
    kept : Kept
        Moving average and best weights so far.
    optimizer : Optimizer
        Its state is flattened to tensors.
    fixed : object
        What must not change on resume (configuration, precision); JSON.
    """
    tensors = {f"model.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"kept.{k}": v for k, v in kept.tensors().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
    name = _STATE.format(step=step)
    save_tensors(folder / name, tensors)
    write_json(folder / _HEAD, {"step": step, "state": name, "fixed": fixed})
    for old in folder.glob(_STATE.format(step="*")):
        if old.name != name:
            old.unlink()


def load_checkpoint(
    folder: Path, module: nn.Module, kept: Kept, optimizer: torch.optim.Optimizer, fixed: Any
) -> int:
    """Restore a training in place.

    Parameters
    ----------
    folder : Path
        Where checkpoints live.
    module, kept, optimizer
        As for `save_checkpoint`; overwritten.
    fixed : object
        Must equal what the first checkpoint recorded.

    Returns
    -------
    int
        Steps already done; 0 where there is no checkpoint.

    Raises
    ------
    FolderError
        If the folder holds a training of another configuration.
    """
    if not (folder / _HEAD).exists():
        return 0
    head, fixed = read_json(folder / _HEAD), plain(fixed)
    if head["fixed"] != fixed:
        changed = sorted(k for k in {*head["fixed"], *fixed} if head["fixed"].get(k) != fixed.get(k))
        raise FolderError(
            f"{folder} holds an unfinished training with other settings ({', '.join(changed)}): "
            "repeat the command with the settings it began with, or choose another --out."
        )
    tensors = load_tensors(folder / head["state"])
    module.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    kept.load({k[5:]: v for k, v in tensors.items() if k.startswith("kept.")})
    optimizer.load_state_dict(_optimizer_state(optimizer, tensors))
    return int(head["step"])


def _optimizer_state(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def append_metrics(folder: Path, metrics: dict[str, float]) -> None:
    """Add one line to ``metrics.jsonl``.

    Parameters
    ----------
    folder : Path
        Where the training lives.
    metrics : dict
        Step and values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(metrics) + "\n")


def clear(folder: Path) -> None:
    """Remove checkpoints of a finished training; metrics stay.

    Parameters
    ----------
    folder : Path
        Where checkpoints live.
    """
    half_written = folder.glob("." + _STATE.format(step="*") + "*")  # by a process killed while it wrote
    for path in [folder / _HEAD, *folder.glob(_STATE.format(step="*")), *half_written]:
        path.unlink(missing_ok=True)
