import numpy as np
import pytest
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.drivers import drivers
from diffex.effects.multiplicity import benjamini_hochberg

AXES, COUNT = 24, 192


def world(seed, quantities=6, noise=0.3):
    """Moves, the slopes of some quantities, and their measured changes."""
    random = np.random.default_rng(seed)
    moves = random.normal(size=(COUNT, AXES))
    slopes = random.normal(size=(AXES, quantities)) / np.sqrt(AXES)
    changes = moves @ slopes + noise * random.normal(size=(COUNT, quantities))
    return random, moves, slopes, changes


def test_the_quantity_that_is_followed_is_found_and_the_others_are_not():
    random, moves, slopes, changes = world(0)
    found = drivers(moves, changes, 2 * moves @ slopes[:, 3] + 0.2 * random.normal(size=COUNT))
    assert sorted(found.chosen) == list(range(6))
    place = found.chosen.tolist().index(3)
    assert found.effect[place] == pytest.approx(2, rel=0.1) and found.low[place] > 1.5
    assert (benjamini_hochberg(found.p) <= 0.05).tolist() == [j == 3 for j in found.chosen]
    assert found.share > 0.95 and found.straight > 0.9


def test_moves_of_one_quantity_hold_the_others():
    _, moves, slopes, changes = world(1, noise=0.05)
    found = drivers(moves, changes, changes[:, 0])
    np.testing.assert_allclose(found.moves @ slopes[:, found.chosen], np.eye(6), atol=0.1)


def test_of_quantities_that_move_together_the_first_stands_for_both():
    random, moves, _, changes = world(2)
    twice = np.column_stack([changes, changes[:, 0] + 0.01 * random.normal(size=COUNT)])
    found = drivers(moves, twice, changes[:, 0])
    assert 0 in found.chosen and 6 not in found.chosen


def test_what_no_move_tells_is_not_listed():
    random, moves, _, changes = world(3)
    changes[:, 2] = random.normal(size=COUNT)
    assert 2 not in drivers(moves, changes, changes[:, 0]).chosen
    nothing = drivers(moves, random.normal(size=(COUNT, 4)), changes[:, 0])
    assert len(nothing.chosen) == len(nothing.p) == 0 and nothing.share < 0.05


def test_unmeasured_drivers_are_said_and_make_up_none():
    """A classifier that answers to something else: p values are uniform, and little is carried."""
    p, shares = [], []
    for seed in range(120):
        random, moves, _, changes = world(seed, quantities=4)
        found = drivers(moves, changes, moves @ random.normal(size=AXES))
        p.append(found.p)
        shares.append(found.share)
    assert stats.kstest(np.concatenate(p), "uniform").pvalue > 0.01
    assert 0.1 < np.mean(shares) < 0.25, "four axes of 24"


def test_intervals_hold_the_truth_beside_an_unmeasured_driver():
    held = []
    for seed in range(150):
        random, moves, slopes, changes = world(seed, quantities=4)
        other = random.normal(size=AXES) / np.sqrt(AXES)
        found = drivers(moves, changes, moves @ (1.5 * slopes[:, 1] + other))
        wanted = np.where(found.chosen == 1, 1.5, 0.0)
        held.append((found.low <= wanted) & (wanted <= found.high))
    assert 0.92 < np.concatenate(held).mean() < 0.98


@pytest.mark.parametrize("noise", [0.3, 0.5])
def test_noise_of_measurements_neither_dilutes_nor_leaks(noise):
    """Two quantities whose slopes correlate by .8, one of them measured badly and followed."""
    held, leaked = [], []
    for seed in range(100):
        random = np.random.default_rng(seed)
        moves, first = random.normal(size=(512, 64)), random.normal(size=64) / 8
        slopes = np.stack([first, 0.8 * first + 0.6 * random.normal(size=64) / 8], axis=1)
        changes = moves @ slopes + [noise, 0.05] * random.normal(size=(512, 2))
        found = drivers(moves, changes, moves @ slopes[:, 0] + 0.1 * random.normal(size=512))
        assert sorted(found.chosen) == [0, 1]
        wanted = np.where(found.chosen == 0, 1.0, 0.0)
        held.append((found.low <= wanted) & (wanted <= found.high))
        leaked.append(found.p[found.chosen == 1] < 0.05)
    assert np.mean(held) > 0.9 and np.mean(leaked) < 0.12


def test_a_classifier_that_does_not_answer_is_said_to_be_told_nothing():
    random, moves, _, changes = world(7)
    still = drivers(moves, changes, np.full(COUNT, 3.0))
    assert still.share == still.straight == 0
    shares = [drivers(moves, changes, random.normal(size=COUNT)).share for _ in range(40)]
    assert np.mean(np.array(shares) > 0) < 0.2
    nowhere = drivers(np.zeros((5, 0)), changes[:5], np.zeros(5))
    assert len(nowhere.chosen) == 0 and nowhere.share == 0


def test_a_short_code_tells_few_quantities_apart():
    random = np.random.default_rng(8)
    moves = random.normal(size=(64, 8))
    changes = moves @ random.normal(size=(8, 6))
    found = drivers(moves, changes, changes.sum(axis=1))
    assert found.full and len(found.chosen) == 4
    assert not drivers(moves, changes[:, :2], changes[:, 0]).full


def test_a_threshold_is_said_to_bend():
    _, moves, slopes, changes = world(5)
    bent = drivers(moves, changes, (moves @ slopes[:, 0] > 1.5).astype(float))
    assert bent.straight < 0.6
    assert bent.p[bent.chosen.tolist().index(0)] < 0.001


@pytest.mark.parametrize(
    ("rows", "values", "message"),
    [(60, 60, "at least 72"), (COUNT, 5, "5 responses"), (COUNT, COUNT, "NaN")],
)
def test_wrong_input_is_refused(rows, values, message):
    _, moves, _, changes = world(6)
    response = np.zeros(values)
    response[-1] = np.nan if message == "NaN" else 0.0
    with pytest.raises(InputError, match=message):
        drivers(moves[:rows], changes[:rows], response)
