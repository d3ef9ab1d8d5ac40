import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.evaluation.attributes.planted import Edits, mean_spearman
from diffex.evaluation.attributes.recovery import mean_changes, recovered_effects, spearman

TAU = np.array([1.0, -0.8, 0.6, 0.5, -0.4, 0.3, 0.25, -0.2, 0.15, 0.1, -0.05, 0.0])


def edits_of(noise, seed=0, images=30):
    random = np.random.default_rng(seed)
    directions = random.standard_normal((80, 12))
    factors = directions + 0.1 * random.standard_normal((images, 80, 12))
    return Edits(factors, factors @ TAU + noise * random.standard_normal((images, 80)))


def test_noiseless_effects_are_recovered_exactly():
    edits = edits_of(0.0)
    assert edits.recovered(np.arange(30)) == pytest.approx(TAU, abs=1e-3)


def test_unequal_weights_do_not_change_an_exact_answer():
    random = np.random.default_rng(1)
    changes = random.standard_normal((40, 12))
    found = recovered_effects(changes, changes @ TAU, random.uniform(0.01, 100, 40))
    assert found == pytest.approx(TAU, abs=1e-3)


def test_noisy_effects_are_ranked():
    assert spearman(edits_of(1.0).recovered(np.arange(30)), TAU) > 0.9


def test_edits_that_change_nothing_give_no_effect():
    found = recovered_effects(np.zeros((10, 12)), np.ones(10), np.ones(10))
    assert found == pytest.approx(np.zeros(12))


def test_impossible_weights_are_refused():
    with pytest.raises(InputError, match="positive"):
        recovered_effects(np.ones((2, 12)), np.ones(2), np.array([1.0, 0.0]))


def test_mean_changes_average_the_rows_asked_for():
    edits = edits_of(0.0)
    changes, effects, weights = mean_changes(edits.factors, edits.margins, np.array([3, 3]))
    assert changes == pytest.approx(edits.factors[3])
    assert effects == pytest.approx(edits.margins[3])
    assert (weights > 0).all()


def test_interval_of_the_mean_holds_the_value():
    edits = {"a": edits_of(0.5), "b": edits_of(0.5, 1)}
    value, low, high = mean_spearman(edits, {"a": TAU, "b": TAU}, 0, repeats=20)
    assert low <= value <= high
    assert value > 0.9


def test_constant_side_has_no_rank_correlation():
    assert spearman(np.zeros(4), np.arange(4.0)) == 0.0
