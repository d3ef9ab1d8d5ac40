import numpy as np
import pytest

from diffex.evaluation.attributes.null_runs import (
    dealt,
    discoveries,
    finds_planted,
    planted_screen,
    share_of_runs,
    sign_flipped,
)


def test_single_active_concept_is_found_and_nothing_else(space):
    screen = planted_screen(*space, 0.3, seed=1)
    assert finds_planted(screen, 1)
    found = discoveries(screen, np.arange(80), np.arange(80, 100), np.arange(100, 148), 1)
    assert found.tolist() == [0]


def test_active_concept_is_found_in_most_runs(space):
    assert sum(finds_planted(planted_screen(*space, 0.3, seed), seed) for seed in range(8)) >= 7


def test_planted_screen_has_one_effect_and_one_size(space):
    metric, covariance = space
    screen = planted_screen(metric, covariance, 0.3, seed=2)
    sizes = np.sqrt(np.einsum("kd,de,ke->k", screen.directions, metric, screen.directions))
    assert sizes == pytest.approx(np.full(148, 0.3))
    mean = screen.effects[..., 0].mean(0)
    assert mean[0] == pytest.approx(1.0, abs=0.15)
    gradient = metric @ screen.directions[0] / 0.3**2
    assert np.abs(screen.directions[1:80] @ gradient).max() < 1e-9
    assert screen.random.sum() == 20 + 48


def test_random_directions_are_rarely_found(space):
    found = []
    for seed in range(12):
        screen = planted_screen(*space, 0.3, seed)
        deal = np.split(np.arange(80, 148), [12, 20])
        found.append(len(discoveries(screen, *deal, seed)) > 0)
    assert np.mean(found) <= 0.2


def test_no_direction_is_tested_in_two_runs():
    first, second = dealt(0, 3), dealt(1, 4)
    assert [len(part) for part in first] == [40, 10, 48]
    assert len(set(np.concatenate(first))) == 98
    assert not set(first[0]) & set(np.concatenate(second))
    assert max(second[0]) == 200 + 2 * 40 - 1
    assert dealt(0, 3)[1].tolist() == first[1].tolist()


def test_sign_flips_leave_no_mean_effect_to_find(space):
    screen = planted_screen(*space, 0.3, seed=4)
    found = [finds_planted(sign_flipped(screen, seed), seed) for seed in range(6)]
    assert sum(found) <= 1
    flipped = sign_flipped(screen, 0)
    assert np.abs(flipped.effects) == pytest.approx(np.abs(screen.effects))


def test_share_has_the_target_of_its_number_of_runs():
    value, low, high, target = share_of_runs(np.zeros(200, dtype=bool))
    assert (value, low, target) == (0.0, 0.0, "<= 0.081")
    assert 0 < high < 0.05
