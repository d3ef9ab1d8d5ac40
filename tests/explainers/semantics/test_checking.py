"""Whether an edit happened, and what of its effect is leakage."""

import numpy as np
import pytest

from diffex.concepts import Node
from diffex.explainers.semantics.checking import check_edits
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
    return check_edits(changes, nodes, KNOWN, REAL, None, CONFIG).verdict


def test_an_edit_is_judged_by_the_measurement_it_names_and_its_sense():
    changes = changes_of({"area_um2": 1.0}, {"area_um2": 1.0})
    assert verdicts([LARGE, SMALL], changes).tolist() == [["done", "done"], ["failed", "failed"]]


def test_too_little_is_a_failure_and_too_much_else_a_leak():
    others = dict.fromkeys(NAMES[8:], 1.0)
    assert verdicts([LARGE], changes_of({"area_um2": 0.2}))[0, 0] == "failed"
    assert verdicts([LARGE], changes_of({"area_um2": 1.0, **others}))[0, 0] == "leaks"


def test_what_goes_with_the_named_measurement_is_no_leak():
    others = NAMES[8:]
    changes = changes_of({"area_um2": 1.0, **dict.fromkeys(others, 1.0)})
    real = REAL.copy()
    real[:, [NAMES.index(name) for name in others]] = real[:, [NAMES.index("area_um2")]]
    assert check_edits(changes, [LARGE], KNOWN, real, None, CONFIG).verdict[0, 0] == "done"
    assert verdicts([LARGE], changes)[0, 0] == "leaks"


def test_what_nothing_measures_is_not_known():
    unknown = Node("x", "x", phrase="x", measurement="hair_colour")
    assert (verdicts([MUTE, unknown], changes_of({}, {})) == "unchecked").all()


def test_related_measurements_are_no_leak():
    related = {q.name: 1.0 for q in KNOWN if q.kind == "size"}
    assert verdicts([LARGE], changes_of(related))[0, 0] == "done"


def test_rows_that_were_not_rendered_are_left_out():
    changes = changes_of({"area_um2": 1.0})
    changes[:, 4:] = np.nan
    checks = check_edits(changes, [LARGE], KNOWN, REAL, None, CONFIG)
    assert checks.done.all()
    assert checks.on_target[0, 0] == pytest.approx(1.0, abs=0.02)


def test_changes_that_cancel_over_images_are_no_leak():
    changes = changes_of({"area_um2": 1.0})
    changes[:, ::2, :, 8:] += 1.0
    changes[:, 1::2, :, 8:] -= 1.0
    assert verdicts([LARGE], changes)[0, 0] == "done"
