"""What can be read off a network: state, precision, channels."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from diffex.base.errors import ClassifierError

Network = nn.Module | Callable[[Tensor], Any]


def state_tensors(network: Network) -> dict[str, Tensor]:
    """Name all parameters and buffers, those left out of the ``state_dict`` too.

    Parameters
    ----------
    network : nn.Module or callable
        What computes the logits.

    Returns
    -------
    dict of str to Tensor
        Empty for functions.
    """
    if not isinstance(network, nn.Module):
        return {}
    saved = {k: v for k, v in network.state_dict().items() if isinstance(v, Tensor)}
    return saved | dict(network.named_buffers())


def check_precision(network: nn.Module) -> None:
    """Refuse weights in another precision than fp32.

    Parameters
    ----------
    network : nn.Module
        What computes the logits.

    Raises
    ------
    ClassifierError
        If a parameter is a floating point number of another kind.
    """
    other = {str(p.dtype) for p in network.parameters() if p.is_floating_point()} - {"torch.float32"}
    if other:
        raise ClassifierError(
            f"The network got weights in {', '.join(sorted(other))}, expected torch.float32: "
            "call .float() on it first."
        )


def first_channels(network: Network, mean: float | Sequence[float]) -> int:
    """Read the number of input channels off the first convolution, else off the means.

    Parameters
    ----------
    network : nn.Module or callable
        What computes the logits.
    mean : float or sequence of float
        Per channel.

    Returns
    -------
    int
        Number of channels.

    Raises
    ------
    ClassifierError
        If neither tells.
    """
    if isinstance(network, nn.Module):
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                return part.in_channels
    if not isinstance(mean, int | float) and len(mean) > 1:
        return len(mean)
    raise ClassifierError(
        "Classifier.wrap got no channels and the network has no convolution to tell, expected a number: "
        "pass channels=1 for grey images, 3 for RGB."
    )
