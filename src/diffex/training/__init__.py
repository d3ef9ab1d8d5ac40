"""One loop for every network: checkpoints, resume, moving average, metrics."""

from diffex.training.loop import TrainConfig, train

__all__ = ["TrainConfig", "train"]
