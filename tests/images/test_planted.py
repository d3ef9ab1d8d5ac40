"""The planted-cell simulator: exact edits, batch invariance, speed, labels."""

import time

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.images.planted import MASK_EPS, PlantedCells
from diffex.images.planted_factors import CHANNEL_NAMES, DETAILS, FACTORS, factor_index
from diffex.images.planted_labels import (
    InteractionRule,
    LabelRule,
    LinearRule,
    ShortcutRule,
    ThresholdRule,
    graded_rule,
)

CELLS = PlantedCells()
COUNT = 24
SEEDS = np.arange(100, 100 + COUNT)
TABLE = CELLS.sample_factors(COUNT, seed=1)


def correlated(a: str, b: str, value: float) -> np.ndarray:
    matrix = np.eye(len(FACTORS))
    matrix[factor_index(a), factor_index(b)] = matrix[factor_index(b), factor_index(a)] = value
    return matrix


@pytest.mark.parametrize("factor", DETAILS, ids=FACTORS)
def test_maps_increase_within_their_limits(factor):
    values = factor.value(np.linspace(-6, 6, 200))
    assert (np.diff(values) > 0).all()
    assert values.min() > factor.low
    assert values.max() < factor.high


def test_factors_are_standard_normal_and_the_first_rows_do_not_depend_on_the_count():
    factors = CELLS.sample_factors(4000, seed=3)
    assert np.abs(factors.mean(0)).max() < 0.07
    assert np.abs(np.corrcoef(factors.T) - np.eye(12)).max() < 0.07
    np.testing.assert_array_equal(CELLS.sample_factors(10, seed=3), factors[:10])


def test_factors_take_the_correlation_asked_for():
    cells = PlantedCells(correlation=correlated("nucleus_area", "cell_area", 0.8))
    factors = cells.sample_factors(4000, seed=3)
    assert np.corrcoef(factors[:, 0], factors[:, factor_index("cell_area")])[0, 1] == pytest.approx(
        0.8, abs=0.03
    )
    assert factors.std(0) == pytest.approx(np.ones(12), abs=0.05)


def test_pixels_are_float32_in_range_and_not_saturated():
    pixels = CELLS.render(TABLE, SEEDS)
    assert pixels.shape == (COUNT, 3, 64, 64)
    assert pixels.dtype == torch.float32
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert (pixels == 1).float().mean() < 1e-3


def test_a_cell_has_the_same_pixels_in_any_batch():
    together = CELLS.render(TABLE, SEEDS)
    assert torch.equal(CELLS.render(TABLE, SEEDS), together)
    assert torch.equal(CELLS.render(TABLE[::-1], SEEDS[::-1]).flip(0), together)
    alone = torch.cat([CELLS.render(TABLE[i : i + 1], SEEDS[i : i + 1]) for i in range(COUNT)])
    assert torch.equal(alone, together)


def test_the_seed_alone_changes_the_pixels():
    same = np.repeat(TABLE[:1], 2, axis=0)
    first, second = CELLS.render(same, [1, 2])
    assert (first - second).abs().max() > 0.1


@pytest.mark.parametrize("name", FACTORS)
def test_an_edit_changes_the_pixels_of_its_mask_only(name):
    up = CELLS.render(CELLS.do(TABLE, name, delta=1.0), SEEDS)
    down = CELLS.render(CELLS.do(TABLE, name, delta=-1.0), SEEDS)
    change, mask = (up - down).abs().amax(1), CELLS.masks(TABLE, SEEDS, name)
    # Shot noise follows the signal, so outside the mask a change may be a little above the threshold.
    assert change[~mask].max() < 1.3 * MASK_EPS
    assert mask.flatten(1).any(1).all()
    assert change[mask].mean() > 2 * change[~mask].mean()


@pytest.mark.parametrize("factor", DETAILS, ids=FACTORS)
def test_an_edit_leaves_other_channels_alone(factor):
    up = CELLS.render(CELLS.do(TABLE, factor.name, delta=1.0), SEEDS)
    change = (up - CELLS.render(TABLE, SEEDS)).abs().amax((0, 2, 3))
    touched = {name for name, largest in zip(CHANNEL_NAMES, change.tolist(), strict=True) if largest > 0}
    assert touched == set(factor.channels)


