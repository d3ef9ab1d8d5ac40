"""What leakage carries is no effect of a phrase."""

import numpy as np
import pytest

from diffex.concepts import Node
from diffex.explainers.semantics.checking import Checks, check_edits
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.leakage import FEWEST, own_effects
from diffex.measurements import quantities

CHANNELS = ("DNA", "actin", "mito")
KNOWN = quantities(CHANNELS, 0.5)
NAMES = [q.name for q in KNOWN]
REAL = np.random.default_rng(0).standard_normal((400, len(NAMES)))
REAL /= REAL.std(axis=0)
CONFIG = SemanticConfig(target="drug")
LARGE = Node("nucleus/large", "large nucleus", phrase="large nucleus", measurement="area")
SMALL = Node("nucleus/small", "small nucleus", phrase="small nucleus", measurement="area", rises=False)
BRIGHT = Node("actin/bright", "bright actin", phrase="bright actin", measurement="ring_mean_actin")
UP = np.array([True, True])
MUTE = Node("nucleus/odd", "odd nucleus", phrase="odd nucleus")


def changes_of(*moves, images=16, seed=0):
    """One phrase per dict of ``name: change at +1``; signs are mirrored, with a little noise."""
    rng = np.random.default_rng(seed)
    changes = 0.01 * rng.standard_normal((len(moves), images, 2, len(NAMES)))
    for k, move in enumerate(moves):
        for name, change in move.items():
            changes[k, :, 0, NAMES.index(name)] += change
            changes[k, :, 1, NAMES.index(name)] -= change
    return changes


def test_leakage_is_taken_out_of_an_effect():
    rng = np.random.default_rng(1)
    changes = changes_of({"area_um2": 1.0}, {"ring_mean_actin": 1.0, "area_um2": 0.3}, images=32)
    area = changes[..., NAMES.index("area_um2")]
    effects = 2.0 * area + 0.01 * rng.standard_normal(area.shape)  # the classifier sees the area alone
    nodes = [LARGE, BRIGHT]
    checks = check_edits(changes, nodes, KNOWN, REAL, None, CONFIG)
    found = own_effects(effects, changes, checks, UP, REAL)
    own = found.effects
    assert own[0, :, 0].mean() == pytest.approx(2.0, abs=0.1)
    assert effects[1, :, 0].mean() == pytest.approx(0.6, abs=0.05)
    assert own[1, :, 0].mean() == pytest.approx(0.0, abs=0.05)
    assert found.slopes[NAMES.index("area_um2")] == pytest.approx(2.0, abs=0.1)


def test_measurements_that_go_together_are_no_leak_of_each_other():
    real = REAL.copy()
    real[:, NAMES.index("ring_mean_actin")] = real[:, NAMES.index("area_um2")]
    changes = changes_of({"area_um2": 1.0, "ring_mean_actin": 1.0}, {"ring_mean_actin": 0.5}, images=32)
    effects = 2.0 * changes[..., NAMES.index("ring_mean_actin")]
    checks = check_edits(changes, [LARGE, BRIGHT], KNOWN, REAL, None, CONFIG)
    own = own_effects(effects, changes, checks, UP, real).effects
    assert own[0, :, 0].mean() == pytest.approx(2.0, abs=0.1)


def test_without_a_named_measurement_effects_stay_as_they_are():
    changes, effects = changes_of({}), np.ones((1, 16, 2))
    checks = check_edits(changes, [MUTE], KNOWN, REAL, None, CONFIG)
    found = own_effects(effects, changes, checks, UP[:1], REAL)
    assert (found.effects == effects).all()
    assert not found.slopes and not found.error.any()


def test_slopes_are_not_learnt_of_what_no_edit_moves_on_purpose():
    """An edit that should brighten actin does not, and breaks the nucleus: the area's effect is not its."""
    changes = changes_of({"area_um2": 1.0}, {"ring_mean_actin": -2.0, "area_um2": 0.5}, images=32)
    effects = 2.0 * changes[..., NAMES.index("area_um2")]
    checks = check_edits(changes, [LARGE, BRIGHT], KNOWN, REAL, None, CONFIG)
    assert set(own_effects(effects, changes, checks, UP, REAL).slopes) == {NAMES.index("area_um2")}


