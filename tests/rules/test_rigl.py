"""RigL keeps its density, moves its connections to where they help, and repeats itself bit for bit."""

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.rules.rigl import connections_per_layer, fit_rigl, rewire, rewire_layers
from diffex.rules.sparse_network import Layers, SparseNetwork, adam

ACTIVE = (1, 4, 7)


def table(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    z = np.random.default_rng(seed).normal(size=(400, 12))
    logits = np.stack([z[:, 1] + np.tanh(2 * z[:, 4]), z[:, 4] - z[:, 7] ** 2], axis=1)
    return 100 + 20 * z, logits


def explained(network: SparseNetwork, x: np.ndarray, logits: np.ndarray) -> float:
    return 1 - float((((logits - network.predict(x)) ** 2).mean(axis=0) / logits.var(axis=0)).mean())


def test_rewiring_drops_the_small_and_grows_the_steep():
    weight = torch.tensor([[3.0, 0.1, 0.0], [2.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    gradient = torch.tensor([[9.0, 0.2, 0.3], [9.0, -5.0, 0.1]])
    assert rewire(weight, gradient, mask, 0.34).tolist() == [[True, False, False], [True, True, False]]
    assert rewire(weight, gradient, mask, 0.3).equal(mask)  # rounded down to none


def test_what_was_dropped_may_grow_again():
    mask = torch.tensor([True, True, False])
    grown = rewire(torch.tensor([1.0, 0.1, 0.0]), torch.tensor([0.0, 4.0, 1.0]), mask, 0.5)
    assert grown.equal(mask)


def test_rewiring_keeps_the_count():
    source = torch.Generator().manual_seed(0)
    mask = torch.rand(32, 12, generator=source) < 0.1
    for fraction in (0.3, 0.2, 0.05):
        weight, gradient = torch.randn(2, 32, 12, generator=source)
        new = rewire(weight * mask, gradient, mask, fraction)
        assert new.sum() == mask.sum() and not new.equal(mask)
        assert (mask & ~new).sum() <= fraction * mask.sum()
        mask = new


def test_new_connections_start_without_a_past():
    weights = torch.tensor([[3.0, 0.1, 0.0]]).requires_grad_(), torch.tensor([[2.0]]).requires_grad_()
    layers = Layers(weights, (torch.zeros(1).requires_grad_(), torch.zeros(1).requires_grad_()))
    optimizer = adam(layers.parameters())
    layers(torch.tensor([[1.0, 0.1, 5.0]])).sum().backward()
    optimizer.step()
    mask = torch.tensor([[True, True, False]])
    with torch.no_grad():
        weights[0].mul_(mask)
    masks = rewire_layers(layers, [mask, torch.tensor([[True]])], optimizer, 0.5)
    assert masks[0].tolist() == [[True, False, True]] and masks[1].tolist() == [[True]]
    assert weights[0][0, 0] > 2.9 and weights[0][0, 1:].tolist() == [0, 0]
    for moment in ("exp_avg", "exp_avg_sq"):
        past = optimizer.state[weights[0]][moment][0]
        assert past[0] != 0 and past[1:].tolist() == [0, 0]


@pytest.mark.parametrize("spread", ["erk", "uniform"])
def test_density_is_exact_after_all_rewirings(spread):
    x, logits = table()
    for density in (0.02, 0.1, 1.0):
        network = fit_rigl(x, logits, density, steps=120, every=5, spread=spread, seed=0)
        assert network.connections == round(density * 14 * 32)
        assert tuple(int(m.sum()) for m in network.masks) == connections_per_layer(12, 32, 2, density, spread)
        assert not any((w[~m] != 0).any() for w, m in zip(network.weights, network.masks, strict=True))


def test_connections_are_dealt_to_both_layers():
    assert connections_per_layer(12, 32, 2, 0.1, "uniform") == (39, 6)
    assert connections_per_layer(12, 32, 2, 0.1, "erk") == (25, 20)
    assert connections_per_layer(12, 32, 1, 0.5, "erk") == (176, 32)  # the second layer is full
    assert connections_per_layer(1, 32, 60, 0.9, "erk")[0] <= 32
    assert connections_per_layer(12, 32, 2, 0.005) == (1, 1)


def test_rewiring_changes_masks_and_helps():
    x, logits = table()
    moving = fit_rigl(x, logits, 0.08, steps=800, every=20, seed=1)
    static = fit_rigl(x, logits, 0.08, steps=800, every=801, seed=1)
    assert moving.connections == static.connections
    assert (moving.masks[0] != static.masks[0]).any() and (moving.masks[1] != static.masks[1]).any()
    assert explained(moving, *table(9)) > explained(static, *table(9)) + 0.05


def test_active_factors_are_found():
    x, logits = table()
    network = fit_rigl(x, logits, 0.08, steps=1000, every=20, seed=0)
    paths = np.abs(network.weights[1]) @ np.abs(network.weights[0])  # (k, d)
    assert set(np.argsort(paths.sum(axis=0))[-3:]) == set(ACTIVE)
    assert set(ACTIVE) <= set(network.factors)
    assert explained(network, *table(9)) > 0.9


def test_same_seed_same_bits():
    x, logits = table()
    one, two, other = (fit_rigl(x, logits, 0.1, steps=100, every=10, seed=seed) for seed in (3, 3, 4))
    assert (one.predict(x) == two.predict(x)).all() and (one.masks[0] == two.masks[0]).all()
    assert (one.masks[0] != other.masks[0]).any()


def test_constant_factors_stay_unused():
    x, logits = table()
    x[:, 0] = 3.3
    network = fit_rigl(x, logits, 1.0, steps=20, seed=0)
    assert network.factors == tuple(range(1, 12)) and network.connections == 13 * 32


def test_refuses_what_it_cannot_use():
    x, logits = table()
    for density in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="above 0, up to 1"):
            fit_rigl(x, logits, density, seed=0)
    with pytest.raises(InputError, match="2 or more of 448 connections"):
        fit_rigl(x, logits, 0.002, seed=0)
    with pytest.raises(InputError, match="expected 22 or more"):
        fit_rigl(x[:20], logits[:20], 0.1, seed=0)
    with pytest.raises(InputError, match="constant output"):
        fit_rigl(x, 0 * logits, 0.1, seed=0)
    with pytest.raises(InputError, match="NaN or infinite"):
        fit_rigl(x, np.full_like(logits, np.inf), 0.1, seed=0)
    with pytest.raises(InputError, match="logits got 399 images"):
        fit_rigl(x, logits[1:], 0.1, seed=0)
