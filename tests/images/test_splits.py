import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffex.base.errors import InputError
from diffex.images import images_from_arrays, sample, split_by_group


def images_of(labels=None, groups=None, count=None):
    count = count or len(labels)
    return images_from_arrays(
        np.zeros((count, 1, 28, 28), dtype=np.float32),
        labels=None if labels is None else np.array(labels),
        class_names=() if labels is None else tuple(f"class{i}" for i in range(max(labels) + 1)),
        groups=None if groups is None else np.array(groups),
    )


# Groups of one class each, as wells are: (class, number of images).
WELLS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=2, max_size=14)


@settings(max_examples=60, deadline=None)
@given(wells=WELLS, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 5), shuffle=st.randoms())
def test_split_keeps_groups_whole_and_classes_in_both_parts(wells, fraction, seed, shuffle):
    labels = [label for label, n in wells for _ in range(n)]
    groups = [f"well{i}" for i, (_, n) in enumerate(wells) for _ in range(n)]
    images = images_of(labels, groups)
    first, second = split_by_group(images, fraction, seed)
    assert sorted(first.ids + second.ids) == sorted(images.ids)
    assert not set(first.groups) & set(second.groups)
    for label in range(3):
        enough = sum(label == of for of, _ in wells) >= 2
        assert not enough or ((first.labels == label).any() and (second.labels == label).any())
    order = list(range(len(images)))
    shuffle.shuffle(order)
    assert set(split_by_group(images.subset(order), fraction, seed)[1].ids) == set(second.ids)


def test_split_without_groups_is_stratified_to_the_image():
    first, second = split_by_group(images_of([0] * 80 + [1] * 20), 0.25, seed=0)
    assert (first.class_counts(), second.class_counts()) == (
        {"class0": 60, "class1": 15},
        {"class0": 20, "class1": 5},
    )
    assert list(second.ids) == sorted(second.ids)


def test_split_with_many_groups_is_near_the_fraction():
    groups = [f"g{i % 30}" for i in range(600)]
    second = split_by_group(images_of([i % 2 for i in range(600)], groups), 0.2, seed=1)[1]
    assert len(second) == pytest.approx(120, abs=20)


def test_seeds_differ_and_repeat():
    images = images_of([0, 1] * 30)
    parts = [split_by_group(images, 0.3, seed)[1].ids for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def test_split_without_labels():
    first, second = split_by_group(images_of(count=10), 0.01, seed=0)
    assert (len(first), len(second)) == (9, 1)


def test_a_group_with_two_classes_stays_whole():
    images = images_of([0, 1, 0, 1, 0, 1], ["a", "a", "b", "b", "c", "c"])
    first, second = split_by_group(images, 0.1, seed=0)
    assert (first.class_counts(), second.class_counts()) == (
        {"class0": 2, "class1": 2},
        {"class0": 1, "class1": 1},
    )


def test_splits_that_cannot_be():
    with pytest.raises(InputError, match="fraction got 1, expected between 0 and 1"):
        split_by_group(images_of([0, 1]), 1, seed=0)
    with pytest.raises(InputError, match="Got 1 group, expected at least 2"):
        split_by_group(images_of([0, 1], ["a", "a"]), 0.5, seed=0)


def test_sample_is_balanced_as_far_as_classes_reach():
    images = images_of([0] * 50 + [1] * 20 + [2] * 3)
    assert sample(images, 30, seed=0).class_counts() in (
        {"class0": 14, "class1": 13, "class2": 3},
        {"class0": 13, "class1": 14, "class2": 3},
    )
    assert len(sample(images, 1000, seed=0)) == 73


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 3), balanced=st.booleans(), shuffle=st.randoms())
def test_sample_does_not_depend_on_order(n, seed, balanced, shuffle):
    images = images_of([i % 3 // 2 for i in range(40)])
    taken = sample(images, n, seed, balanced=balanced)
    assert len(taken) == n
    assert list(taken.ids) == sorted(taken.ids)
    order = list(range(len(images)))
    shuffle.shuffle(order)
    assert set(sample(images.subset(order), n, seed, balanced=balanced).ids) == set(taken.ids)


def test_sample_without_labels_and_of_nothing():
    assert len(sample(images_of(count=9), 4, seed=0)) == 4
    with pytest.raises(InputError, match="n got 0, expected at least 1"):
        sample(images_of(count=9), 0, seed=0)
