"""The rows of cost: bills on known matrices, formulas, comparisons; nothing is rendered."""

import numpy as np
import pytest

from diffex.effects.search import attfind
from diffex.evaluation.cost.against import Reference, correlation, overlap
from diffex.evaluation.cost.cached import agreement
from diffex.evaluation.cost.formula import expected_nfe, exponent
from diffex.evaluation.peers.attfind import DECAY, THRESHOLD
from diffex.evaluation.peers.attfind_rendered import Steps, looked_up, published_attfind


def shifts(seed, images=40, concepts=12):
    random = np.random.default_rng(seed)
    means = random.normal(0, 0.3, (concepts, 2))
    return means + random.normal(0, 0.2, (images, concepts, 2))


@pytest.mark.parametrize("seed", range(5))
def test_the_published_procedure_finds_what_the_cached_search_finds(seed):
    matrix = shifts(seed)
    published = published_attfind(looked_up(matrix), 40, 12, 5, Steps())
    cached = attfind(matrix, 5, THRESHOLD, DECAY)
    assert published.found == cached and len(cached) == 5
    assert agreement(published.found, cached) == (1.0, 0.0)


def test_the_bill_without_removal_is_the_formula_of_the_released_code():
    """K=10, M=3, 256 images: 369,690 evaluations where every pass accepts and no image leaves."""
    matrix = np.zeros((256, 10, 2))
    matrix[..., 0] = np.linspace(1.0, 0.9, 10)
    largest = published_attfind(looked_up(matrix), 256, 10, 3, Steps(), removing=False)
    assert (largest.nfe, largest.passes) == (369_690, 3)


def test_a_rejected_pass_is_paid_for():
    matrix = np.full((8, 3, 2), 0.24)
    run = published_attfind(looked_up(matrix), 8, 3, 1, Steps(50, 20))
    one = 8 * (50 + 6 * 20)
    assert run.passes == 2
    assert run.nfe == 2 * one + 5 * 70 + 8 * 70


def test_it_ends_where_nothing_rises_or_nothing_is_left():
    assert published_attfind(looked_up(np.full((8, 3, 2), -1.0)), 8, 3, 2, Steps()).found == ()
    ended = published_attfind(looked_up(np.full((8, 3, 2), 0.5)), 8, 3, 2, Steps())
    assert len(ended.found) == 1 and len(ended.found[0].explained) == 8


def test_different_rankings_do_not_agree():
    a, b = (attfind(shifts(seed), 5, THRESHOLD, DECAY) for seed in (0, 1))
    share, _ = agreement(a, b)
    assert share < 1
    assert agreement(a, a[:4])[0] == 0.8
    assert agreement((), ())[0] == 0


def reference(means, seed=0, images=50):
    random = np.random.default_rng(seed)
    effects = np.asarray(means, dtype=float) + random.normal(0, 0.05, (images, len(means), 2))
    return Reference(effects, effects)


def test_members_of_the_top_are_counted_and_ties_are_interchangeable():
    clear = reference([[3.0, -3.0], [2.0, -2.0], [1.0, -1.0], [0.0, 0.0]])
    assert clear.top(2) == [(0, 0), (1, 0)]
    assert overlap([(0, 0), (1, 0)], clear, 2) == 2
    assert overlap([(0, 0), (2, 0)], clear, 2) == 1
    tied = reference([[3.0, -3.0], [2.0, -2.0], [2.0, -2.0]])
    assert overlap([(0, 0), (1, 0)], tied, 2) == overlap([(0, 0), (2, 0)], tied, 2) == 2


def test_correlation_takes_clear_effects_alone():
    means = np.array([[3.0, -3.0], [2.0, -2.0], [0.0, 0.0]])
    assert correlation(means, reference(means)) == pytest.approx(1.0)
    assert correlation(-means, reference(means)) == pytest.approx(-1.0)
    assert np.isnan(correlation(means[2:], reference(means[2:])))


def test_formula_and_exponents():
    nfe = expected_nfe(256, 100, 128, 64)
    assert nfe["screening"] + 256 == 2 * 256 * 100 + 256
    assert sum(nfe.values()) / (2 * 256 * 100 + 256) < 1.2
    grown = np.array([1.0, 2, 4, 8, 16])
    slope, width = exponent(grown, 3 * grown**1.5)
    assert slope == pytest.approx(1.5) and width < 1e-6
