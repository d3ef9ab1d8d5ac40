"""What is said of a strength that lies in a gap of, or beyond, those at which edits look real."""

import pandas as pd
import pytest

from diffex.explainers.strengths import strength_warning
from diffex.runs import Explanation


def _run(dose):
    none = pd.DataFrame()
    return Explanation({}, none, none, {}, dose, none, (), {}, {}, {})


@pytest.fixture
def told():
    """Ask about a strength, where 0.5, 1.25 and 1.5 passed one way of a concept and 1, 2 failed."""
    dose = pd.DataFrame({"strength": [0.5, 1.0, 1.25, 1.5, 2.0], "on_manifold": [1, 0, 1, 1, 0]})
    run = _run(dose.astype({"on_manifold": bool}).assign(concept="one", sign=1))
    return lambda strength, concept="one": strength_warning(run, concept, strength)


@pytest.mark.parametrize("strength", [0, 0.2, 0.5, 1.25, 1.3, 1.5])
def test_nothing_where_edits_look_real(told, strength):
    assert told(strength) is None


@pytest.mark.parametrize("strength", [0.7, 1, 1.1])
def test_gap(told, strength):
    assert told(strength) == (
        f"Strength {strength:g} lies in a gap: edits at 1 can be told from real images, at 0.5, 1.25, 1.5 "
        "they cannot: these images may look like none of yours."
    )


@pytest.mark.parametrize("strength", [1.6, 2, 9])
def test_beyond(told, strength):
    assert told(strength).startswith(f"Strength {strength:g} is beyond 1.5, the largest that stays")


def test_the_other_way_and_another_concept_were_not_tested(told):
    assert "edits along one in this direction stay on the manifold was not tested" in told(-0.5)
    assert "edits along two in" in told(1, "two")


def test_no_strength_passed():
    dose = pd.DataFrame({"strength": [0.5, 1.0], "on_manifold": [False, False], "concept": "one", "sign": -1})
    said = strength_warning(_run(dose), "one", -0.7)
    assert said.startswith("None of the strengths tried (0.5, 1) stays on the manifold")
