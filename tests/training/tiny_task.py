"""A training of a second, as tests call it and as a process of its own: ``tiny_task.py FOLDER KILL_AT``."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from diffex.training import TrainConfig, train

COUNT = 10
CPU = torch.device("cpu")


class TinyTask(nn.Module):
    """A regression with batch norm (so that there are buffers), noise, and a step at which it ends badly."""

    def __init__(self, end_badly=lambda step: None):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.SiLU(), nn.Linear(6, 1))
        self.end_badly = end_badly

    def forward(self, step, generator, x, y):
        self.end_badly(step)
        noise = 0.1 * torch.randn(x.shape, generator=generator)
        return {"loss": (self.net(x + noise).float().squeeze(1) - y).square().mean(), "x": x.mean()}


def read(positions, generator):
    x = torch.randn(COUNT, 4, generator=torch.Generator().manual_seed(1))[torch.from_numpy(positions)]
    return {"x": x + 0.01 * torch.randn(x.shape, generator=generator), "y": x.sum(1)}


def config(**more):
    return TrainConfig(**{"steps": 12, "batch_size": 4, "lr": 0.02, "warmup": 3, "checkpoint_s": 0.0} | more)


def run(folder, *, task=None, check=None, settings=None, **more):
    task = task or TinyTask()
    return train(
        task, read, COUNT, config(**more), folder, device=CPU, what="test", check=check, settings=settings
    )


def kill_at(step):
    def end_badly(now):
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return end_badly


def main(folder, step):
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    state = run(folder, task=TinyTask(kill_at(step))).state_dict()
    rank = os.environ.get("RANK", "0")
    (folder / f"rank-{rank}.json").write_text(json.dumps({k: v.tolist() for k, v in state.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
