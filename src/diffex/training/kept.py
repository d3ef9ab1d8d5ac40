"""What a training keeps beside the live weights: their moving average, and the best so far."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn


@final
@dataclass
class Kept:
    """Moving average of the parameters, and the best average with the buffers of its time.

    Parameters
    ----------
    average : list of Tensor
        In the order of the trainable parameters.
    best : list of Tensor
        Parameters, then buffers; empty until the first judgement.
    value : float
        What the check gave for `best`; smaller is better.
    """

    average: list[Tensor]
    best: list[Tensor]
    value: float

    @classmethod
    def start(cls, parameters: list[nn.Parameter]) -> "Kept":
        """Begin with the initial weights."""
        return cls([p.detach().clone() for p in parameters], [], float("inf"))

    @torch.no_grad()
    def update(self, parameters: list[nn.Parameter], step: int, decay: float) -> None:
        """Move the average towards the live weights; the decay is warmed up."""
        torch._foreach_lerp_(self.average, list(parameters), 1 - min(decay, (1 + step) / (10 + step)))

    @torch.no_grad()
    def judge(self, task: nn.Module, parameters: list[nn.Parameter], check: Callable[[], float]) -> None:
        """Keep the average if `check`, called with it in place, is the smallest so far."""
        live = [p.detach().clone() for p in parameters]
        _put(parameters, self.average)
        value = check()
        if value < self.value:
            self.value = value
            self.best = [v.detach().clone() for v in [*parameters, *task.buffers()]]
        _put(parameters, live)

    @torch.no_grad()
    def restore(self, task: nn.Module, parameters: list[nn.Parameter]) -> None:
        """Put the best weights in place; the average where nothing was judged."""
        _put(parameters, self.average)
        if self.best:
            _put([*parameters, *task.buffers()], self.best)

    def tensors(self) -> dict[str, Tensor]:
        """Name everything, for a checkpoint."""
        named = {f"average.{i}": v for i, v in enumerate(self.average)}
        named |= {f"best.{i}": v for i, v in enumerate(self.best)}
        return {**named, "value": torch.tensor(self.value, dtype=torch.float64)}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave."""
        for index, average in enumerate(self.average):
            average.copy_(tensors[f"average.{index}"])
        count = sum(name.startswith("best.") for name in tensors)
        self.best = [tensors[f"best.{i}"] for i in range(count)]
        self.value = float(tensors["value"])


def _put(targets: list[nn.Parameter] | list[Tensor], values: list[Tensor]) -> None:
    for target, value in zip(targets, values, strict=True):
        target.copy_(value)
