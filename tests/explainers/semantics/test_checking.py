"""Whether an edit happened, and what of its effect is leakage."""

import numpy as np
import pytest

from diffex.concepts import Node
from diffex.explainers.semantics.checking import check_edits, own_effects
from diffex.explainers.semantics.config import SemanticConfig
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


def verdicts(nodes, changes):
    return check_edits(changes, nodes, KNOWN, np.ones(len(NAMES)), None, CONFIG).verdict


def test_an_edit_is_judged_by_the_measurement_it_names_and_its_sense():
    changes = changes_of({"area_um2": 1.0}, {"area_um2": 1.0})
    assert verdicts([LARGE, SMALL], changes).tolist() == [["done", "done"], ["failed", "failed"]]


def test_too_little_is_a_failure_and_too_much_else_a_leak():
    others = dict.fromkeys(NAMES[8:], 1.0)
    assert verdicts([LARGE], changes_of({"area_um2": 0.2}))[0, 0] == "failed"
    assert verdicts([LARGE], changes_of({"area_um2": 1.0, **others}))[0, 0] == "leaks"


def test_what_nothing_measures_is_not_known():
    unknown = Node("x", "x", phrase="x", measurement="hair_colour")
    assert (verdicts([MUTE, unknown], changes_of({}, {})) == "unchecked").all()


def test_related_measurements_are_no_leak():
    related = {q.name: 1.0 for q in KNOWN if q.kind == "size"}
    assert verdicts([LARGE], changes_of(related))[0, 0] == "done"


def test_rows_that_were_not_rendered_are_left_out():
    changes = changes_of({"area_um2": 1.0})
    changes[:, 4:] = np.nan
    checks = check_edits(changes, [LARGE], KNOWN, np.ones(len(NAMES)), None, CONFIG)
    assert checks.done.all()
    assert checks.on_target[0, 0] == pytest.approx(1.0, abs=0.02)


def test_leakage_is_taken_out_of_an_effect():
    rng = np.random.default_rng(1)
    changes = changes_of({"area_um2": 1.0}, {"ring_mean_actin": 1.0, "area_um2": 0.3}, images=32)
    area = changes[..., NAMES.index("area_um2")]
    effects = 2.0 * area + 0.01 * rng.standard_normal(area.shape)  # the classifier sees the area alone
    nodes = [LARGE, BRIGHT]
    checks = check_edits(changes, nodes, KNOWN, np.ones(len(NAMES)), None, CONFIG)
    own, slopes = own_effects(effects, changes, checks, REAL)
    assert own[0, :, 0].mean() == pytest.approx(2.0, abs=0.1)
    assert effects[1, :, 0].mean() == pytest.approx(0.6, abs=0.05)
    assert own[1, :, 0].mean() == pytest.approx(0.0, abs=0.05)
    assert slopes[NAMES.index("area_um2")] == pytest.approx(2.0, abs=0.1)


def test_measurements_that_go_together_are_no_leak_of_each_other():
    real = REAL.copy()
    real[:, NAMES.index("ring_mean_actin")] = real[:, NAMES.index("area_um2")]
    changes = changes_of({"area_um2": 1.0, "ring_mean_actin": 1.0}, {"ring_mean_actin": 0.5}, images=32)
    effects = 2.0 * changes[..., NAMES.index("ring_mean_actin")]
    checks = check_edits(changes, [LARGE, BRIGHT], KNOWN, np.ones(len(NAMES)), None, CONFIG)
    own, _ = own_effects(effects, changes, checks, real)
    assert own[0, :, 0].mean() == pytest.approx(2.0, abs=0.1)


def test_changes_that_cancel_over_images_are_no_leak():
    changes = changes_of({"area_um2": 1.0})
    changes[:, ::2, :, 8:] += 1.0
    changes[:, 1::2, :, 8:] -= 1.0
    assert verdicts([LARGE], changes)[0, 0] == "done"


def test_without_a_named_measurement_effects_stay_as_they_are():
    changes, effects = changes_of({}), np.ones((1, 16, 2))
    checks = check_edits(changes, [MUTE], KNOWN, np.ones(len(NAMES)), None, CONFIG)
    own, slopes = own_effects(effects, changes, checks, REAL)
    assert (own == effects).all()
    assert slopes.empty
