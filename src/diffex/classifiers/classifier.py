"""The thing explained: pixels in their own value range go in, logits come out."""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from diffex.base.errors import ClassifierError
from diffex.base.hashing import hash_tensors, hash_value
from diffex.classifiers.alignment import mismatch
from diffex.classifiers.card import ClassifierCard, make_card
from diffex.classifiers.chunks import split_into_chunks
from diffex.classifiers.feature_maps import record_feature_maps
from diffex.classifiers.margins import margins
from diffex.classifiers.network import Network, check_precision, first_channels, state_tensors
from diffex.classifiers.preprocessing import normalise
from diffex.classifiers.trial import try_out
from diffex.images.images import Images


@final
class Classifier:
    """A network together with its card: the only way by which pixels reach the network.

    Use `Classifier.wrap` for a network of your own, `open_classifier` for one on disk or a hub.

    Parameters
    ----------
    network : nn.Module or callable
        Takes a float32 tensor ``(n, channels, *size)``, normalised as the card says, and returns
        logits ``(n, classes)``, or ``(n, 1)`` for two classes. A module is put in evaluation mode
        and its parameters are frozen; it is not copied.
    card : ClassifierCard
        What the network expects.
    differentiable : bool
        Whether gradients flow from logits to pixels.
    address : str, default "python"
        Where it came from, as for `open_classifier`.
    content : str, default ""
        Hash of what a callable computes with (a file), part of `state_hash`.
    batch : int, optional
        The only batch size that the network takes; by default it takes any.

    Raises
    ------
    ClassifierError
        If a trial with two images shows that network and card do not fit.
    """

    def __init__(
        self,
        network: Network,
        card: ClassifierCard,
        *,
        differentiable: bool,
        address: str = "python",
        content: str = "",
        batch: int | None = None,
    ) -> None:
        self.card = card
        self.differentiable = differentiable
        self.address = address
        self._network = network
        self._content = content
        self._batch = batch
        if isinstance(network, nn.Module):
            network.eval().requires_grad_(False)
            check_precision(network)
        try_out(self)

    def __repr__(self) -> str:
        """Say what it is in one line."""
        height, width = self.card.size
        names = ", ".join(self.card.class_names[:4]) + (", ..." if len(self.card.class_names) > 4 else "")
        kind = "differentiable" if self.differentiable else "black box"
        return f"Classifier({self.address}: {self.card.channels}x{height}x{width} -> {names}; {kind})"

    @classmethod
    def wrap(
        cls,
        module_or_callable: Network,
        *,
        class_names: Sequence[str],
        size: int | tuple[int, int],
        channels: int | None = None,
        value_range: tuple[float, float] = (0.0, 1.0),
        mean: float | Sequence[float] = 0.5,
        std: float | Sequence[float] = 0.5,
        differentiable: bool | None = None,
        address: str = "python",
    ) -> "Classifier":
        """Make a classifier of a module or a function.

        Parameters
        ----------
        module_or_callable : nn.Module or callable
            Takes a normalised float32 tensor ``(n, c, h, w)`` and returns logits (never
            probabilities): a tensor, an array or nested lists. A module is put in evaluation mode
            and its parameters are frozen.
        class_names : sequence of str
            In the order of the logits.
        size : int or (int, int)
            Height and width that the network takes; other sizes are resized to it.
        channels : int, optional
            Input channels; by default those of the module's first convolution.
        value_range : (float, float), default (0, 1)
            Range of the pixels in training, before `mean` and `std`.
        mean, std : float or sequence of float, default 0.5
            Per channel, in units of `value_range`.
        differentiable : bool, optional
            Whether gradients reach the pixels; default True for modules, False for functions.
        address : str, default "python"
            A name for it, kept in results.

        Returns
        -------
        Classifier
            Checked with two images.

        Raises
        ------
        ClassifierError
            If class count, channels, size or range do not fit the network, or logits are not finite.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> Classifier.wrap(net, class_names=["DMSO", "drug"], size=28)
        Classifier(python: 1x28x28 -> DMSO, drug; differentiable)
        """
        is_module = isinstance(module_or_callable, nn.Module)
        fields = {
            "class_names": tuple(class_names),
            "size": (size, size) if isinstance(size, int) else tuple(size),
            "channels": channels if channels is not None else first_channels(module_or_callable, mean),
            "value_range": value_range,
            "mean": mean if isinstance(mean, int | float) else tuple(mean),
            "std": std if isinstance(std, int | float) else tuple(std),
        }
        return cls(
            module_or_callable,
            make_card(fields, "Classifier.wrap"),
            differentiable=is_module if differentiable is None else differentiable,
            address=address,
        )

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are; the CPU for functions."""
        tensors = state_tensors(self._network).values()
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return len(self.card.class_names)

    @property
    def module(self) -> nn.Module | None:
        """The network where it is an ``nn.Module`` (for saving it); None for functions."""
        return self._network if isinstance(self._network, nn.Module) else None

    def to(self, device: torch.device | str) -> "Classifier":
        """Move the network.

        Parameters
        ----------
        device : torch.device or str
            Where to; functions stay where they are.

        Returns
        -------
        Classifier
            This one.
        """
        if isinstance(self._network, nn.Module):
            self._network.to(device)
        return self

    def logits(self, x: Tensor, value_range: tuple[float, float]) -> Tensor:
        """Classify images.

        Maps `x` from `value_range` onto the card's range, resizes it to the card's size, subtracts
        the mean, divides by the standard deviation, runs the network in evaluation mode in fp32
        and divides the logits by the card's temperature.

        Parameters
        ----------
        x : Tensor, shape (n, c, h, w)
            Pixels, any size.
        value_range : (float, float)
            What the numbers in `x` can be, as ``images.value_range``.

        Returns
        -------
        Tensor, shape (n, k)
            float32; gradients flow to `x` if `differentiable`.

        Raises
        ------
        ClassifierError
            If the channels do not fit, or logits are not finite.
        """
        if not len(x):
            return torch.zeros(0, len(self.card.class_names), device=self.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.differentiable):
            logits = self._two_columns(self._outputs(self.preprocess(x, value_range)))
            self._check_logits(logits, len(x))
            return logits / self.card.temperature

    def features(self, x: Tensor, value_range: tuple[float, float], max_maps: int = 4) -> list[Tensor]:
        """Give feature maps at several scales, for perceptual distances.

        The last output of a convolution at each spatial size, from fine to coarse as a rule; modules
        and exported programs alike.

        Parameters
        ----------
        x : Tensor, shape (n, c, h, w)
            Pixels, any size.
        value_range : (float, float)
            What the numbers in `x` can be.
        max_maps : int, default 4
            How many at most; the deepest are kept.

        Returns
        -------
        list of Tensor, shape (n, channels, height, width) each
            Empty for black boxes and networks without convolutions; one map only for
            vision transformers.
        """
        if not self.differentiable or not len(x):
            return []
        chunks = split_into_chunks(self.preprocess(x, value_range), self._batch)
        by_chunk = [record_feature_maps(self._run, chunk, max_maps) for chunk in chunks]
        return [torch.cat(maps)[: len(x)] for maps in zip(*by_chunk, strict=True)]

    def margins_and_features(
        self, x: Tensor, value_range: tuple[float, float], max_maps: int = 4
    ) -> tuple[Tensor, list[Tensor]]:
        """Give the margin of every class and `features` of the same images in one pass.

        Parameters
        ----------
        x : Tensor, shape (n, c, h, w)
            Pixels, any size.
        value_range : (float, float)
            What the numbers in `x` can be.
        max_maps : int, default 4
            As for `features`.

        Returns
        -------
        (Tensor, list of Tensor)
            Margins ``(n, k)``, as from `diffex.classifiers.margins`, and feature maps.
        """
        outputs: list[Tensor] = []
        maps = record_feature_maps(
            lambda v: outputs.append(_as_tensor(self._run(v))), self.preprocess(x, value_range), max_maps
        )
        logits = self._two_columns(outputs[0])
        self._check_logits(logits, len(x))
        return margins(logits / self.card.temperature), maps

    def preprocess(self, x: Tensor, value_range: tuple[float, float]) -> Tensor:
        """Turn pixels into what the network takes, as the card says.

        Parameters
        ----------
        x : Tensor, shape (n, c, h, w)
            Pixels, any size.
        value_range : (float, float)
            What the numbers in `x` can be.

        Returns
        -------
        Tensor, shape (n, channels, *size)
            float32, normalised, on the network's device.

        Raises
        ------
        ClassifierError
            If the shape does not fit the card.
        """
        return normalise(x.to(self.device, torch.float32), value_range, self.card)

    def matches(self, images: Images) -> bool:
        """Whether images have the channels and only classes of the card.

        Parameters
        ----------
        images : Images
            What is to be classified.

        Returns
        -------
        bool
            `check_images` says why not.
        """
        return mismatch(self.card, images) is None

    def state_hash(self) -> str:
        """Hash parameters and buffers; for functions their address and file.

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        if isinstance(self._network, nn.Module):
            return hash_tensors(state_tensors(self._network))
        return hash_value({"address": self.address, "content": self._content})

    def check_unchanged(self, state_hash: str) -> None:
        """Refuse to go on with a network that is not the one meant.

        Parameters
        ----------
        state_hash : str
            What `state_hash` gave before.

        Raises
        ------
        ClassifierError
            If it gives something else now.
        """
        now = self.state_hash()
        if now != state_hash:
            raise ClassifierError(
                f"Classifier {self.address} got state hash {now}, expected {state_hash}: its weights are not "
                "those used before; open the original classifier or fit again."
            )

    def _outputs(self, x: Tensor) -> Tensor:
        chunks = split_into_chunks(x, self._batch)
        outputs = [_as_tensor(self._run(chunk)) for chunk in chunks]
        return outputs[0] if self._batch is None else torch.cat(outputs)[: len(x)]

    def _run(self, x: Tensor) -> Any:
        network = self._network
        if isinstance(network, nn.Module) and any(part.training for part in network.modules()):
            network.eval()
        with torch.autocast(x.device.type, enabled=False):
            return network(x)

    def _two_columns(self, logits: Tensor) -> Tensor:
        """Turn one logit for two classes into ``[0, logit]``, whose margin is the logit."""
        if len(self.card.class_names) != 2 or logits.ndim > 2 or logits.shape[1:] not in ((), (1,)):
            return logits.float()
        logit = logits.float().reshape(-1, 1)
        return torch.cat([torch.zeros_like(logit), logit], dim=1)

    def _check_logits(self, logits: Tensor, count: int) -> None:
        expected = (count, len(self.card.class_names))
        if logits.shape != expected:
            raise ClassifierError(
                f"Classifier {self.address} got outputs of shape {tuple(logits.shape)} for {count} images, "
                f"expected {expected}: give as many class_names as the network has outputs."
            )
        bad = int((~torch.isfinite(logits)).any(dim=1).sum())
        if bad:
            raise ClassifierError(
                f"Classifier {self.address} got NaN or Inf logits for {bad} of {count} images, expected "
                "finite numbers: check its weights, value_range, mean and std."
            )


def _as_tensor(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, np.ndarray | list):
        return torch.as_tensor(np.asarray(output, dtype=np.float32))
    raise ClassifierError(
        f"The network got an output of type {type(output).__name__}, expected logits (n, classes): "
        "wrap it in a module that returns the logits alone."
    )
