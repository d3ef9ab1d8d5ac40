import numpy as np
import pandas as pd
import pytest
from scipy import stats

from diffex.base.errors import InputError
from diffex.measurements import class_differences


@pytest.fixture(scope="module")
def planted():
    """240 images in 24 groups of 10: one shifted, one flat, one constant measurement."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 120)
    groups = np.repeat([f"well-{i:02d}" for i in range(24)], 10)
    table = pd.DataFrame(
        {"flat": rng.normal(size=240), "shifted": rng.normal(size=240) + 1.0 * labels, "constant": 3.3}
    )
    return table, labels, groups


def test_the_shifted_one_comes_first_and_covers_the_truth(planted):
    table, labels, groups = planted
    found = class_differences(table, labels, ["a", "b"], groups)
    assert list(found.columns) == [
        "quantity",
        "target",
        "difference",
        "low",
        "high",
        "auroc",
        "p",
        "q",
        "over",
    ]
    top = found.iloc[0]
    assert (top.quantity, top.target, top.over) == ("shifted", "b", "groups")
    assert top.low < 1.0 < top.high
    assert top.auroc == pytest.approx(stats.norm.cdf(1 / np.sqrt(2)), abs=0.05)
    assert found.set_index("quantity").loc["flat", "q"] > 0.05


def test_a_constant_measurement_differs_by_nothing(planted):
    row = class_differences(planted[0], planted[1], ["a", "b"]).set_index("quantity").loc["constant"]
    assert (row.difference, row.low, row.high, row.auroc, row.p) == (0, 0, 0, 0.5, 1)


def test_over_images_it_is_welchs_test(planted):
    table, labels, _ = planted
    row = class_differences(table[["shifted"]], labels, ["a", "b"]).iloc[0]
    ones, zeros = table["shifted"][labels == 1], table["shifted"][labels == 0]
    assert row.over == "images"
    assert row.p == pytest.approx(stats.ttest_ind(ones, zeros, equal_var=False).pvalue)
    pooled = np.sqrt((ones.var() + zeros.var()) / 2)
    assert row.difference == pytest.approx((ones.mean() - zeros.mean()) / pooled)


def test_over_groups_it_is_welchs_test_of_group_means(planted):
    table, labels, groups = planted
    row = class_differences(table[["shifted"]], labels, ["a", "b"], groups).iloc[0]
    by_group = table["shifted"].groupby(groups).mean()
    expected = stats.ttest_ind(by_group[12:], by_group[:12], equal_var=False).pvalue
    assert row.p == pytest.approx(expected)


def test_few_groups_mean_images(planted):
    table, labels, _ = planted
    groups = np.where(np.arange(240) % 2 == 0, "x", "y")
    assert (class_differences(table, labels, ["a", "b"], groups).over == "images").all()


def test_groups_widen_the_interval_where_they_differ():
    rng = np.random.default_rng(1)
    labels, groups = np.repeat([0, 1], 200), np.repeat(np.arange(20).astype(str), 20)
    table = pd.DataFrame({"x": rng.normal(size=400) + np.repeat(rng.normal(size=20), 20)})
    widths = []
    for given in (groups, None):
        row = class_differences(table, labels, ["a", "b"], given).iloc[0]
        widths.append(row.high - row.low)
    assert widths[0] > 2 * widths[1]


def test_several_classes_are_each_compared_with_the_rest(planted):
    table, _, _ = planted
    labels = np.arange(240) % 3
    found = class_differences(table, labels, ["a", "b", "c"])
    assert found["target"].tolist() == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    only = class_differences(table, labels, ["a", "b", "c"], target="b")
    pd.testing.assert_frame_equal(only, found[3:6].reset_index(drop=True))


def test_swapping_the_target_turns_the_sign(planted):
    table, labels, _ = planted
    a, b = (class_differences(table, labels, ["a", "b"], target=t).set_index("quantity") for t in "ab")
    assert a.difference["shifted"] == pytest.approx(-b.difference["shifted"])
    assert a.auroc["shifted"] == pytest.approx(1 - b.auroc["shifted"])


def test_two_constants_that_differ_are_finite():
    labels = np.repeat([0, 1], 10)
    row = class_differences(pd.DataFrame({"x": labels * 2.0}), labels, ["a", "b"]).iloc[0]
    assert row.difference == pytest.approx(2.0)
    assert (row.low, row.high, row.auroc, row.p) == (row.difference, row.difference, 1, 0)


def test_false_discoveries_are_rare():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 50)
    noise = pd.DataFrame(rng.normal(size=(100, 200)), columns=[str(i) for i in range(200)])
    assert (class_differences(noise, labels, ["a", "b"]).q < 0.05).sum() <= 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "z"}, "target got 'z'"),
        ({"labels": np.zeros(3, dtype=int)}, "labels got 3"),
        ({"groups": np.array(["a"])}, "groups got 1"),
        ({"class_names": ["a"]}, "class_names got 1"),
        ({"labels": np.array([0] * 239 + [1])}, "got 1 of 240 images"),
    ],
)
def test_bad_input_gets_one_sentence(planted, change, says):
    arguments = {"table": planted[0], "labels": planted[1], "class_names": ["a", "b"], **change}
    with pytest.raises(InputError, match=says):
        class_differences(**arguments)
