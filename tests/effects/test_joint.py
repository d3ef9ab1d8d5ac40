"""Interactions and joint sets recover what was planted and stop where nothing more helps."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects import best_joint_set, interactions

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
IMAGES = 32
MEANS = np.array([1.0, 0.8, 0.6, 0.0, 0.0, -0.5])
BEYOND = {(0, 1): 0.7, (0, 2): -0.6}


class World:
    """Effects that add up but for planted pairs, with noise per image and set of rows."""

    def __init__(self, seed: int, noise: float = 0.3) -> None:
        self.random, self.noise = np.random.default_rng(seed), noise
        self.single = MEANS + self._rest(len(MEANS)).T
        self.measured = 0

    def _rest(self, sets: int) -> FloatArray:
        return self.noise * self.random.normal(size=(sets, IMAGES))

    def joint(self, sets: Sequence[tuple[int, ...]], images: IntArray) -> FloatArray:
        """Sum of parts, plus what planted pairs add."""
        self.measured += len(sets) * len(images)
        sums = [
            self.single[images][:, list(rows)].sum(axis=1)
            + sum(term for pair, term in BEYOND.items() if set(pair) <= set(rows))
            for rows in sets
        ]
        return np.stack(sums) + self._rest(len(sets))


def test_planted_interactions_are_found_with_their_sign_and_no_others() -> None:
    false, found, covered = [], [], []
    for seed in range(60):
        world = World(seed)
        terms = interactions(world.single, world.joint)
        truth = np.array([BEYOND.get(pair, 0.0) for pair in terms.pairs])
        called = terms.q <= 0.05
        found.append((called & (np.sign(terms.terms.value) == np.sign(truth)))[truth != 0].mean())
        false.append(called[truth == 0].sum() / max(called.sum(), 1))
        covered.append(((terms.terms.low <= truth) & (truth <= terms.terms.high)).mean())
        assert world.measured == 15 * IMAGES
    assert np.mean(found) >= 0.95
    assert np.mean(false) <= 0.05 + 2 * np.std(false) / np.sqrt(60)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_pairs_may_be_chosen() -> None:
    world = World(0)
    found = interactions(world.single, world.joint, pairs=[(2, 0)])
    assert found.pairs == ((2, 0),)
    assert found.terms.value == pytest.approx([-0.6], abs=0.2)
    assert found.joint == pytest.approx([1.0], abs=0.25)


def test_the_joint_set_adds_what_helps_most_and_stops() -> None:
    right = 0
    for seed in range(20):
        world = World(seed)
        found = best_joint_set(world.single, world.joint, most=5)
        right += found.rows == (0, 1)  # row 2 is cancelled by row 0, the others do nothing
        assert found.edits == world.measured
        assert found.effects[1].value > found.effects[0].value
        assert max(found.gains_p) <= 0.05
    assert right >= 18


def test_the_joint_set_heeds_its_limits() -> None:
    world = World(1)
    assert best_joint_set(world.single, world.joint, most=1).rows == (0,)
    assert world.measured == 0
    same = best_joint_set(world.single, world.joint, most=5, concepts=[7] * len(MEANS))
    assert same.rows == (0,), "signs of one concept are not joined"
    assert best_joint_set(-np.abs(world.single), world.joint, most=5).rows == ()


def test_refuses_what_it_cannot_join() -> None:
    world = World(2)
    with pytest.raises(InputError, match="two different rows"):
        interactions(world.single, world.joint, pairs=[(0, 0)])
    with pytest.raises(InputError, match="two different rows"):
        interactions(world.single[:, :1], world.joint)
    with pytest.raises(InputError, match="sets, images"):
        interactions(world.single, lambda sets, images: np.zeros((len(sets), 3)))
    with pytest.raises(InputError, match="entries"):
        best_joint_set(world.single, world.joint, most=2, concepts=[0])
