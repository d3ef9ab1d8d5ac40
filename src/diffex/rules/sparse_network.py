"""A small network that stands in for the classifier: factors to logits, with connections missing."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, finite

SPARE_IMAGES = 10
"""Images needed beyond one per factor."""

_BATCH = 256
_RATE = 1e-2


@final
@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and standard deviation of columns.

    Parameters
    ----------
    mean : ndarray, shape (m,)
        In the columns' units.
    deviation : ndarray, shape (m,)
        In the columns' units; 1 for a constant column.
    """

    mean: FloatArray
    deviation: FloatArray

    def apply(self, values: FloatArray) -> FloatArray:
        """Remove the units: mean 0, standard deviation 1."""
        return np.asarray((values - self.mean) / self.deviation, dtype=np.float64)

    def undo(self, values: FloatArray) -> FloatArray:
        """Give the units back."""
        return np.asarray(values * self.deviation + self.mean, dtype=np.float64)


@final
@dataclass(frozen=True, eq=False)
class SparseNetwork:
    """Logits from factors through one hidden layer of ReLUs, with connections missing.

    ``z = (x - mean) / deviation``; ``logits = undo(W2 relu(W1 z + b1) + b2)``.

    Parameters
    ----------
    weights : (ndarray, ndarray), shapes (hidden, d) and (k, hidden)
        0 where the mask is False.
    biases : (ndarray, ndarray), shapes (hidden,) and (k,)
        Never missing, and not counted as connections.
    masks : (ndarray of bool, ndarray of bool), shapes of the weights
        True where there is a connection.
    inputs : Standard
        Of the d factors.
    outputs : Standard
        Of the k logits.
    """

    weights: tuple[FloatArray, FloatArray]
    biases: tuple[FloatArray, FloatArray]
    masks: tuple[BoolArray, BoolArray]
    inputs: Standard
    outputs: Standard

    def predict(self, x: ArrayLike) -> FloatArray:
        """Predict the classifier's logits.

        Parameters
        ----------
        x : array_like, shape (n, d)
            Factors, in the units they were fitted in.

        Returns
        -------
        ndarray, shape (n, k)
            Logits.

        Raises
        ------
        InputError
            If the number of factors differs or a value is not finite.
        """
        table, expected = finite(x, "x", 2), len(self.inputs.mean)
        if table.shape[1] != expected:
            raise InputError(f"x got {table.shape[1]} factors, expected {expected}, as in the fit.")
        hidden = np.maximum(self.inputs.apply(table) @ self.weights[0].T + self.biases[0], 0.0)
        return self.outputs.undo(hidden @ self.weights[1].T + self.biases[1])

    @property
    def factors(self) -> tuple[int, ...]:
        """Columns of x that still reach an output, ascending."""
        reaches = self.masks[1].any(axis=0) @ self.masks[0]  # (hidden,) @ (hidden, d), bool
        return tuple(int(j) for j in np.flatnonzero(reaches))

    @property
    def connections(self) -> int:
        """Number of weights that are there."""
        return int(sum(mask.sum() for mask in self.masks))

    @property
    def density(self) -> float:
        """Share of the possible connections that are there."""
        return self.connections / sum(mask.size for mask in self.masks)


@final
@dataclass(frozen=True, eq=False)
class Layers:
    """The network while it learns, on standardised numbers.

    Parameters
    ----------
    weights : (Tensor, Tensor), shapes (hidden, m) and (k, hidden)
        Of the m factors that vary.
    biases : (Tensor, Tensor), shapes (hidden,) and (k,)
        As in `SparseNetwork`.
    """

    weights: tuple[Tensor, Tensor]
    biases: tuple[Tensor, Tensor]

    def __call__(self, z: Tensor) -> Tensor:
        """Map ``(n, m)`` to ``(n, k)``."""
        hidden = torch.relu(torch.addmm(self.biases[0], z, self.weights[0].T))
        return torch.addmm(self.biases[1], hidden, self.weights[1].T)

    def parameters(self) -> list[Tensor]:
        """All that learns."""
        return [*self.weights, *self.biases]


@final
@dataclass(frozen=True, eq=False)
class Lesson:
    """What a network learns from: standardised factors and logits.

    Parameters
    ----------
    z : Tensor, shape (n, m)
        Factors that vary, float32.
    y : Tensor, shape (n, k)
        Logits, float32.
    inputs, outputs : Standard
        Of all d factors, of the k logits.
    varying : ndarray of bool, shape (d,)
        Which factors are in `z`.
    """

    z: Tensor
    y: Tensor
    inputs: Standard
    outputs: Standard
    varying: BoolArray