@pytest.mark.parametrize("still", ["changes", "effects"])
def test_where_nothing_moves_nothing_leaks(still):
    changes = 0.0 * changes_of({"area_um2": 1.0}) if still == "changes" else changes_of({"area_um2": 1.0})
    effects = np.zeros((1, 16, 2)) if still == "effects" else np.ones((1, 16, 2))
    checks = check_edits(changes, [LARGE], KNOWN, REAL, None, CONFIG)
    found = own_effects(effects, changes, checks, UP[:1], REAL)
    assert (found.effects == effects).all()
    assert not found.error.any()


def drawn(seed, scatter, heeded=5, phrases=40, named=8, broken=0, larger=1.0):
    """Edits that move all measurements a little, and a margin that also heeds what nothing measures."""
    rng = np.random.default_rng(seed)
    column = np.where(np.arange(phrases) < 3 * named, np.arange(phrases) % named, -1)
    means = 0.2 * rng.standard_normal((phrases, 2, len(NAMES)))
    means[:, 1] = -means[:, 0]
    own = np.flatnonzero(column >= 0)
    means[own, 0, column[own]] += 1.0
    means[own, 1, column[own]] -= 1.0
    slopes = np.zeros(len(NAMES))
    slopes[:heeded] = rng.uniform(1, 2, heeded)
    besides = scatter * rng.standard_normal((phrases, 1)) * np.array([1, -1])
    besides[phrases - broken :] *= 50
    means[:named] *= larger
    effects = np.broadcast_to((means @ slopes + besides)[:, None], (phrases, 16, 2))
    changes = np.broadcast_to(means[:, None], (phrases, 16, 2, len(NAMES)))
    filler = np.ones((phrases, 2))
    checks = Checks(column, filler, filler, filler, np.full((phrases, 2), "done"))
    found = own_effects(effects, changes, checks, np.ones(phrases, bool), REAL)
    return found, column, heeded, effects


def test_the_error_covers_what_no_measurement_carries_though_most_phrases_are_heeded():
    off = []
    for seed in range(60):
        found, column, heeded, _ = drawn(seed, scatter=0.4)
        idle = column >= heeded
        off.append((found.effects.mean(1) / found.error)[idle, 0])
    z = np.concatenate(off)
    assert 0.75 < z.std() < 1.1
    assert (np.abs(z) > 1.96).mean() < 0.08


def test_a_few_edits_that_break_images_do_not_decide_for_all():
    plain, worse = (np.median(drawn(3, scatter=0.4, broken=few)[0].error) for few in (0, 3))
    assert plain <= worse < 4 * plain  # by a root mean square, more than tenfold


def test_an_edit_that_changes_more_may_carry_more_unmeasured():
    found, column, *_ = drawn(3, scatter=0.4, larger=4.0)
    same = column[8:24]
    assert (found.error[:8, 0] > 1.5 * found.error[8:24, 0][np.argsort(same)[::2]]).all()


def test_where_measurements_carry_all_the_error_is_how_roughly_slopes_hold():
    found, _, _, effects = drawn(0, scatter=0.0)
    carried = np.abs(effects - found.effects).mean(axis=1)
    np.testing.assert_allclose(found.error, 0.3 * carried, atol=1e-6)


def test_with_few_phrases_no_error_is_known():
    found, *_ = drawn(0, scatter=0.4, phrases=FEWEST - 1, named=3)
    assert not found.error.any()


def test_opposites_count_as_one_line():
    """Phrases said the other way round as well teach nothing more."""
    rng = np.random.default_rng(6)
    changes = changes_of(*({NAMES[k]: 1.0} for k in range(14)), images=8)
    effects = changes[..., :6].sum(-1) + 0.5 * rng.standard_normal((14, 1, 1)) * np.array([1.0, -1.0])
    column, filler = np.arange(14), np.full((28, 2), 1.0)

    def errors(repeats):
        done = np.full((14 * repeats, 2), "done")
        checks = Checks(np.tile(column, repeats), *[filler[: len(done)]] * 3, done)
        flips = np.concatenate([np.ones(14), -np.ones(14)])[: len(done)]
        twice = np.tile(changes, (repeats, 1, 1, 1)) * flips[:, None, None, None]
        moved = np.tile(effects, (repeats, 1, 1)) * flips[:, None, None]
        return own_effects(moved, twice, checks, flips > 0, REAL).error[:14]

    np.testing.assert_allclose(errors(2), errors(1))
