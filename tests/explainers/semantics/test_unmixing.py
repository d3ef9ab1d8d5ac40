"""Phrases led along what they alone change."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from diffex.concepts import Concept
from diffex.explainers.semantics.edits import pilot_edits
from diffex.explainers.semantics.unmixing import opposed, opposites_of, unmixed

NAMES = "large", "small", "bright", "mute", "odd"
CONCEPTS = [Concept(n, "text", n, torch.eye(5)[i].view(1, 5)) for i, n in enumerate(NAMES)]
APART = np.eye(3, dtype=bool)
COLUMN = np.array([0, 0, 1, -1, 2])
RISES = np.array([True, False, True, True, True])
CHANGES = np.array([[3.0, 1.5, 0.0], [-3.0, -1.5, 0.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.1]])


def changed(concepts):
    """What the directions change if texts add up."""
    return torch.stack([c.direction.flatten() for c in concepts]).double().numpy() @ CHANGES


def test_opposites_are_led_apart_and_what_they_share_is_left_out():
    directions = [torch.tensor([[1.0, 4.0]]), torch.tensor([[-1.0, 2.0]]), torch.tensor([[5.0, 5.0]])]
    three = [replace(c, direction=d) for c, d in zip(CONCEPTS, directions, strict=False)]
    rises, column = np.array([True, False, True]), np.array([0, 0, 1])
    large, small, bright = (c.direction for c in opposed(three, column, rises))
    assert torch.equal(large, torch.tensor([[1.0, 1.0]]))
    assert torch.equal(small, -large)
    assert torch.equal(bright, directions[2])  # without an opposite
    assert [c.opposite for c in opposed(three, column, rises)] == [True, True, False]
    alone = opposed(three, np.full(3, -1), rises)  # what nothing measures has none
    assert all(torch.equal(c.direction, d) for c, d in zip(alone, directions, strict=True))


def test_what_other_phrases_change_is_taken_out():
    after = changed(unmixed(CONCEPTS, CHANGES, COLUMN, RISES, APART))
    assert abs(after[0, 1]) < 0.2 * CHANGES[0, 1]
    assert after[0, 0] == pytest.approx(CHANGES[0, 0])
    assert after[2] == pytest.approx(CHANGES[2], abs=0.01)


def test_neither_the_opposite_nor_what_nothing_measures_takes_part():
    led = unmixed(CONCEPTS, CHANGES, COLUMN, RISES, APART)
    assert float(led[0].direction[0, 1]) == 0  # small
    assert all(float(c.direction[0, 3]) == 0 for c in led if c.id != "mute")
    assert torch.equal(led[3].direction, CONCEPTS[3].direction)


def test_what_a_phrase_asks_for_is_kept():
    changes = CHANGES.copy()
    changes[2] = [2.0, 3.0, 0.0]  # more of "bright" is "large", too: taken out of "large" it would shrink it
    led = unmixed(CONCEPTS, changes, COLUMN, RISES, APART)
    after = torch.stack([c.direction.flatten() for c in led]).double().numpy() @ changes
    assert after[0, 0] > 0.9 * changes[0, 0]
    assert 0 < after[0, 1] < changes[0, 1]


def test_measurements_that_go_together_are_left_together():
    together = APART.copy()
    together[0, 1] = together[1, 0] = True
    led = unmixed(CONCEPTS, CHANGES, COLUMN, RISES, together)
    assert float(led[0].direction[0, 2]) == 0


def test_a_phrase_with_no_other_beside_it_stays_as_it_is():
    led = unmixed(CONCEPTS[:2], CHANGES[:2], COLUMN[:2], RISES[:2], APART)
    assert all(torch.equal(a.direction, b.direction) for a, b in zip(led, CONCEPTS, strict=False))


def test_a_weak_leak_is_not_chased_with_a_weak_phrase():
    changes = CHANGES.copy()
    changes[0, 2] = 0.2
    led = unmixed(CONCEPTS, changes, COLUMN, RISES, APART)
    assert abs(float(led[0].direction[0, 4])) < 0.1


def test_a_phrase_that_does_not_move_what_it_names_takes_no_part():
    changes = CHANGES.copy()
    changes[2] = [0.0, -3.0, 0.0]  # "bright" darkens
    led = unmixed(CONCEPTS, changes, COLUMN, RISES, APART)
    assert float(led[0].direction[0, 2]) == 0


def test_three_phrases_of_one_measurement_have_no_one_opposite():
    column, rises = np.array([0, 0, 0, 1, 1, -1]), np.array([True, False, False, True, False, True])
    assert opposites_of(column, rises).tolist() == [-1, -1, -1, 4, 3, -1]
    assert pilot_edits(column, rises) == 4 * 6 + 10 * (3 * 2 + 2)
