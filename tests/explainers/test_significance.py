import numpy as np

from diffex.explainers.significance import within_strata


def effects_of(strata, shift, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(len(strata), 3, 2)) + shift * strata[:, None, None]


labels = np.arange(80) % 2
HALF = np.arange(80) < 40


def test_means_stay():
    effects = effects_of(labels, 5.0)
    result = within_strata(effects, labels, HALF, None)
    for part in (HALF, ~HALF):
        np.testing.assert_allclose(result[part].mean(0), effects[part].mean(0))


def test_class_differences_go():
    effects = effects_of(labels, 5.0)
    result = within_strata(effects, labels, HALF, None)
    for part in (HALF, ~HALF):
        by_class = [result[part & (labels == k)].mean(0) for k in (0, 1)]
        np.testing.assert_allclose(by_class[0], by_class[1])
    assert result.std(0).max() < 1.5 < effects.std(0).min()


def test_spread_pays_for_the_degrees_of_freedom():
    effects = effects_of(labels, 0.0)
    result = within_strata(effects, labels, HALF, None)
    inside = effects[HALF & (labels == 1)]
    expected = (inside - inside.mean(0)) * np.sqrt(39 / 38)
    np.testing.assert_allclose(result[HALF & (labels == 1)] - result[HALF].mean(0), expected)


def test_with_wells_it_is_wells_that_are_counted():
    effects = effects_of(labels, 0.0)
    wells = np.array([f"w{i % 8}" for i in range(80)])
    ratio = within_strata(effects, labels, HALF, wells) - effects[HALF].mean(0)
    plain = within_strata(effects, labels, HALF, None) - effects[HALF].mean(0)
    np.testing.assert_allclose(ratio[HALF] / plain[HALF], np.sqrt((7 / 6) / (39 / 38)))


def test_with_few_wells_images_are_the_unit():
    effects = effects_of(labels, 0.0)
    wells = np.array([f"w{i % 4}" for i in range(80)])
    np.testing.assert_allclose(
        within_strata(effects, labels, HALF, wells), within_strata(effects, labels, HALF, None)
    )


def test_one_class_is_left_as_it_is():
    effects = effects_of(labels, 5.0)
    np.testing.assert_allclose(within_strata(effects, np.zeros(80, dtype=int), HALF, None), effects)