@pytest.mark.parametrize("name", FACTORS)
def test_one_standard_deviation_shows_above_the_noise(name):
    noise = (CELLS.render(TABLE, SEEDS) - CELLS.render(TABLE, SEEDS, noise=False)).std()
    up = CELLS.render(CELLS.do(TABLE, name, delta=1.0), SEEDS, noise=False)
    change = (up - CELLS.render(TABLE, SEEDS, noise=False)).pow(2).sum((1, 2, 3)).sqrt() / noise
    assert change.median() > 15
    assert change.min() > 5


def test_effects_on_the_pixels_are_comparable():
    def size(name: str) -> float:
        up = CELLS.render(CELLS.do(TABLE, name, delta=1.0), SEEDS, noise=False)
        down = CELLS.render(CELLS.do(TABLE, name, delta=-1.0), SEEDS, noise=False)
        return float((up - down).pow(2).mean().sqrt())

    sizes = [size(name) for name in FACTORS]
    assert max(sizes) / min(sizes) < 4.5


@pytest.mark.parametrize(
    ("name", "channel"), [("nucleus_intensity", 0), ("cytoplasm_intensity", 1), ("puncta_number", 2)]
)
def test_more_of_a_factor_is_more_light(name, channel):
    steps = [CELLS.render(CELLS.do(TABLE, name, value=v), SEEDS, noise=False) for v in (-3, -1, 0, 1, 3)]
    light = torch.stack([step[:, channel].mean((1, 2)) for step in steps])
    assert (light.diff(dim=0) > 0).all()


def test_the_nucleus_has_its_planted_area():
    masks = PlantedCells(128).nucleus_masks(TABLE, SEEDS)
    area_um2 = masks.float().sum((1, 2)).numpy() * PlantedCells(128).pixel_size_um ** 2
    np.testing.assert_allclose(area_um2, DETAILS[0].value(TABLE[:, 0]), rtol=0.04)


def test_extreme_cells_stay_in_the_frame_and_around_their_nucleus():
    corners = np.random.default_rng(0).choice([-3.0, 3.0], (150, 12))
    corners[:, [factor_index("background_gradient"), factor_index("debris")]] = -60  # both off
    corners[:, factor_index("cytoplasm_intensity")] = 0
    scene = CELLS.render(corners, np.arange(150), noise=False)
    outermost = torch.ones(64, 64, dtype=torch.bool)
    outermost[1:-1, 1:-1] = False
    assert scene[:, 1, outermost].max() < 0.07  # background is 0.05
    assert scene[:, 1][CELLS.nucleus_masks(corners, np.arange(150))].min() > 0.15


def test_128_pixels_show_the_same_scene():
    fine = PlantedCells(128).render(TABLE, SEEDS, noise=False)
    coarse = CELLS.render(TABLE, SEEDS, noise=False)
    assert (torch.nn.functional.avg_pool2d(fine, 2) - coarse).abs().mean() < 0.002


def test_a_core_renders_a_hundred_cells_a_second():
    """The best of three: other processes share the memory."""
    factors, seeds = CELLS.sample_factors(100, seed=0), np.arange(100)

    def seconds() -> float:
        start = time.process_time()
        CELLS.render(factors, seeds)
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < 1.0


def test_images_stream_with_masks_factors_and_wells():
    images = CELLS.images(30, seed=5, rule=LinearRule({"nucleus_area": 1.0}))
    assert len(images) == 30
    assert images.has_masks
    assert images.pixel_size_um == 0.5
    assert images.channel_names == CHANNEL_NAMES
    assert images.value_range == (0, 1)
    assert images.groups is not None
    assert len(set(images.groups)) == 12
    assert sum(images.class_counts().values()) == 30
    column = images.table["factor_nucleus_area"].to_numpy()
    np.testing.assert_array_equal(column, CELLS.sample_factors(30, seed=5)[:, 0])
    streamed = torch.cat([pixels for _, pixels in images.batches(8)])
    assert torch.equal(streamed, images.read())
    kept = images.subset([4, 2])
    masks = kept.read_masks()
    assert torch.equal(kept.read(), streamed[[4, 2]])
    assert masks is not None
    assert masks.any(2).any(1).all()


