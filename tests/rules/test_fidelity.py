import numpy as np
import pytest

from diffex.rules.fidelity import balanced, fidelity


def margins(count=400, classes=2, seed=0):
    found = np.random.default_rng(seed).normal(size=(count, classes))
    return np.stack([-found[:, 0], found[:, 0]], axis=1) if classes == 2 else found


@pytest.mark.parametrize("classes", [2, 3])
def test_a_perfect_rule_agrees_everywhere(classes):
    said = margins(classes=classes)
    found = fidelity(said, said, said.argmax(axis=1), None, 0)
    assert found.agreement == (1, 1, 1)
    assert found.r2 == ((1, 1, 1),) * (1 if classes == 2 else 3)
    assert found.accuracy == found.accuracy_ratio == found.classifier_accuracy == (1, 1, 1)
    assert (found.images, found.unit) == (400, "images")


def test_a_rule_by_chance_agrees_on_half():
    found = fidelity(margins(seed=1), margins(), margins().argmax(axis=1), None, 0)
    for value, low, high in (found.agreement, found.accuracy, found.accuracy_ratio):
        assert 0.4 < value < 0.6
        assert low < 0.5 < high
        assert 0.06 < high - low < 0.14, "near that of 400 throws of a coin"
    assert found.r2[0][0] < -0.5


def test_a_rule_of_the_wrong_size_agrees_but_explains_less():
    found = fidelity(0.5 * margins(), margins(), None, None, 0)
    assert found.agreement[0] == 1
    assert found.r2[0][0] == pytest.approx(0.75, abs=0.01)
    assert found.accuracy is found.accuracy_ratio is found.classifier_accuracy is None


def test_intervals_hold_the_value_and_follow_the_seed():
    said = margins()
    ruled = said + np.random.default_rng(2).normal(size=(400, 1)) * [[1, -1]]
    first, again, other = (fidelity(ruled, said, None, None, seed) for seed in (0, 0, 1))
    assert first == again
    assert first.agreement[0] == other.agreement[0]
    assert first.agreement != other.agreement
    assert first.agreement[1] < first.agreement[0] < first.agreement[2]


def test_intervals_over_groups_are_wider_where_groups_matter():
    said = margins()
    groups = np.repeat([f"well {i}" for i in range(20)], 20)
    wrong = np.repeat(np.arange(20) % 4 == 0, 20)  # all images of a well, or none
    ruled = np.where(wrong[:, None], -said, said)
    images, wells = (fidelity(ruled, said, None, g, 0) for g in (None, groups))
    width = [one.agreement[2] - one.agreement[1] for one in (images, wells)]
    assert (images.unit, wells.unit) == ("images", "groups")
    assert images.agreement[0] == wells.agreement[0] == 0.75
    assert width[1] > 2.5 * width[0]
    scattered = np.random.default_rng(0).permutation(groups)
    apart = fidelity(ruled, said, None, scattered, 0).agreement
    assert apart[2] - apart[1] == pytest.approx(width[0], rel=0.4), "groups that say nothing change nothing"


def test_few_groups_are_not_resampled():
    groups = np.repeat(["a", "b", "c", "d"], 100)
    assert fidelity(margins(), margins(), None, groups, 0).unit == "images"


def test_the_ratio_is_over_the_classifier():
    labels = np.repeat([0, 1], 200)
    truth = np.where(labels == 1, 1.0, -1.0)
    said, ruled = truth.copy(), truth.copy()
    said[:20] *= -1
    ruled[:60] *= -1
    found = fidelity(np.c_[-ruled, ruled], np.c_[-said, said], labels, None, 0)
    assert found.classifier_accuracy[0] == pytest.approx(0.95)
    assert found.accuracy[0] == pytest.approx(0.85)
    assert found.accuracy_ratio[0] == pytest.approx(0.85 / 0.95)


def test_a_classifier_that_is_never_right_can_be_compared():
    said = margins()
    found = fidelity(said, said, 1 - said.argmax(axis=1), None, 0)
    assert found.classifier_accuracy[0] == 0
    assert found.accuracy_ratio == (1, 1, 1)


def test_balanced_accuracy_counts_classes_alike():
    labels = np.array([0] * 90 + [1] * 10)
    assert balanced(labels, np.zeros(100, dtype=int)) == 0.5
    assert balanced(labels, labels) == 1
    assert balanced(np.array([2, 2, 0]), np.array([2, 1, 0])) == 0.75, "absent classes drop out"
    assert balanced(np.array([0, 0]), np.array([3, 3])) == 0
