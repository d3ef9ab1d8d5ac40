"""Several classifiers heard at once, so that an edit is rendered once for all of them."""

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from diffex.classifiers import Classifier, ClassifierCard

Part = slice
"""Columns of a voice."""


@final
class _Chorus(nn.Module):
    """Logits of several classifiers side by side."""

    def __init__(self, voices: tuple[Classifier, ...], value_range: tuple[float, float]) -> None:
        super().__init__()
        self._voices, self._range = voices, value_range

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([voice.logits(x, self._range).cpu() for voice in self._voices], dim=1)


def chorus(
    voices: Mapping[str, Classifier], value_range: tuple[float, float]
) -> tuple[Classifier, dict[str, Part]]:
    """Make one classifier whose logits are those of several, side by side.

    Parameters
    ----------
    voices : mapping of str to Classifier
        Of images of one size and channel count.
    value_range : (float, float)
        Of the pixels it will be given.

    Returns
    -------
    (Classifier, dict of str to slice)
        The classifier, and the columns of each voice.
    """
    first = next(iter(voices.values())).card
    card = ClassifierCard(
        class_names=tuple(f"{name}:{k}" for name, one in voices.items() for k in one.card.class_names),
        size=first.size,
        channels=first.channels,
        value_range=value_range,
        mean=(0.0,) * first.channels,
        std=(1.0,) * first.channels,
    )
    together = Classifier(_Chorus(tuple(voices.values()), value_range), card, differentiable=False)
    columns, start = {}, 0
    for name, one in voices.items():
        stop = start + len(one.card.class_names)
        columns[name] = slice(start, stop)
        start = stop
    return together, columns


@final
class _Blinkered(nn.Module):
    """A network that gets the mean picture in all channels but one."""

    def __init__(self, network: nn.Module, keep: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("keep", keep)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x * self.get_buffer("keep"))
        return logits


def blinkered(classifier: Classifier, channel: int) -> Classifier:
    """Make a classifier that cannot see any channel but one.

    The network's input is standardised, so that 0 is the mean: all other channels are set to it.

    Parameters
    ----------
    classifier : Classifier
        A wrapped module.
    channel : int
        The one it sees.

    Returns
    -------
    Classifier
        With the same card; its logits do not depend on the other channels.
    """
    assert classifier.module is not None
    keep = torch.zeros(classifier.card.channels, 1, 1)
    keep[channel] = 1.0
    network = _Blinkered(classifier.module, keep.to(classifier.device))
    return Classifier(network, classifier.card, differentiable=classifier.differentiable, address="blinkered")
