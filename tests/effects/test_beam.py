"""The published searches score what they are said to score, and no more."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects import (
    beam_as_meant,
    beam_as_released,
    leditspp_evaluations,
    released_evaluations,
)

FloatArray = NDArray[np.float64]
SEEDS = 4
BASE = 0.4


def _additive(effects: dict[int, float]) -> Callable[[tuple[int, ...]], FloatArray]:
    """Score a combination by the sum of its nodes, the same for all seeds."""
    return lambda nodes: np.full(SEEDS, BASE + sum(effects.get(node, 0.0) for node in nodes))


def _published_tree(items: int, leaves: int) -> list[int]:
    """Three categories over items, each over leaves."""
    first = 3 + items
    return [-1] * 3 + [i % 3 for i in range(items)] + [3 + i for i in range(first - 3) for _ in range(leaves)]


def test_the_released_beam_costs_what_the_formula_says() -> None:
    for items, edits, evaluations in ((30, 920, 138_000), (60, 1040, 156_000)):
        found = beam_as_released(_published_tree(items, 25), _additive({}), BASE)
        assert found.edits == edits
        assert released_evaluations(found.edits) == evaluations
    assert leditspp_evaluations(920, inversions=SEEDS) == 50 * SEEDS + 100 * 920


def test_the_released_beam_follows_absolute_change_in_two_levels() -> None:
    parents = _published_tree(12, 2)
    effects = {node: 0.01 * node * (-1) ** node for node in range(3, 15)}  # items 7 to 14 are the beam
    effects |= {leaf: 0.001 * leaf for leaf in range(15, 39)}
    found = beam_as_released(parents, _additive(effects), BASE, top=5)
    assert found.beam == tuple((node,) for node in range(14, 6, -1))
    assert found.reported == tuple((leaf,) for leaf in range(38, 33, -1))
    assert found.edits == SEEDS * (12 + 8 * 2)
    assert found.deltas[(14,)] == pytest.approx(0.14)
    assert found.deltas[(13,)] == pytest.approx(-0.13)
    assert (0,) not in found.deltas


def test_the_released_beam_keeps_only_changes_of_some_size() -> None:
    found = beam_as_released([-1, 0, 0, 1, 2], _additive({1: 0.3, 2: 0.05, 3: 0.2}), BASE, least=0.1)
    assert (found.beam, found.reported) == (((1,),), ((3,),))


def test_the_beam_as_meant_joins_children_and_ends_when_none_improves() -> None:
    parents = [-1, -1, 0, 0, 1, 2, 2]
    effects = {0: 0.1, 1: -0.2, 2: 0.2, 3: -0.1, 4: 0.1, 5: -0.1, 6: -0.2}
    found = beam_as_meant(parents, _additive(effects), BASE)
    assert found.reported == ((0, 2), (1, 4))
    assert found.deltas[(0, 2)] == pytest.approx(0.3)
    assert found.edits == SEEDS * (2 + 3 + 2), "roots, children, children of node 2"
    narrow = beam_as_meant(parents, _additive(effects), BASE, width=1, threshold=0.5)
    assert narrow.reported == ((0, 2),)
    assert beam_as_meant(parents, _additive(effects), BASE, threshold=0.9).reported == ()


def test_children_of_a_group_that_cannot_be_edited_take_its_place() -> None:
    can = np.array([False, True, False, True])
    found = beam_as_meant([-1, 0, 1, 2], _additive({1: 0.1, 3: 0.1}), BASE, editable=can)
    assert found.reported == ((1, 3),)


def test_refuses_a_score_it_cannot_use() -> None:
    with pytest.raises(InputError, match="no values"):
        beam_as_released([-1, 0], lambda _: np.zeros(0), BASE)
    with pytest.raises(InputError, match="NaN"):
        beam_as_meant([-1], lambda _: np.array([np.nan]), BASE)
