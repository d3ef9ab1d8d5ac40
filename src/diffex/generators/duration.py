"""How long a fit will take, from a few steps of it."""

import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from diffex.base.devices import autocast, best_precision
from diffex.base.noise import generator
from diffex.classifiers import Classifier
from diffex.classifiers.blackbox import BlackBoxTask, SmallConvNet
from diffex.classifiers.fitting import card_of
from diffex.generators.autoencoder import DiffusionAutoencoder, ImageForm
from diffex.generators.config import GeneratorConfig
from diffex.generators.fitting import logit_scale
from diffex.generators.losses import AutoencoderTask
from diffex.generators.pixels import PixelTransform
from diffex.images import Images, sample

_TIMED = 2
_BLACK_BOX = (64, 625)  # images of a step, and steps
_REST_S = 20.0  # reading images, code statistics, gates


def estimate_fit_seconds(
    images: Images,
    config: GeneratorConfig,
    classifier: Classifier | None,
    device: torch.device,
    black_box_steps: int | None = None,
) -> float:
    """Time a few steps of each training of a fit, and multiply.

    Parameters
    ----------
    images : Images
        The fitting images.
    config : GeneratorConfig
        Of the generator.
    classifier : Classifier or None
        The thing explained; without, or without gradients, a black box is trained too.
    device : torch.device
        Where to train.
    black_box_steps : int, optional
        Of the black box or twin.

    Returns
    -------
    float
        Seconds, right within a factor of two or so where the machine has nothing else to do.
    """
    own = classifier is None or not classifier.differentiable
    guide = _stand_in(images, classifier) if classifier is None or own else classifier
    seconds = _REST_S + config.steps * _generator_step(images, config, guide.to(device), device)
    if own:
        seconds += (black_box_steps or _BLACK_BOX[1]) * _black_box_step(images, guide, device)
    return seconds


def _stand_in(images: Images, classifier: Classifier | None) -> Classifier:
    """A black box of the right form, not trained."""
    names = None if classifier is None else classifier.card.class_names
    card = card_of(images, names)
    with torch.random.fork_rng(devices=[]):
        network = SmallConvNet(card.channels, len(card.class_names))
    return Classifier(network, card, differentiable=True)


def _generator_step(
    images: Images, config: GeneratorConfig, guide: Classifier, device: torch.device
) -> float:
    some = sample(images, config.batch_size, seed=0)
    form = ImageForm(images.channel_names, images.size, len(guide.card.class_names))
    model = DiffusionAutoencoder(config, form, PixelTransform.fit(some))
    scale = logit_scale(guide, some)
    task = AutoencoderTask(model, lambda x: guide.margins_and_features(x, images.value_range), scale)
    return step_seconds(task, {"x": some.read()}, device)


def _black_box_step(images: Images, guide: Classifier, device: torch.device) -> float:
    some = sample(images, _BLACK_BOX[0], seed=0)
    classes = len(guide.card.class_names)
    with torch.random.fork_rng(devices=[]):
        network = SmallConvNet(images.channels, classes)
    task = BlackBoxTask(network, guide.card, images.value_range, torch.ones(classes))
    return step_seconds(task, {"x": some.read(), "y": torch.arange(len(some)) % classes}, device)


def step_seconds(task: nn.Module, batch: Mapping[str, Tensor], device: torch.device) -> float:
    """Time one step of a training.

    Parameters
    ----------
    task : nn.Module
        As for `diffex.training.train`.
    batch : mapping
        What its step is given.
    device : torch.device
        Where to train.

    Returns
    -------
    float
        Seconds of forward and backward pass.
    """
    task.to(device).train()
    given = {name: value.to(device) for name, value in batch.items()}
    start = time.monotonic()
    for step in range(1 + _TIMED):
        if step == 1:
            start = time.monotonic()  # the first step pays for the warm-up
        with autocast(device, best_precision(device)):
            losses: dict[str, Tensor] = task(step, generator("duration", step), **given)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        float(losses["loss"].detach())  # waits for an accelerator
    return (time.monotonic() - start) / _TIMED
