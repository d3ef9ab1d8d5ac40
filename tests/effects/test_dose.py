"""Dose trends: found where planted, absent in noise."""

import numpy as np
import pytest
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.dose import dose_response, half_flip_strength

STRENGTHS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def test_rising_and_falling_effects() -> None:
    effects = STRENGTHS + 0.1 * np.random.default_rng(0).normal(size=(30, 5))
    rising, falling = dose_response(effects, STRENGTHS), dose_response(-effects, STRENGTHS)
    assert (rising.direction, falling.direction) == (1, -1)
    assert rising.p < 1e-6 and falling.p < 1e-6
    assert rising.monotone == falling.monotone == 1.0
    assert rising.effects.value == pytest.approx(STRENGTHS, abs=0.1)


def test_noise_has_uniform_p() -> None:
    random = np.random.default_rng(1)
    p = [dose_response(random.normal(size=(40, 5)), STRENGTHS).p for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_constant_effects_have_no_trend() -> None:
    trend = dose_response(np.zeros((10, 5)), STRENGTHS)
    assert trend.p == 1.0 and trend.monotone == 0.0 and trend.half_flip is None


def test_half_flip_is_interpolated_on_the_nearer_side() -> None:
    flips = np.zeros((4, 5), dtype=bool)
    flips[:, 4], flips[:1, 3], flips[:, 0] = True, True, True
    assert half_flip_strength(flips, STRENGTHS) == pytest.approx(1 + 1 / 3)
    assert half_flip_strength(flips[:, ::-1], STRENGTHS) == pytest.approx(-1 - 1 / 3)
    assert half_flip_strength(flips[:, 3:], np.array([0.5, 1.0])) == pytest.approx(0.5 + 0.5 / 3)
    assert half_flip_strength(np.ones((4, 1), dtype=bool), np.array([2.0])) == 1.0
    assert half_flip_strength(~np.ones((4, 5), dtype=bool), STRENGTHS) is None
    assert half_flip_strength(np.zeros((0, 5), dtype=bool), STRENGTHS) is None


def test_groups_are_the_unit() -> None:
    effects = STRENGTHS + np.random.default_rng(2).normal(size=(60, 5))
    assert dose_response(effects, STRENGTHS, groups=np.arange(60) % 6).p > dose_response(effects, STRENGTHS).p


def test_refuses_unordered_strengths() -> None:
    with pytest.raises(InputError, match="ascending"):
        dose_response(np.zeros((4, 3)), [0.0, 2.0, 1.0])
