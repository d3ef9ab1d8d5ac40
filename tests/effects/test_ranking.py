"""The table finds what is planted, and nothing where nothing is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects.intervals import wilson
from diffex.effects.ranking import TableSettings, effect_table
from diffex.effects.replication import selection_half

QUICK = TableSettings(rank_repeats=20)
FloatArray = NDArray[np.float64]
ESTIMATES = ["effect", "ci_low", "ci_high", "n", "groups", "p", "q", "significant"]
FLIPS = ["flip_rate", "flip_low", "flip_high"]
COLUMNS = ["concept", "sign", *ESTIMATES, *FLIPS, "rank", "rank_low", "rank_high"]


def _allowed(runs: int) -> float:
    return 0.05 + 2 * float(np.sqrt(0.05 * 0.95 / runs))


def _table(matrix: FloatArray, p_random: FloatArray, half: NDArray[np.bool_]) -> pd.DataFrame:
    every = np.ones(len(matrix), dtype=bool)
    return effect_table(matrix, matrix > 1, every, p_random, half, settings=QUICK)


def _world_table(world: Any, directions: FloatArray, seed: int, rendered: int = 64) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(size=(len(world.gradients), len(directions), 2))
    matrix = np.stack([world.effects(directions), world.effects(-directions)], axis=2) + 0.3 * noise
    half = selection_half(len(matrix), None, seed)
    p_random = world.null(~half, 10_000 + 10 * seed, rendered).p(matrix[~half].mean(axis=0))
    return _table(matrix, p_random, half)


def test_sign_flipped_effects_are_rarely_significant() -> None:
    random, runs = np.random.default_rng(0), 200
    effects = random.normal(size=(64, 10)) @ random.normal(size=(10, 200)) + random.gamma(1.0, size=(64, 200))
    half, found = selection_half(64, None, 0), 0
    for _ in range(runs):
        flipped = (effects * random.choice([-1.0, 1.0], size=(64, 1))).reshape(64, 100, 2)
        found += bool(_table(flipped, np.zeros((100, 2)), half)["significant"].any())
    assert found / runs <= _allowed(runs)


def test_random_directions_are_rarely_significant(make_world: Callable[..., Any]) -> None:
    runs, found = 200, 0
    for seed in range(runs):
        world = make_world(seed, images=48)
        found += bool(_world_table(world, world.random(50, seed=5000 + seed), seed)["significant"].any())
    assert found / runs <= _allowed(runs)


def test_one_active_concept_among_100_is_found(make_world: Callable[..., Any]) -> None:
    found = 0
    for seed in range(100):
        world = make_world(seed, images=256)
        others = world.random(99, seed=7000 + seed)
        table = _world_table(world, np.concatenate([others, world.steepest()]), seed)
        first = table.iloc[0]
        found += bool(first["significant"] and first["concept"] == 99 and first["sign"] == 1)
    assert found >= 95


def test_table_has_the_agreed_columns_in_order_of_rank() -> None:
    matrix = np.random.default_rng(1).normal(size=(40, 5, 2)) + np.arange(10).reshape(5, 2)
    table = _table(matrix, np.full((5, 2), 0.01), selection_half(40, None, 0))
    assert table.columns.tolist() == COLUMNS
    assert table["rank"].tolist() == list(range(1, 11))
    assert table["concept"].tolist()[:3] == [4, 4, 3] and table["sign"].tolist()[:3] == [-1, 1, -1]
    assert (table["rank_low"] <= table["rank"]).all() and (table["rank"] <= table["rank_high"]).all()
    assert (table["p"] >= 0.01).all() and (table["n"] == 20).all() and (table["groups"] == 0).all()


def test_estimates_come_from_half_b_and_ranks_from_half_a() -> None:
    half = np.arange(40) < 20
    matrix = np.random.default_rng(2).normal(size=(40, 3, 2))
    matrix[half, 2, 0] += 50
    matrix[~half, 1, 1] -= 50
    first = _table(matrix, np.zeros((3, 2)), half).iloc[0]
    assert (first["concept"], first["sign"]) == (2, 1)
    assert first["effect"] == pytest.approx(matrix[~half, 2, 0].mean())
    other = matrix.copy()
    other[half] = 0
    estimates = ["effect", "ci_low", "p", "q", "flip_rate"]
    one, two = (_table(m, np.zeros((3, 2)), half).sort_values(["concept", "sign"]) for m in (matrix, other))
    np.testing.assert_array_equal(one[estimates], two[estimates])


def test_effect_no_larger_than_random_is_not_significant() -> None:
    matrix = 5 + np.random.default_rng(3).normal(size=(40, 2, 2))
    half = selection_half(40, None, 0)
    assert _table(matrix, np.zeros((2, 2)), half)["significant"].all()
    assert not _table(matrix, np.full((2, 2), 0.4), half)["significant"].any()


def test_flip_rates_count_eligible_images_of_half_b() -> None:
    half, eligible = np.arange(40) < 20, np.arange(40) % 2 == 0
    flips = np.zeros((40, 1, 2), dtype=bool)
    flips[20:26, 0, 0] = True
    matrix = np.random.default_rng(4).normal(size=(40, 1, 2))
    table = effect_table(matrix, flips, eligible, np.ones((1, 2)), half, settings=QUICK)
    row = table[table["sign"] == 1].iloc[0]
    assert (row["flip_rate"], row["flip_low"], row["flip_high"]) == pytest.approx(wilson(3, 10))


def test_groups_are_counted_in_half_b() -> None:
    groups = np.repeat(np.arange(8), 10)
    half = selection_half(80, groups, 0)
    matrix = np.random.default_rng(5).normal(size=(80, 2, 2))
    every = np.ones(80, dtype=bool)
    table = effect_table(matrix, matrix > 1, every, np.ones((2, 2)), half, groups=groups, settings=QUICK)
    assert (table["groups"] == 8).all()


def test_refuses_shapes_that_disagree() -> None:
    matrix, half = np.zeros((8, 2, 2)), np.arange(8) < 4
    flips, every, p = matrix > 1, np.ones(8, dtype=bool), np.ones((2, 2))
    with pytest.raises(InputError, match="half got 7"):
        effect_table(matrix, flips, every, p, half[:7])
    with pytest.raises(InputError, match="flips got shape"):
        effect_table(matrix, flips[:, :1], every, p, half)
    with pytest.raises(InputError, match="p_random got shape"):
        effect_table(matrix, flips, every, p[:1], half)
    with pytest.raises(InputError, match="2 or more in either half"):
        effect_table(matrix, flips, every, p, np.ones(8, dtype=bool))


def test_flip_rates_are_unknown_where_every_image_is_the_target_already() -> None:
    matrix, half = np.random.default_rng(0).normal(size=(20, 3, 2)), np.arange(20) < 10
    every = np.ones_like(matrix, dtype=bool)
    table = effect_table(matrix, every, half, np.ones((3, 2)), half, settings=QUICK)
    assert table["flip_rate"].isna().all()
    assert (table["flip_low"] == 0).all() and (table["flip_high"] == 1).all()