def test_images_of_edited_factors_are_the_counterfactual():
    before = CELLS.images_of(TABLE, SEEDS)
    after = CELLS.images_of(CELLS.do(TABLE, "debris", delta=1.0), SEEDS)
    change = (after.read() - before.read()).abs().amax((0, 1))
    assert change[:32].max() == 0
    assert change[50:].max() > 0.1
    assert before.labels is None
    assert before.fingerprint() != after.fingerprint()


def test_another_seed_gives_other_cells():
    assert CELLS.images(4, seed=0).fingerprint() == CELLS.images(4, seed=0).fingerprint()
    assert CELLS.images(4, seed=0).fingerprint() != CELLS.images(4, seed=1).fingerprint()


RULES: list[LabelRule] = [
    LinearRule({"nucleus_area": 1.0, "debris": -0.5}),
    InteractionRule("nucleus_area", "puncta_number", main=0.3),
    ThresholdRule("chromatin_granularity", 0.5),
    ShortcutRule("nucleus_area", "debris", 0.8),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_labels_follow_the_sigmoid_of_the_score(rule):
    factors = CELLS.sample_factors(6000, seed=2)
    score, labels = rule.score(factors), rule.labels(factors, seed=0)
    expected = 1 / (1 + np.exp(-3.0 * score))
    assert set(labels.tolist()) == {0, 1}
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
        kept = (expected >= low) & (expected <= high)
        if kept.any():
            assert labels[kept].mean() == pytest.approx(expected[kept].mean(), abs=0.05)
    np.testing.assert_array_equal(rule.labels(factors, seed=0), labels)
    np.testing.assert_array_equal(rule.labels(rule.apply(factors, seed=0), seed=0), labels)


def test_scores_are_the_formulas():
    factors = np.zeros((1, 12))
    factors[0, 0], factors[0, 6] = 2.0, -1.0
    assert LinearRule({"nucleus_area": 0.5, "puncta_number": 3.0}).score(factors) == pytest.approx(-2.0)
    assert InteractionRule("nucleus_area", "puncta_number").score(factors) == pytest.approx(-2.0)
    assert InteractionRule("nucleus_area", "puncta_number", main=1.0).score(factors) == pytest.approx(-1.0)
    assert ThresholdRule("nucleus_area", 1.5).score(factors) == pytest.approx(1.0)
    assert ThresholdRule("puncta_number").score(factors) == pytest.approx(-1.0)


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0])
def test_a_shortcut_tracks_the_label_as_strongly_as_asked(strength):
    rule, factors = ShortcutRule("nucleus_area", "debris", strength), CELLS.sample_factors(5000, seed=4)
    changed, labels = rule.apply(factors, seed=0), rule.labels(factors, seed=0)
    assert np.corrcoef(changed[:, -1], labels)[0, 1] == pytest.approx(strength, abs=0.04)
    assert changed[:, -1].std() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(changed[:, :-1], factors[:, :-1])


def test_graded_weights_fall_from_one():
    rule = graded_rule(seed=0, n_active=6)
    sizes = np.abs(list(rule.weights.values()))
    assert sizes[0] == pytest.approx(1)
    assert sizes[-1] == pytest.approx(0.15)
    assert np.ptp(sizes[1:] / sizes[:-1]) == pytest.approx(0, abs=1e-9)
    assert graded_rule(seed=0, n_active=6) == rule != graded_rule(seed=1, n_active=6)
    assert len(graded_rule(seed=0, n_active=1).weights) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PlantedCells(size=8),
        lambda: PlantedCells(correlation=np.eye(3)),
        lambda: PlantedCells(correlation=np.ones((12, 12)) * 2),
        lambda: PlantedCells(correlation=correlated("debris", "cell_area", 1.5)),
        lambda: CELLS.do(TABLE, "nucleus"),
        lambda: CELLS.do(TABLE, "debris"),
        lambda: CELLS.do(TABLE, "debris", 1.0, delta=1.0),
        lambda: CELLS.render(TABLE[:, :3], SEEDS),
        lambda: CELLS.render(TABLE, SEEDS[:3]),
        lambda: CELLS.render(TABLE * np.nan, SEEDS),
        lambda: CELLS.render(TABLE, -SEEDS),
        lambda: LinearRule({"size": 1.0}),
        lambda: ShortcutRule("debris", "debris", 0.5),
        lambda: ShortcutRule("nucleus_area", "debris", 1.5),
        lambda: graded_rule(0, 13),
    ],
)
def test_wrong_input_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
