"""The training loop: accelerate for devices, batches that depend on the step alone."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from diffex.base.devices import Precision, autocast, best_precision
from diffex.base.noise import derive_seed, generator
from diffex.base.progress import progress
from diffex.training.checkpoints import append_metrics, clear, load_checkpoint, save_checkpoint
from diffex.training.kept import Kept

Batch = dict[str, Tensor]
ReadBatch = Callable[[NDArray[np.int64], torch.Generator], Batch]


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast to train.

    Parameters
    ----------
    steps : int
        Optimiser steps; training stops by step, never by clock.
    batch_size : int
        Images per step, over all processes together.
    lr : float
        Peak learning rate of AdamW; linear warm-up over `warmup` steps, then cosine to 2 % of it.
    warmup : int
        Steps of warm-up.
    weight_decay : float
        AdamW's.
    ema : float
        Decay of the moving average, warmed up as ``min(ema, (1 + n) / (10 + n))``.
    seed : int
        Of batches, noise and augmentation.
    checkpoint_s : float
        Seconds between checkpoints; does not change the result.
    """

    steps: int
    batch_size: int = 48
    lr: float = 8e-4
    warmup: int = 100
    weight_decay: float = 0.01
    ema: float = 0.998
    seed: int = 0
    checkpoint_s: float = 60.0


def train(
    task: nn.Module,
    read: ReadBatch,
    count: int,
    config: TrainConfig,
    folder: Path,
    *,
    device: torch.device,
    what: str,
    check: Callable[[], float] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Train until `config.steps`; a killed training goes on from its last checkpoint.

    Parameters
    ----------
    task : nn.Module
        ``task(step, generator, **batch)`` returns a dict of scalar losses, the first of them,
        ``"loss"``, is minimised. Its trainable parameters are those with ``requires_grad``.
    read : callable
        ``read(positions, generator)`` returns the batch for those images.
    count : int
        How many images there are; each epoch is a permutation drawn from the seed.
    config : TrainConfig
        Steps, batch size and rates.
    folder : Path
        Checkpoints and ``metrics.jsonl``.
    device : torch.device
        Where to train.
    what : str
        Shown beside the progress.
    check : callable, optional
        Early stopping: called with the moving average in place at ten evenly spaced steps from a
        fifth of the training on; the first weights with the smallest value are returned.
    settings : mapping, optional
        What else must be the same when a killed training goes on (architecture, losses, data); JSON.

    Returns
    -------
    nn.Module
        `task`, in eval mode, with the moving average as its weights.

    Raises
    ------
    FolderError
        If the folder holds an unfinished training with other settings; it is left as it is.

    Notes
    -----
    On one CPU the result is the same bit for bit whether or not the training was interrupted:
    batches and noise of a step depend on the seed and the step alone.
    """
    accelerator = Accelerator(cpu=device.type == "cpu")
    parameters = [p for p in task.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay, foreach=True
    )
    task.to(device).train()
    kept = Kept.start(parameters)
    precision = best_precision(device)
    fixed = {**(settings or {}), **_fixed(config, count, precision, accelerator.num_processes)}
    done = load_checkpoint(folder, task, kept, optimizer, fixed)
    wrapped, stepper = accelerator.prepare(task, optimizer)
    checks = set(np.linspace(config.steps / 5, config.steps, 10).astype(int)) if check else set()
    saved = time.monotonic()
    for step in progress(range(done, config.steps), what, config.steps - done):
        losses = _step(step, wrapped, stepper, read, count, config, accelerator, precision)
        kept.update(parameters, step, config.ema)
        if check is not None and step + 1 in checks:
            kept.judge(task, parameters, check)
        if accelerator.is_main_process:
            if step % 50 == 0 or step == config.steps - 1:
                append_metrics(folder, {"step": step, **{k: float(v.detach()) for k, v in losses.items()}})
            if time.monotonic() - saved > config.checkpoint_s:
                save_checkpoint(folder, step + 1, task, kept, optimizer, fixed)
                saved = time.monotonic()
    kept.restore(task, parameters)
    accelerator.wait_for_everyone()  # a slower process may still have to read the checkpoint
    if accelerator.is_main_process:
        clear(folder)
    return task.eval()


def _fixed(config: TrainConfig, count: int, precision: Precision, processes: int) -> dict[str, Any]:
    settings = {k: v for k, v in asdict(config).items() if k != "checkpoint_s"}
    machine = {"precision": precision, "threads": torch.get_num_threads(), "processes": processes}
    return {**settings, "images": count, **machine}


def _step(
    step: int,
    wrapped: nn.Module,
    optimizer: Any,
    read: ReadBatch,
    count: int,
    config: TrainConfig,
    accelerator: Accelerator,
    precision: Precision,
) -> dict[str, Tensor]:
    rank, world = accelerator.process_index, accelerator.num_processes
    positions = batch_positions(step, count, config.batch_size, config.seed)[rank::world]
    batch = read(positions, generator("read", config.seed, step, rank))
    batch = {k: v.to(accelerator.device) for k, v in batch.items()}
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, config)
    with autocast(accelerator.device, precision):
        losses: dict[str, Tensor] = wrapped(step, generator("step", config.seed, step, rank), **batch)
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(losses["loss"])
    accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
    optimizer.step()
    return losses


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate as a pure function of the step: linear warm-up, then cosine.

    Parameters
    ----------
    step : int
        From 0.
    config : TrainConfig
        Peak, warm-up and steps.

    Returns
    -------
    float
        The rate of this step.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    fraction = min(1.0, step / max(1, config.steps))
    return config.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fraction)))


def batch_positions(step: int, count: int, batch_size: int, seed: int) -> NDArray[np.int64]:
    """Positions of the images of a step: consecutive pieces of one permutation per epoch.

    Parameters
    ----------
    step : int
        From 0.
    count : int
        Images in the set.
    batch_size : int
        Images per step; may exceed `count`.
    seed : int
        Of the permutations.

    Returns
    -------
    ndarray of int, shape (batch_size,)
        A pure function of the arguments.
    """
    wanted = np.arange(step * batch_size, (step + 1) * batch_size)
    orders = {e: _permutation(int(e), count, seed) for e in np.unique(wanted // count)}
    return np.array([orders[i // count][i % count] for i in wanted], dtype=np.int64)


def _permutation(epoch: int, count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(derive_seed("epoch", seed, epoch)).permutation(count)
