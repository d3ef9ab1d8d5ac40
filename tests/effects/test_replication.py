"""Halves are equal, seeded, and respect groups."""

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.effects.replication import selection_half


@pytest.mark.parametrize("count", [4, 9, 256])
def test_halves_are_equal_and_seeded(count: int) -> None:
    half = selection_half(count, None, seed=1)
    assert half.sum() == count // 2
    assert (half == selection_half(count, None, seed=1)).all()


def test_many_groups_stay_whole() -> None:
    groups = np.array([f"well-{i % 13}" for i in range(130)])
    half = selection_half(130, groups, seed=0)
    assert not set(groups[half]) & set(groups[~half])


def test_few_groups_are_cut_in_two() -> None:
    groups = np.arange(80) % 8
    half = selection_half(80, groups, seed=0)
    assert np.bincount(groups[half]).tolist() == [5] * 8


def test_refuses_too_few() -> None:
    with pytest.raises(InputError, match="got 3 images"):
        selection_half(3, None, seed=0)
