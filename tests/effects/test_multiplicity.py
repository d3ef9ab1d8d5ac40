"""Adjusted p values agree with statsmodels and with their definitions."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from diffex.base.errors import InputError
from diffex.effects.multiplicity import benjamini_hochberg, simes


def test_benjamini_hochberg_agrees_with_statsmodels() -> None:
    p = np.random.default_rng(0).uniform(size=200) ** 2
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_benjamini_hochberg_of_ties_and_nothing() -> None:
    assert benjamini_hochberg([0.5, 0.5]).tolist() == [0.5, 0.5]
    assert benjamini_hochberg([]).shape == (0,)


def test_simes_is_the_smallest_q() -> None:
    p = np.random.default_rng(1).uniform(size=30)
    assert simes(p) == pytest.approx(benjamini_hochberg(p).min())


def test_refuses_what_is_no_probability() -> None:
    with pytest.raises(InputError):
        benjamini_hochberg([0.1, 1.5])
    with pytest.raises(InputError):
        simes([])
