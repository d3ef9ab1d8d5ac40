"""Hard concrete gates: the number of factors is part of the loss."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from diffex.base.errors import InputError
from diffex.base.noise import generator
from diffex.rules.sparse_network import (
    Layers,
    Lesson,
    SparseNetwork,
    adam,
    draw_layers,
    freeze,
    lesson,
    minibatches,
    set_rate,
)

_TEMPERATURE = 2 / 3
_LOW, _HIGH = -0.1, 1.1
"""The stretched interval: what falls outside (0, 1) is a gate quite closed or quite open."""

_GATED = 2 / 3
"""Share of the training in which the gates learn; after it, what is left is refitted."""


def fit_hard_concrete(
    x: ArrayLike, logits: ArrayLike, penalty: float, *, hidden: int = 32, steps: int = 3000, seed: int
) -> SparseNetwork:
    """Fit a network whose every factor passes a gate that costs `penalty` while it is open.

    Minimises ``mean squared error of standardised logits + penalty * expected number of open gates`` with
    Adam; in the last third of the training the gates are fixed, the closed ones removed, and the network is
    refitted.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Factors, any units; constant ones stay unused.
    logits : array_like, shape (n, k)
        Of the classifier.
    penalty : float
        In units of the logits' variance, 0 or more: a factor stays if it explains more than about this
        share. From 0.001 (many factors) to 0.1 (few).
    hidden : int, default 32
        ReLUs.
    steps : int, default 3000
        Minibatches of 256 images.
    seed : int
        Of weights, gates and minibatches: the same seed gives the same bits.

    Returns
    -------
    SparseNetwork
        Without connections to the factors whose gates closed; dense otherwise.

    Raises
    ------
    InputError
        As `checked_table`; if penalty is negative or not finite.

    References
    ----------
    Louizos et al. 2018, "Learning Sparse Neural Networks through L0 Regularization".
    """
    if not (np.isfinite(penalty) and penalty >= 0):
        raise InputError(f"penalty got {penalty}, expected a finite number, 0 or more.")
    given, source = lesson(x, logits), generator("hard concrete", seed)
    layers = draw_layers(given, hidden, source)
    gated = round(_GATED * steps)
    gates = fixed_gates(_learn_gates(given, layers, penalty, gated, source))
    with torch.no_grad():
        layers.weights[0].mul_(gates)
    _refit(given, layers, gates > 0, steps - gated, source)
    first = (gates > 0).expand(hidden, -1)
    return freeze(given, layers, (first, torch.ones_like(layers.weights[1], dtype=torch.bool)))


def random_gates(log_alpha: Tensor, uniform: Tensor) -> Tensor:
    """Draw gates: a stretched, clipped binary concrete variable.

    Parameters
    ----------
    log_alpha : Tensor, shape (m,)
        Log odds of the gates.
    uniform : Tensor, shape (n, m)
        Noise within (0, 1).

    Returns
    -------
    Tensor, shape (n, m)
        Within [0, 1]; both ends are reached.
    """
    return _stretch(torch.sigmoid((torch.logit(uniform) + log_alpha) / _TEMPERATURE))


def fixed_gates(log_alpha: Tensor) -> Tensor:
    """Compute the gates without noise.

    Parameters
    ----------
    log_alpha : Tensor, shape (m,)
        Log odds of the gates.

    Returns
    -------
    Tensor, shape (m,)
        Within [0, 1].

    Examples
    --------
    >>> fixed_gates(torch.tensor([-9.0, 0.0, 9.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _stretch(torch.sigmoid(log_alpha))


def open_probability(log_alpha: Tensor) -> Tensor:
    """Compute how likely random gates are not quite closed.

    Parameters
    ----------
    log_alpha : Tensor, shape (m,)
        Log odds of the gates.

    Returns
    -------
    Tensor, shape (m,)
        Within (0, 1).
    """
    return torch.sigmoid(log_alpha - _TEMPERATURE * math.log(-_LOW / _HIGH))


def _stretch(s: Tensor) -> Tensor:
    return (s * (_HIGH - _LOW) + _LOW).clamp(0, 1)


def _learn_gates(
    given: Lesson, layers: Layers, penalty: float, steps: int, source: torch.Generator
) -> Tensor:
    log_alpha = torch.zeros(given.z.shape[1], requires_grad=True)
    optimizer = adam([*layers.parameters(), log_alpha])
    for step, (z, y) in enumerate(minibatches(given, steps, source)):
        set_rate(optimizer, step / steps)
        uniform = torch.rand(z.shape, generator=source).clamp(1e-6, 1 - 1e-6)
        error = functional.mse_loss(layers(z * random_gates(log_alpha, uniform)), y)
        optimizer.zero_grad()
        (error + penalty * open_probability(log_alpha).sum()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return log_alpha.detach()


def _refit(given: Lesson, layers: Layers, is_open: Tensor, steps: int, source: torch.Generator) -> None:
    optimizer = adam(layers.parameters())
    for step, (z, y) in enumerate(minibatches(given, steps, source)):
        set_rate(optimizer, step / steps)
        optimizer.zero_grad()
        functional.mse_loss(layers(z * is_open), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