def checked_table(x: ArrayLike, logits: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Refuse factors and logits from which nothing can be learnt.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Factors, any units.
    logits : array_like, shape (n, k)
        Of the classifier, for the same images.

    Returns
    -------
    (ndarray, ndarray), shapes (n, d) and (n, k)
        The same numbers, float64.

    Raises
    ------
    InputError
        If there are fewer than d + 10 images, an output is constant, all factors are constant, a value is
        not finite, or shapes disagree.
    """
    factors, outputs = finite(x, "x", 2), finite(logits, "logits", 2)
    n, d = factors.shape
    if len(outputs) != n:
        raise InputError(f"logits got {len(outputs)} images, expected {n} as in x; give both for the same.")
    if n < d + SPARE_IMAGES:
        raise InputError(
            f"{d} factors got {n} images, expected {d + SPARE_IMAGES} or more; give more images."
        )
    if not outputs.size or not varies(outputs).all():
        raise InputError("logits got a constant output, expected ones that vary; leave constant ones out.")
    if not varies(factors).any():
        raise InputError("x got only constant factors, expected one that varies; give other factors.")
    return factors, outputs


def varies(table: FloatArray) -> BoolArray:
    """Tell which columns are more than a constant.

    Parameters
    ----------
    table : ndarray, shape (n, m)
        n > 0.

    Returns
    -------
    ndarray of bool, shape (m,)
        False where the range is lost in rounding.
    """
    return np.asarray(np.ptp(table, axis=0) > 1e-12 * np.abs(table).max(axis=0), dtype=bool)


def standard(table: FloatArray) -> Standard:
    """Measure mean and standard deviation.

    Parameters
    ----------
    table : ndarray, shape (n, m)
        n > 0.

    Returns
    -------
    Standard
        Of its columns.
    """
    return Standard(table.mean(axis=0), np.where(varies(table), table.std(axis=0), 1.0))


def lesson(x: ArrayLike, logits: ArrayLike) -> Lesson:
    """Check and standardise what a network shall learn; constant factors are left out.

    Parameters
    ----------
    x, logits
        As for `checked_table`.

    Returns
    -------
    Lesson
        For `Layers`.

    Raises
    ------
    InputError
        As `checked_table`.
    """
    factors, outputs = checked_table(x, logits)
    inputs, targets, varying = standard(factors), standard(outputs), varies(factors)
    z = torch.from_numpy(inputs.apply(factors)[:, varying].astype(np.float32))
    y = torch.from_numpy(targets.apply(outputs).astype(np.float32))
    return Lesson(z, y, inputs, targets, varying)


def draw_layers(given: Lesson, hidden: int, source: torch.Generator) -> Layers:
    """Draw weights and biases, uniform within ``+-1 / sqrt(inputs of the layer)``.

    Parameters
    ----------
    given : Lesson
        Tells the numbers of inputs and outputs.
    hidden : int
        ReLUs, 1 or more.
    source : torch.Generator
        Of the draws.

    Returns
    -------
    Layers
        Dense, with gradients.
    """
    m, k = given.z.shape[1], given.y.shape[1]

    def draw(shape: tuple[int, ...], inputs: int) -> Tensor:
        bound = 1 / math.sqrt(inputs)
        return torch.empty(shape).uniform_(-bound, bound, generator=source).requires_grad_()

    weights = draw((hidden, m), m), draw((k, hidden), hidden)
    return Layers(weights, (draw((hidden,), m), draw((k,), hidden)))


def minibatches(given: Lesson, steps: int, source: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw images with replacement.

    Parameters
    ----------
    given : Lesson
        All n images.
    steps : int
        Minibatches.
    source : torch.Generator
        Of the draws.

    Yields
    ------
    (Tensor, Tensor), shapes (b, m) and (b, k)
        Factors and logits of 256 images, or of n where there are fewer.
    """
    n = len(given.z)
    for _ in range(steps):
        rows = torch.randint(n, (min(_BATCH, n),), generator=source)
        yield given.z[rows], given.y[rows]


def adam(parameters: Sequence[Tensor]) -> torch.optim.Adam:
    """Make the optimiser.

    Parameters
    ----------
    parameters : sequence of Tensor
        What learns.

    Returns
    -------
    torch.optim.Adam
        Without weight decay; `set_rate` sets its learning rate.
    """
    return torch.optim.Adam(parameters, lr=_RATE)


def set_rate(optimizer: torch.optim.Adam, done: float) -> None:
    """Lower the learning rate along half a cosine, from 0.01 to 0.

    Parameters
    ----------
    optimizer : torch.optim.Adam
        From `adam`.
    done : float
        Share of the training that is over.
    """
    for group in optimizer.param_groups:
        group["lr"] = _RATE * 0.5 * (1 + math.cos(math.pi * done))


def freeze(given: Lesson, layers: Layers, masks: tuple[Tensor, Tensor]) -> SparseNetwork:
    """Keep what was learnt, for all d factors.

    Parameters
    ----------
    given : Lesson
        What it was learnt from.
    layers : Layers
        Weights and biases.
    masks : (Tensor, Tensor), shapes (hidden, m) and (k, hidden)
        True where there is a connection.

    Returns
    -------
    SparseNetwork
        Without connections to constant factors.
    """
    mask = np.zeros((len(masks[0]), len(given.varying)), dtype=bool)
    mask[:, given.varying] = masks[0].numpy()
    first = np.zeros(mask.shape)
    first[:, given.varying] = _array(layers.weights[0] * masks[0])
    weights = first, _array(layers.weights[1] * masks[1])
    biases = _array(layers.biases[0]), _array(layers.biases[1])
    return SparseNetwork(weights, biases, (mask, masks[1].numpy()), given.inputs, given.outputs)


def _array(values: Tensor) -> FloatArray:
    return values.detach().numpy().astype(np.float64)
