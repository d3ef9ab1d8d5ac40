"""RigL: a network that is sparse from its first step, and moves its connections while it learns."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from diffex.base.errors import InputError
from diffex.base.noise import generator
from diffex.rules.sparse_network import (
    Layers,
    SparseNetwork,
    adam,
    draw_layers,
    freeze,
    lesson,
    minibatches,
    set_rate,
)

Spread = Literal["erk", "uniform"]

_REWIRED_UNTIL = 0.75
"""Share of the training after which connections stay where they are."""


def fit_rigl(
    x: ArrayLike,
    logits: ArrayLike,
    density: float,
    *,
    hidden: int = 32,
    steps: int = 3000,
    seed: int,
    every: int = 50,
    alpha: float = 0.3,
    spread: Spread = "erk",
) -> SparseNetwork:
    """Fit a sparse network of fixed density to a classifier's logits.

    Minimises the mean squared error of standardised logits with Adam. Every `every` steps, up to T = 75 % of
    the training, a step is spent on rewiring each layer instead: the share
    ``alpha / 2 * (1 + cos(pi t / T))`` of its connections, those of smallest weight, is dropped, and as many
    are grown where the gradient is largest.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Factors, any units; constant ones stay unused.
    logits : array_like, shape (n, k)
        Of the classifier.
    density : float
        Share, in (0, 1], of the connections possible between the factors that vary, the hidden layer and
        the outputs.
    hidden : int, default 32
        ReLUs.
    steps : int, default 3000
        Minibatches of 256 images.
    seed : int
        Of weights, masks and minibatches: the same seed gives the same bits.
    every : int, default 50
        Steps between two rewirings; more than ``0.75 * steps`` for a static random mask.
    alpha : float, default 0.3
        Share of the connections that the first rewirings move.
    spread : {"erk", "uniform"}, default "erk"
        Connections per layer in proportion to its inputs plus outputs (Erdos-Renyi), or to its size.

    Returns
    -------
    SparseNetwork
        With ``round(density * possible)`` connections.

    Raises
    ------
    InputError
        As `checked_table`; if density is outside (0, 1] or leaves fewer than 2 connections.

    References
    ----------
    Evci et al. 2020, "Rigging the Lottery: Making All Tickets Winners".
    """
    given, source = lesson(x, logits), generator("rigl", seed)
    layers = draw_layers(given, hidden, source)
    counts = connections_per_layer(given.z.shape[1], hidden, given.y.shape[1], density, spread)
    masks = [_draw_mask(w, count, source) for w, count in zip(layers.weights, counts, strict=True)]
    _keep(layers.weights, masks)
    optimizer, last = adam(layers.parameters()), _REWIRED_UNTIL * steps
    for step, (z, y) in enumerate(minibatches(given, steps, source)):
        optimizer.zero_grad()
        functional.mse_loss(layers(z), y).backward()  # type: ignore[no-untyped-call]
        if step % every == 0 and 0 < step < last:
            masks = rewire_layers(layers, masks, optimizer, alpha / 2 * (1 + math.cos(math.pi * step / last)))
        else:
            set_rate(optimizer, step / steps)
            optimizer.step()
            _keep(layers.weights, masks)
    return freeze(given, layers, (masks[0], masks[1]))


def connections_per_layer(
    inputs: int, hidden: int, outputs: int, density: float, spread: Spread = "erk"
) -> tuple[int, int]:
    """Deal the connections out to the two layers.

    Parameters
    ----------
    inputs, hidden, outputs : int
        Units.
    density : float
        Share of all possible connections, in (0, 1].
    spread : {"erk", "uniform"}, default "erk"
        In proportion to ``inputs + outputs`` of the layer, or to ``inputs * outputs``; a layer that is full
        gives the rest to the other.

    Returns
    -------
    (int, int)
        They add up to ``round(density * possible)``.

    Raises
    ------
    InputError
        If density is outside (0, 1] or leaves fewer than 2 connections.

    Examples
    --------
    >>> connections_per_layer(60, 32, 1, density=0.05)
    (72, 26)
    """
    sizes = inputs * hidden, hidden * outputs
    if not 0 < density <= 1:
        raise InputError(f"density got {density}, expected a number above 0, up to 1.")
    total = round(density * sum(sizes))
    if total < 2:
        raise InputError(
            f"density got {density}, expected one that leaves 2 or more of {sum(sizes)} connections."
        )
    parts = sizes if spread == "uniform" else (inputs + hidden, hidden + outputs)
    second = round(total * parts[1] / sum(parts))
    second = min(max(second, 1, total - sizes[0]), sizes[1], total - 1)
    return total - second, second


def rewire(weight: Tensor, gradient: Tensor, mask: Tensor, fraction: float) -> Tensor:
    """Move connections from where weights are small to where gradients are large.

    As published, what is dropped may grow again at once.

    Parameters
    ----------
    weight, gradient : Tensor, shape (o, i)
        The gradient is dense: also where there is no connection.
    mask : Tensor of bool, shape (o, i)
        True where there is a connection.
    fraction : float
        Share of the connections to move, rounded down.

    Returns
    -------
    Tensor of bool, shape (o, i)
        With as many connections as `mask`.
    """
    moved = int(fraction * int(mask.sum()))
    small = weight.abs().masked_fill(~mask, torch.inf).flatten().topk(moved, largest=False).indices
    kept = mask.clone()
    kept.view(-1)[small] = False
    steep = gradient.abs().masked_fill(kept, -1.0).flatten().topk(moved).indices
    kept.view(-1)[steep] = True
    return kept


def rewire_layers(
    layers: Layers, masks: Sequence[Tensor], optimizer: torch.optim.Adam, fraction: float
) -> list[Tensor]:
    """Rewire the network in place: new weights are 0, and so are Adam's moments of what was not there.

    Parameters
    ----------
    layers : Layers
        With dense gradients; weights are 0 where there is no connection.
    masks : sequence of Tensor of bool
        Of the two layers.
    optimizer : torch.optim.Adam
        After one step or more.
    fraction : float
        As for `rewire`.

    Returns
    -------
    list of Tensor of bool
        The new masks.
    """
    rewired = []
    for weight, mask in zip(layers.weights, masks, strict=True):
        assert weight.grad is not None
        rewired.append(rewire(weight.detach(), weight.grad, mask, fraction))
        for moment in ("exp_avg", "exp_avg_sq"):
            optimizer.state[weight][moment].mul_(mask & rewired[-1])
    _keep(layers.weights, rewired)
    return rewired


def _draw_mask(weight: Tensor, count: int, source: torch.Generator) -> Tensor:
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[torch.randperm(weight.numel(), generator=source)[:count]] = True
    return mask.view_as(weight)


@torch.no_grad()
def _keep(weights: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
    for weight, mask in zip(weights, masks, strict=True):
        weight.mul_(mask)
