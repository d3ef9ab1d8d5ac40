"""Pixels as a network wants them: range, size, mean, standard deviation."""

from torch import Tensor
from torch.nn import functional

from diffex.base.errors import ClassifierError
from diffex.classifiers.card import ClassifierCard


def normalise(x: Tensor, value_range: tuple[float, float], card: ClassifierCard) -> Tensor:
    """Map pixels onto the card's range, resize, subtract the mean, divide by the standard deviation.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
        float32 pixels, any size.
    value_range : (float, float)
        What the numbers in `x` can be; values beyond it are not clipped.
    card : ClassifierCard
        What the network expects.

    Returns
    -------
    Tensor, shape (n, channels, *size)
        Differentiable in `x`.

    Raises
    ------
    ClassifierError
        If the shape does not fit the card.
    """
    if x.ndim != 4 or x.shape[1] != card.channels:
        raise ClassifierError(
            f"The classifier got pixels of shape {tuple(x.shape)}, expected "
            f"(n, {card.channels}, height, width): choose the channels that it was trained on."
        )
    x = _map_range(x, value_range, card.value_range)
    if x.shape[2:] != card.size:
        x = functional.interpolate(
            x, size=card.size, mode=card.interpolation, align_corners=False, antialias=True
        )
    mean, std = (x.new_tensor(values).view(1, -1, 1, 1) for values in (card.mean, card.std))
    return (x - mean) / std


def _map_range(x: Tensor, source: tuple[float, float], target: tuple[float, float]) -> Tensor:
    if tuple(source) == tuple(target):
        return x
    return (x - source[0]) * ((target[1] - target[0]) / (source[1] - source[0])) + target[0]
