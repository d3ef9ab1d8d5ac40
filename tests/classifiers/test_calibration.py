import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.classifiers import balanced_accuracy_interval, fit_temperature


def test_temperature_is_recovered():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)) * 2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    assert fit_temperature(logits, labels) == pytest.approx(1, abs=0.1)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, abs=0.3)


def test_a_few_images_without_an_error_do_not_sharpen():
    logits = np.array([[5.0, 0], [0, 5.0]])
    assert fit_temperature(logits, np.array([0, 1])) > 5


@pytest.mark.parametrize("scale", [0.3, 3.0, 60.0])
def test_confidence_grows_with_the_images_that_are_right(scale):
    for count in (20, 200):
        labels = np.arange(2 * count) % 2
        logits = scale * np.stack([1 - labels, labels], axis=1)
        temperature = fit_temperature(logits, labels)
        margin = scale / temperature
        assert margin == pytest.approx(np.log(count + 1), rel=0.02)


def test_temperature_needs_images():
    with pytest.raises(InputError, match="n > 0"):
        fit_temperature(np.zeros((0, 2)), np.zeros(0, dtype=int))


def test_value_is_the_mean_recall_of_uneven_classes():
    labels = np.array([0] * 90 + [1] * 10)
    value, low, high = balanced_accuracy_interval(labels, np.zeros(100, dtype=int))
    assert (value, low, high) == (0.5, 0.5, 0.5)
    predictions = labels.copy()
    predictions[-5:] = 0
    value, low, high = balanced_accuracy_interval(labels, predictions)
    assert value == 0.75
    assert low < 0.65
    assert high > 0.85


def test_groups_widen_the_interval_from_six_on():
    groups = np.repeat(np.arange(8).astype(str), 50)
    labels = np.tile([0, 1], 200)
    predictions = np.where(np.isin(groups, ["0", "1"]), 1 - labels, labels)
    images_only = balanced_accuracy_interval(labels, predictions)
    by_group = balanced_accuracy_interval(labels, predictions, groups)
    assert images_only[0] == by_group[0] == 0.75
    assert by_group[2] - by_group[1] > 3 * (images_only[2] - images_only[1])
    few = np.repeat(np.arange(5).astype(str), 80)
    assert balanced_accuracy_interval(labels, predictions, few) == images_only


def test_a_class_in_one_group_only_gives_finite_numbers():
    groups = np.repeat(np.arange(6).astype(str), 5)
    labels = np.where(groups == "0", 1, 0)
    assert np.isfinite(balanced_accuracy_interval(labels, labels, groups)).all()


def test_seed_decides_the_interval():
    labels = np.tile([0, 1], 50)
    predictions = np.where(np.arange(100) % 7 == 0, 0, labels)
    first, again, other = (balanced_accuracy_interval(labels, predictions, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first[0] == other[0]


def test_lengths_must_agree():
    with pytest.raises(InputError, match="as many of both"):
        balanced_accuracy_interval(np.zeros(3, dtype=int), np.zeros(2, dtype=int))
