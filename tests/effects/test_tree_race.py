"""The race finds what measuring everything finds, with a fraction of the edits; cancelling children stay."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects import (
    RANK_ALONE,
    RaceSettings,
    TreeRace,
    beam_as_meant,
    beam_as_released,
    hierarchical_calls,
    race_tree,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
IMAGES = 32


@dataclass
class Table:
    """Effects known for all, and what was asked for."""

    effects: FloatArray  # (n, K, 2)
    asked: set[tuple[int, int]] = field(default_factory=set)

    def measure(self, nodes: IntArray, images: IntArray) -> FloatArray:
        """Give a block, once."""
        pairs = {(int(node), int(image)) for node in nodes for image in images}
        assert not pairs & self.asked
        self.asked |= pairs
        return np.moveaxis(self.effects[np.ix_(images, nodes)], 0, 1)


def _effects(means: FloatArray, random: np.random.Generator, noise: float = 1.0) -> FloatArray:
    """Removing undoes part of adding; images react differently, with heavy tails."""
    both = np.stack([means, -random.uniform(0.1, 1.0, size=len(means)) * means], axis=1)
    reaction = np.exp(random.normal(0, 0.4, size=(IMAGES, 1, 1)))
    rest = random.standard_t(5, size=(IMAGES, *both.shape)) * (0.12 + 0.45 * np.abs(both))
    return both * reaction + noise * rest


def _tree(groups: int, leaves: int) -> list[int]:
    """One heading over editable groups, each over leaves."""
    return [-1, *[0] * groups, *(1 + group for group in range(groups) for _ in range(leaves))]


def _mixed(groups: int, leaves: int, seed: int) -> tuple[list[int], FloatArray]:
    """A quarter of the leaves active; a group has the mean effect of its leaves."""
    random = np.random.default_rng(seed)
    size = (groups, leaves)
    strong = random.choice([-1, 1], size=size) * (0.4 + random.exponential(0.8, size=size))
    below = np.where(random.uniform(size=size) < 0.25, strong, random.normal(0, 0.08, size=size))
    means = np.concatenate([[0.0], below.mean(axis=1), below.ravel()])
    return _tree(groups, leaves), means


def _race(parents: list[int], effects: FloatArray, settings: RaceSettings) -> TreeRace:
    editable = np.arange(len(parents)) > 0
    table = Table(effects)
    race = race_tree(parents, editable, table.measure, IMAGES, settings)
    assert race.edits == 2 * len(table.asked)
    return race


def _ndcg(effects: FloatArray, ranking: IntArray, top: int = 10) -> float:
    """Gain of a ranking by the influences that measuring everything gives."""
    gain = np.abs(effects.mean(axis=0)).max(axis=1)
    gain[0] = 0.0
    weight = 1 / np.log2(np.arange(2, top + 2))
    return float(gain[ranking[:top]] @ weight / (np.sort(gain)[: -top - 1 : -1] @ weight))


@pytest.mark.parametrize(
    ("groups", "leaves", "most"), [(12, 4, 0.28), (15, 5, 0.22), (20, 5, 0.18)], ids=["60", "90", "120"]
)
def test_the_top_ten_of_measuring_everything_at_a_fraction_of_the_edits(
    groups: int, leaves: int, most: float
) -> None:
    gains, fractions = [], []
    for seed in range(40):
        parents, means = _mixed(groups, leaves, seed)
        effects = _effects(means, np.random.default_rng(1000 + seed))
        race = _race(parents, effects, RANK_ALONE)
        gains.append(_ndcg(effects, race.ranking()))
        fractions.append(race.edits / (2 * (len(parents) - 1) * IMAGES))
    assert np.mean(gains) >= 0.98
    assert np.mean(np.array(gains) >= 0.95) >= 0.9
    assert np.mean(fractions) <= most


def test_all_that_matters_is_kept_called_with_its_sign_and_little_else() -> None:
    settings = RaceSettings(top=0, matter=0.5)
    recalls, false, fractions, signs = [], [], [], []
    for seed in range(40):
        parents, means = _mixed(12, 4, seed)
        means[np.abs(means) < 0.3] = 0.0
        effects = _effects(means, np.random.default_rng(2000 + seed))
        race = _race(parents, effects, settings)
        rows = hierarchical_calls(parents, race.p()).rows(0.05)
        matters = np.abs(means) >= 1.0
        recalls.append(rows[matters, 0].mean())
        false.append(rows[means == 0].sum() / max(rows.sum(), 1))
        right = np.sign(np.nanmean(effects[:, :, 0], axis=0)) == np.sign(means)
        signs.append(right[rows[:, 0] & matters].mean())
        fractions.append(race.edits / (2 * (len(parents) - 1) * IMAGES))
    assert np.mean(recalls) >= 0.9
    assert np.mean(false) <= 0.05 + 2 * np.std(false) / np.sqrt(40), np.mean(false)
    assert np.mean(signs) >= 0.95
    assert np.mean(fractions) <= 0.45


def _crowded(seed: int, leaves: int = 4, crowd: int = 24) -> tuple[list[int], FloatArray, FloatArray]:
    """Families that all move the score, and one, the last, whose first two children cancel."""
    random = np.random.default_rng(seed)
    parents = _tree(crowd + 1, leaves)
    strong = random.choice([-1, 1], size=crowd) * random.uniform(0.6, 1.0, size=crowd)
    below = np.repeat(strong[:, None], leaves, axis=1) * random.uniform(0.8, 1.2, size=(crowd, leaves))
    cancelling = np.array([1.5, -1.5, *[0.0] * (leaves - 2)])
    means = np.concatenate([[0.0], strong, [0.0], below.ravel(), cancelling])
    return parents, means, _effects(means, random)


def test_cancelling_children_are_found_where_the_published_beams_lose_them() -> None:
    ours, called, released, meant = 0, 0, 0, 0
    for seed in range(20):
        parents, means, effects = _crowded(seed)
        up, down = len(means) - 4, len(means) - 3
        race = _race(parents, effects, RaceSettings())
        ours += {up, down} <= set(race.ranking()[:10].tolist())
        called += int(hierarchical_calls(parents, race.p()).rows(0.05)[[up, down], 0].all())
        random = np.random.default_rng(seed)

        def score(
            nodes: tuple[int, ...],
            effects: FloatArray = effects,
            random: np.random.Generator = random,
        ) -> FloatArray:
            margin = effects[0, list(nodes), 0].sum() + 0.1 * random.normal(size=4)
            return np.asarray(1 / (1 + np.exp(-margin)))

        beam = beam_as_released(parents, score, 0.5, width=8)
        released += bool({(up,), (down,)} & beam.deltas.keys())
        joint = beam_as_meant(parents, score, 0.5, width=8, editable=np.arange(len(parents)) > 0)
        meant += any(down in nodes for nodes in joint.reported) or any(up in n for n in joint.reported)
    assert ours >= 19
    assert called >= 19
    assert released <= 1
    assert meant <= 1


def test_families_are_left_unseen_only_where_others_taught_it() -> None:
    parents = _tree(60, 4)
    random = np.random.default_rng(0)
    strong = np.where(np.arange(60) < 15, 2.0, 0.02)
    means = np.concatenate([[0.0], strong, np.repeat(strong, 4)])
    effects = _effects(means, random, noise=0.1)
    race = _race(parents, effects, RaceSettings(top=0, matter=0.8, unseen=0.05))
    unseen = np.array([state == "unseen" for state in race.states])
    assert unseen.sum() == 4 * (60 - 19)
    assert set(np.asarray(parents)[unseen].tolist()).isdisjoint(range(1, 16))
    assert (race.p()[unseen] == 1).all()
    assert np.isnan(race.influence()[unseen]).all()
    assert "unseen" not in _race(parents, effects, RaceSettings(top=0, matter=0.8)).states
    few = _race(parents[:76], effects[:, :76], RaceSettings(top=0, matter=0.8, unseen=0.01))
    assert "unseen" not in few.states, "15 families teach nothing at 1 %"


def test_families_that_surprise_keep_the_others_open() -> None:
    parents, random = _tree(60, 4), np.random.default_rng(1)
    below = np.tile([1.5, -1.5, 0.0, 0.0], 60)  # every group cancels
    effects = _effects(np.concatenate([np.zeros(61), below]), random)
    race = _race(parents, effects, RaceSettings(top=0, matter=0.8, unseen=0.05))
    assert "unseen" not in race.states
    kept = np.array([state == "kept" for state in race.states])
    assert kept[61:].reshape(60, 4)[:, :2].mean() >= 0.9


def test_the_same_inputs_give_the_same_race_and_every_state_is_told() -> None:
    parents, means = _mixed(12, 4, 5)
    effects = _effects(means, np.random.default_rng(5))
    first, again = (_race(parents, effects, RaceSettings(top=5)) for _ in range(2))
    assert first.states == again.states
    assert np.array_equal(first.effects, again.effects, equal_nan=True)
    assert first.states[0] == "group"
    assert np.isnan(first.p()[0]).all()
    dropped = np.array([state == "dropped" for state in first.states])
    assert (first.p()[dropped] == 1).all()
    assert (first.images[dropped] < IMAGES).all()
    assert (~np.isnan(first.effects[:, :, 0])).sum(axis=1).tolist() == first.images.tolist()
    other = _race(parents, effects, RaceSettings(top=5, seed=1))
    assert not np.array_equal(first.effects, other.effects, equal_nan=True)


def test_both_aims_together_keep_what_either_keeps() -> None:
    parents, means = _mixed(12, 4, 6)
    effects = _effects(means, np.random.default_rng(6))

    def kept(settings: RaceSettings) -> set[int]:
        return {i for i, s in enumerate(_race(parents, effects, settings).states) if s == "kept"}

    one_stage = (2, 32)  # the same images for all three
    both = kept(RaceSettings(top=3, matter=0.9, stages=one_stage))
    assert both == kept(RaceSettings(top=3, stages=one_stage)) | kept(
        RaceSettings(top=0, matter=0.9, stages=one_stage)
    )
    assert kept(RaceSettings(top=100)) == set(range(1, 61)), "more asked for than there are"


def test_groups_of_images_are_the_unit_where_given() -> None:
    parents, means = _mixed(12, 4, 7)
    race = _race(parents, _effects(means, np.random.default_rng(7)), RaceSettings(top=5))
    groups = np.arange(IMAGES) // 4
    p, clustered = race.p(), race.p(groups)
    tested = p < 1
    assert tested.any()
    assert not np.allclose(p[tested], clustered[tested])


@pytest.mark.parametrize(
    "settings",
    [
        RaceSettings(stages=(4, 4)),
        RaceSettings(stages=(1, 4)),
        RaceSettings(stages=()),
        RaceSettings(top=0),
        RaceSettings(lost=0.0),
        RaceSettings(unseen=1.0),
        RaceSettings(matter=-math.inf),
    ],
)
def test_refuses_settings_that_make_no_sense(settings: RaceSettings) -> None:
    with pytest.raises(InputError, match="expected"):
        _race([-1, 0], np.zeros((IMAGES, 2, 2)), settings)


def test_refuses_what_it_cannot_race() -> None:
    zeros = Table(np.zeros((IMAGES, 2, 2))).measure
    with pytest.raises(InputError, match="no editable"):
        race_tree([-1, 0], np.zeros(2, dtype=bool), zeros, IMAGES)
    with pytest.raises(InputError, match="entries"):
        race_tree([-1, 0], np.ones(3, dtype=bool), zeros, IMAGES)
    with pytest.raises(InputError, match="1 images"):
        race_tree([-1, 0], np.ones(2, dtype=bool), zeros, 1)
    with pytest.raises(InputError, match="nodes, images, signs"):
        race_tree([-1, 0], np.ones(2, dtype=bool), lambda n, i: np.zeros((len(n), len(i), 1)), IMAGES)
    with pytest.raises(InputError, match="NaN"):
        race_tree([-1], np.ones(1, dtype=bool), lambda n, i: np.full((1, len(i), 2), np.nan), IMAGES)
