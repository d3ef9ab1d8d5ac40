"""What is chosen again and again is active; how much of it is not stays under the bound."""

from functools import partial

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.rules.forward_choice import forward_choice
from diffex.rules.stability_selection import stability_selection

ACTIVE = (1, 4, 7)


def table(seed: int = 0, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    z = random.normal(size=(400, 12))
    clean = np.stack([z[:, 1] + np.tanh(2 * z[:, 4]), z[:, 4] - z[:, 7] ** 2], axis=1)
    return 100 + 20 * z, clean + noise * random.normal(size=clean.shape)


def three_most_correlated(x: np.ndarray, logits: np.ndarray, seed: int) -> tuple[int, ...]:
    strength = np.abs(np.corrcoef(x.T, logits[:, 0])[-1, :-1])
    return tuple(int(j) for j in np.argsort(strength)[-3:])


def test_active_factors_are_stable():
    found = stability_selection(*table(), forward_choice, seed=0)
    assert found.selected == ACTIVE
    assert found.frequency.shape == (12,) and found.frequency[list(ACTIVE)].min() == 1.0
    assert 3 <= found.average <= 4
    assert found.bound == pytest.approx(found.average**2 / (0.4 * 12)) and found.unit == "images"


def test_a_weak_factor_is_chosen_less_often():
    random = np.random.default_rng(1)
    z = random.normal(size=(400, 12))
    logits = z[:, [0]] + 0.17 * z[:, [5]] + random.normal(size=(400, 1))
    found = stability_selection(z, logits, forward_choice, seed=0, pairs=50)
    assert found.frequency[0] == 1.0 and 0.05 < found.frequency[5] < 0.95
    assert np.delete(found.frequency, [0, 5]).max() < found.frequency[5]


def test_false_factors_stay_under_the_bound():
    false, bounds, once = [], [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        x, logits = random.normal(size=(400, 40)), random.normal(size=(400, 1))
        found = stability_selection(x, logits, three_most_correlated, seed=seed)
        false.append(len(found.selected))
        bounds.append(found.bound)
        once.append(int((found.frequency > 0).sum()))
    assert bounds == pytest.approx([9 / (0.4 * 40)] * 20)
    assert np.mean(false) + 2 * np.std(false) / np.sqrt(20) <= bounds[0]
    assert np.mean(once) > 10  # what any half chooses is far above it


def test_halves_are_complementary():
    seen: list[np.ndarray] = []
    x, logits = table()
    x[:, 0] = np.arange(400)

    def record(x: np.ndarray, logits: np.ndarray, seed: int) -> tuple[int, ...]:
        seen.append(x[:, 0])
        return ()

    found = stability_selection(x[:399], logits[:399], record, seed=0, pairs=3)
    assert [len(half) for half in seen] == [199] * 6
    assert all(not np.intersect1d(a, b).size for a, b in zip(seen[::2], seen[1::2], strict=True))
    assert set(seen[0]) not in ({*seen[2]}, {*seen[3]})
    assert found.selected == () and found.bound == 0


@pytest.mark.parametrize(("count", "unit"), [(6, "groups"), (9, "groups"), (5, "images")])
def test_halves_do_not_divide_groups(count, unit):
    groups, seen = np.random.default_rng(3).integers(count, size=400).astype(str), []
    x, logits = table()
    x[:, 0] = np.arange(400)

    def record(x: np.ndarray, logits: np.ndarray, seed: int) -> tuple[int, ...]:
        seen.append(x[:, 0].astype(int))
        return (0,)

    found = stability_selection(x, logits, record, seed=0, pairs=2, groups=groups)
    divided = [
        g for half in seen for g in set(groups[half]) if (groups == g).sum() > (groups[half] == g).sum()
    ]
    assert found.unit == unit and bool(divided) == (unit == "images")


def test_each_half_has_its_own_seed_and_runs_repeat():
    def at_random(x: np.ndarray, logits: np.ndarray, seed: int) -> tuple[int, ...]:
        return tuple(np.random.default_rng(seed).permutation(x.shape[1])[:4])

    one, two, other = (stability_selection(*table(), at_random, seed=seed, pairs=5) for seed in (0, 0, 1))
    assert (one.frequency == two.frequency).all() and (one.frequency != other.frequency).any()
    assert (one.frequency > 0).sum() > 4 and one.average == 4


def test_constant_factors_are_not_offered():
    x, logits = table()
    x[:, 0] = 3.3
    shapes = set()

    def choose(x: np.ndarray, logits: np.ndarray, seed: int) -> tuple[int, ...]:
        shapes.add(x.shape)
        return forward_choice(x, logits, seed)

    found = stability_selection(x, logits, choose, seed=0, pairs=3)
    assert shapes == {(200, 11)} and found.selected == ACTIVE
    assert found.bound == pytest.approx(found.average**2 / (0.4 * 11))


def test_forward_choice_takes_the_best_first_and_stops():
    x, logits = table(noise=0.05)
    chosen = forward_choice(x, logits)
    assert set(chosen) == set(ACTIVE) and chosen[0] == 4  # it is in both outputs
    assert forward_choice(x, logits, most=2) == chosen[:2]
    assert forward_choice(x, np.random.default_rng(5).normal(size=(400, 1))) == ()


def test_forward_choice_sees_squares_but_no_copies():
    random = np.random.default_rng(0)
    z = random.normal(size=(400, 5))
    z = np.column_stack([z, 3 - 2 * z[:, 0], np.ones(400), random.integers(2, size=400)])
    logits = z[:, [0]] ** 2 + z[:, [7]] + 0.01 * random.normal(size=(400, 1))
    chosen = forward_choice(z, logits)
    assert len(chosen) == 2 and 7 in chosen and len({0, 5} & set(chosen)) == 1


def test_forward_choice_is_free_of_units():
    x, logits = table()
    units = 10.0 ** np.arange(-6, 6)
    assert forward_choice(x * units - 3, logits * [1e3, 1e-3] + 50) == forward_choice(x, logits)


@pytest.mark.parametrize(
    "select", [forward_choice, partial(stability_selection, choose=forward_choice, seed=0)]
)
def test_refuses_tables_it_cannot_use(select):
    x, logits = table()
    with pytest.raises(InputError, match="expected 22 or more"):
        select(x[:20], logits[:20])
    with pytest.raises(InputError, match="constant output"):
        select(x, 0 * logits)
    with pytest.raises(InputError, match="NaN or infinite"):
        select(np.full_like(x, np.nan), logits)
    with pytest.raises(InputError, match="logits got 399 images"):
        select(x, logits[1:])


def test_refuses_settings_it_cannot_use():
    x, logits = table()
    with pytest.raises(InputError, match="most got 0"):
        forward_choice(x, logits, most=0)
    for pairs, threshold in [(0, 0.7), (5, 0.5), (5, 1.1)]:
        with pytest.raises(InputError, match="pairs and threshold"):
            stability_selection(x, logits, forward_choice, pairs=pairs, threshold=threshold, seed=0)
    with pytest.raises(InputError, match="half of 20 images, expected 22 or more"):
        stability_selection(x[:40], logits[:40], forward_choice, seed=0)
    with pytest.raises(InputError, match="groups got 3 entries"):
        stability_selection(x, logits, forward_choice, seed=0, groups=np.array(["a", "b", "c"]))
