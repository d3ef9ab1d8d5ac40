import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from diffex.base.errors import InputError
from diffex.evaluation import localise
from diffex.evaluation.localisation import MEASURES

HALF = np.array([[[True, True], [False, False]]])


def random_case(seed, count=6, side=8, levels=None):
    random = np.random.default_rng(seed)
    maps = random.standard_normal((count, side, side))
    if levels:
        maps = np.round(maps * levels) / levels
    masks = random.uniform(size=(count, side, side)) < random.uniform(0.1, 0.9)
    masks[:, 0, 0], masks[:, -1, -1] = True, False
    return maps, masks


@pytest.mark.parametrize("levels", [None, 1, 4])
def test_auroc_is_scikit_learns_also_with_ties(levels):
    maps, masks = random_case(0, levels=levels)
    found = localise(maps, masks).images["auroc"]
    expected = [roc_auc_score(t.ravel(), np.abs(m).ravel()) for m, t in zip(maps, masks, strict=True)]
    assert found.to_numpy() == pytest.approx(expected)


def test_known_values():
    found = localise([[[4.0, 1.0], [2.0, -1.0]]], HALF).images.iloc[0]
    assert found["auroc"] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert found["mass_accuracy"] == pytest.approx(5 / 8)
    assert found["rank_accuracy"] == pytest.approx(1 / 2)
    assert found["pointing_game"] == 1
    assert found["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)
    assert found["area"] == 0.5


def test_a_perfect_map_scores_one_and_its_negative_too():
    for sign in (1, -1):
        found = localise(sign * HALF.astype(float), HALF)
        assert (found.table["value"] == 1).all()


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_flat_map_scores_as_chance(value):
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, :1] = True
    found = localise(np.full((1, 4, 4), value), mask).images.iloc[0]
    assert found["auroc"] == 0.5
    assert [found[name] for name in MEASURES[1:]] == pytest.approx([0.25] * 4)


def test_channels_are_summed_in_absolute_value():
    maps, masks = random_case(1)
    stacked = np.stack([maps, -maps], axis=1)
    one, two = localise(maps, masks), localise(stacked, masks)
    assert one.images.to_numpy() == pytest.approx(two.images.to_numpy())


def test_intervals_hold_the_mean_and_are_reproducible():
    maps, masks = random_case(2, count=30)
    found = localise(maps, masks, seed=3)
    low, value, high = (found.table[name] for name in ("low", "value", "high"))
    assert ((low <= value) & (value <= high)).all()
    assert found.table.equals(localise(maps, masks, seed=3).table)
    assert found.interval("auroc").n == 30
    assert "auroc" in repr(found)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_scores_are_shares_and_do_not_depend_on_scale(seed, scale):
    maps, masks = random_case(seed, count=2, side=5)
    found = localise(maps, masks, repeats=2).images[list(MEASURES)].to_numpy()
    assert ((found >= 0) & (found <= 1)).all()
    assert localise(maps * scale, masks, repeats=2).images[list(MEASURES)].to_numpy() == pytest.approx(found)


@pytest.mark.parametrize(
    ("map_", "mask", "words"),
    [
        (np.ones((1, 2, 2)), np.zeros((1, 2, 2), bool), "mask 0 is empty"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), "mask 0 is full"),
        (np.ones((1, 2, 2)), np.zeros((1, 3, 3), bool), r"\(1, 3, 3\), expected \(1, 2, 2\)"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), 0.5), "other than 0 and 1"),
        (np.full((1, 2, 2), np.nan), HALF, "map 0 holds NaN"),
        (np.ones((2, 2)), HALF, r"shape \(2, 2\)"),
        (np.ones((0, 2, 2)), HALF, r"shape \(0, 2, 2\)"),
    ],
)
def test_bad_input_gets_one_sentence(map_, mask, words):
    with pytest.raises(InputError, match=words):
        localise(map_, mask)
