"""Gates close on factors that do not pay for themselves."""

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.rules.hard_concrete import fit_hard_concrete, fixed_gates, open_probability, random_gates

ACTIVE = (1, 4, 7)


def table(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    z = np.random.default_rng(seed).normal(size=(400, 12))
    return 100 + 20 * z, (z[:, [1]] + np.tanh(2 * z[:, [4]]) - 0.7 * z[:, [7]] ** 2)


def test_gates_are_open_as_often_as_told():
    log_alpha = torch.tensor([-3.0, -1.0, 0.0, 2.0])
    uniform = torch.rand(40_000, 4, generator=torch.Generator().manual_seed(0))
    drawn = random_gates(log_alpha, uniform)
    assert (drawn > 0).double().mean(dim=0).tolist() == pytest.approx(
        open_probability(log_alpha).tolist(), abs=0.01
    )
    assert drawn.min() == 0 and drawn.max() == 1
    assert ((drawn > 0) & (drawn < 1)).any()


def test_gates_carry_a_gradient():
    log_alpha = torch.zeros(3, requires_grad=True)
    random_gates(log_alpha, torch.full((1, 3), 0.5)).sum().backward()
    assert log_alpha.grad is not None and (log_alpha.grad > 0).all()
    assert fixed_gates(torch.tensor([-4.0, 4.0])).tolist() == [0.0, 1.0]


def test_active_factors_are_found_and_only_they():
    x, logits = table()
    network = fit_hard_concrete(x, logits, 0.03, steps=1500, seed=0)
    assert network.factors == ACTIVE
    assert not network.weights[0][:, [0, 2, 3]].any() and network.connections == 3 * 32 + 32
    x_test, logits_test = table(9)
    assert ((logits_test - network.predict(x_test)) ** 2).mean() < 0.1 * logits_test.var()


def test_a_higher_penalty_keeps_fewer():
    x, logits = table()
    counts = [len(fit_hard_concrete(x, logits, p, steps=900, seed=0).factors) for p in (0.0, 0.03, 5.0)]
    assert counts[0] > counts[1] > counts[2] == 0


def test_what_is_left_is_refitted():
    x, logits = table()
    nothing = fit_hard_concrete(x, logits, 5.0, steps=900, seed=0)
    assert nothing.predict(x) == pytest.approx(np.full((400, 1), logits.mean()), abs=0.1 * logits.std())


def test_closed_gates_leave_no_trace():
    x, logits = table()
    network = fit_hard_concrete(x, logits, 0.03, steps=900, seed=1)
    closed = [j for j in range(12) if j not in network.factors]
    moved = x.copy()
    moved[:, closed] += 1e6
    assert closed and (network.predict(moved) == network.predict(x)).all()


def test_same_seed_same_bits():
    x, logits = table()
    one, two, other = (fit_hard_concrete(x, logits, 0.01, steps=90, seed=seed) for seed in (3, 3, 4))
    assert (one.predict(x) == two.predict(x)).all()
    assert (one.predict(x) != other.predict(x)).any()


def test_constant_factors_stay_unused():
    x, logits = table()
    x[:, 0] = 3.3
    assert fit_hard_concrete(x, logits, 0.0, steps=60, seed=0).factors == tuple(range(1, 12))


def test_refuses_what_it_cannot_use():
    x, logits = table()
    for penalty in (-0.1, float("nan")):
        with pytest.raises(InputError, match="expected a finite number, 0 or more"):
            fit_hard_concrete(x, logits, penalty, seed=0)
    with pytest.raises(InputError, match="expected 22 or more"):
        fit_hard_concrete(x[:20], logits[:20], 0.1, seed=0)
    with pytest.raises(InputError, match="constant output"):
        fit_hard_concrete(x, 0 * logits, 0.1, seed=0)
    with pytest.raises(InputError, match="NaN or infinite"):
        fit_hard_concrete(np.full_like(x, np.nan), logits, 0.1, seed=0)
    with pytest.raises(InputError, match="logits got 399 images"):
        fit_hard_concrete(x, logits[1:], 0.1, seed=0)
