"""The network predicts what its masks and weights say, and knows which factors reach an output."""

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.base.noise import generator
from diffex.rules.sparse_network import (
    SparseNetwork,
    Standard,
    checked_table,
    draw_layers,
    freeze,
    lesson,
    standard,
    varies,
)


def table(n: int = 400, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(5.0, 3.0, size=(n, d))
    return x, np.stack([2 * x[:, 1] + 7, x[:, 3] ** 2], axis=1)


def hand_made(first: list[list[float]], second: list[list[float]]) -> SparseNetwork:
    weights = np.array(first, dtype=np.float64), np.array(second, dtype=np.float64)
    (hidden, d), k = weights[0].shape, len(second)
    return SparseNetwork(
        weights,
        (np.zeros(hidden), np.zeros(k)),
        (weights[0] != 0, weights[1] != 0),
        Standard(np.full(d, 10.0), np.full(d, 2.0)),
        Standard(np.full(k, -1.0), np.full(k, 3.0)),
    )


def test_prediction_in_the_units_given():
    network = hand_made([[1, 0], [0, -1]], [[1, 2]])
    # z = (1, -2): relu(1) + 2 relu(2) = 5, and 5 * 3 - 1 = 14
    assert network.predict([[12.0, 6.0]]).tolist() == [[14.0]]
    assert network.predict([[8.0, 14.0]]).tolist() == [[-1.0]]


def test_dead_ends_are_unused():
    network = hand_made([[1, 1, 0, 0], [0, 0, 1, 0]], [[1, 0]])
    assert network.factors == (0, 1)  # 2 ends in a hidden unit without output, 3 in none
    assert network.connections == 4 and network.density == 4 / 10
    assert hand_made([[1, 0]], [[0]]).factors == ()


def test_frozen_network_computes_what_learnt():
    x, logits = table()
    x[:, 4] = 0.1
    given = lesson(x, logits)
    layers = draw_layers(given, 8, generator("layers", 0))
    masks = torch.rand(8, 11) < 0.5, torch.rand(2, 8) < 0.5
    network = freeze(given, layers, masks)
    with torch.no_grad():
        for weight, mask in zip(layers.weights, masks, strict=True):
            weight.mul_(mask)
        expected = network.outputs.undo(layers(given.z).double().numpy())
    assert network.predict(x) == pytest.approx(expected, abs=1e-4)
    assert 4 not in network.factors and not network.masks[0][:, 4].any()
    assert network.connections == sum(int(mask.sum()) for mask in masks)


def test_standardised_and_back():
    x, _ = table()
    z = standard(x).apply(x)
    assert z.mean(axis=0) == pytest.approx(np.zeros(12), abs=1e-12) and z.std(axis=0) == pytest.approx(1)
    assert standard(x).undo(z) == pytest.approx(x)


def test_rounding_is_no_variation():
    rough = 0.1 + np.array([0.0, 1e-17, 2e-17])
    assert varies(np.stack([rough, [0, 0, 0], [1e-9, 2e-9, 3e-9]], axis=1)).tolist() == [False, False, True]


def test_refuses_what_it_cannot_use():
    x, logits = table(30)
    with pytest.raises(InputError, match="12 factors got 21 images, expected 22 or more"):
        checked_table(x[:21], logits[:21])
    checked_table(x[:22], logits[:22])
    with pytest.raises(InputError, match="constant output"):
        checked_table(x, logits * [1, 0])
    with pytest.raises(InputError, match="only constant factors"):
        checked_table(0 * x, logits)
    with pytest.raises(InputError, match="logits got 29 images, expected 30"):
        checked_table(x, logits[:29])
    with pytest.raises(InputError, match="logits got shape"):
        checked_table(x, logits[:, 0])
    with pytest.raises(InputError, match="1 NaN or infinite"):
        checked_table(np.where(x == x[3, 3], np.nan, x), logits)
    with pytest.raises(InputError, match="3 factors, expected 2"):
        hand_made([[1, 1]], [[1]]).predict(np.zeros((4, 3)))
