"""The rows of cost: bills on known matrices, formulas, comparisons, and small matrices of a tiny model."""

from dataclasses import replace

import numpy as np
import pytest

from diffex.base.ledger import CostLedger
from diffex.concepts import propose_concepts
from diffex.effects.arrays import SIGNS
from diffex.effects.search import attfind
from diffex.evaluation.commands import Ended
from diffex.evaluation.cost import COST
from diffex.evaluation.cost.accelerated import measure_command_there, measure_fit_there
from diffex.evaluation.cost.against import Reference, correlation, overlap
from diffex.evaluation.cost.cached import agreement
from diffex.evaluation.cost.command import Explained
from diffex.evaluation.cost.fits import fit_rows
from diffex.evaluation.cost.formula import expected_nfe, exponent
from diffex.evaluation.cost.ground import Ground
from diffex.evaluation.cost.growth import grown, resized
from diffex.evaluation.cost.scoring import best_rows, full_effects, read_cells
from diffex.evaluation.peers.attfind import DECAY, THRESHOLD
from diffex.evaluation.peers.attfind_rendered import Steps, looked_up, published_attfind
from diffex.evaluation.stages import Fitted
from diffex.explainers.attributes import calibrated
from diffex.explainers.config import AttributeConfig
from diffex.explainers.preparing import prepare
from diffex.explainers.responders.scoring import Followed
from diffex.generators import Gate


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
    sizes = np.array([1.0, 2, 4, 8, 16])
    slope, width = exponent(sizes, 3 * sizes**1.5)
    assert slope == pytest.approx(1.5) and width < 1e-6
    assert exponent(sizes, np.full(5, 40.0)) == (0, 0)


@pytest.fixture(scope="module")
def ground(cells, model):
    config = AttributeConfig(target=cells.class_names[1], images=24, concepts=10, force=True)
    prepared = prepare(cells, model, config, CostLedger())
    concepts, size, _ = calibrated(prepared, propose_concepts(prepared.evidence, 10, config.kinds))
    return Ground(model, cells, prepared, concepts[:4], size)


def test_the_suite_has_the_rows_of_the_issue():
    assert [task.id for task in COST] == ["C1", "C2", "C3", "C4", "C5", "C5", "C6", "C7", "C9", "C9"]


def test_seconds_are_those_after_imports():
    cost = {"nfe_total": 1000, "classifier_calls": 900}
    done = Explained("race", Ended(900.0, 30.0, 25.0, {}), Ended(300.0, 4.0, 3.0, {}), cost)
    assert done.seconds == 26 and done.name == "attributes, race (default)"
    assert "30.0 s in all, 4.0 s of them imports; 1,000 evaluations" in done.note


def fits(model, *results):
    """Fits of some minutes, each with a gate that passed or not."""
    gates = {passed: (Gate("flips", "flips", 0.01 if passed else 0.2, 0.03, False),) for passed in (0, 1)}
    return [Fitted(replace(model, gates=gates[passed]), 60 * took, cut) for took, passed, cut in results]


def test_a_fit_counts_where_its_gates_passed(model):
    good = list(
        fit_rows(fits(model, (10, 1, False), (30, 1, False), (12, 1, False)), "C7", "<= 20", "2 cores")
    )
    assert (good[0].value, good[0].holds, good[1].value, good[1].target) == (12, True, 3, ">= 3")
    assert "10.0 min, 1 of 1 gates; 30.0 min" in good[0].note
    most_failed = list(fit_rows(fits(model, (1, 0, False), (1, 0, False), (12, 1, False)), "C7", "<= 20", ""))
    assert not most_failed[0].holds and most_failed[1].value == 1 and "flips" in most_failed[1].note
    cut = next(fit_rows(fits(model, (1, 1, True)), "C7", "<= 20", ""))
    assert not cut.holds and "interrupted" in cut.note


@pytest.mark.parametrize("measure", [measure_fit_there, measure_command_there])
def test_without_an_accelerator_nothing_is_claimed(bench, measure):
    (row,) = measure(bench)
    assert np.isnan(row.value) and row.target == "reported" and "not measured" in row.note
    assert not bench.out.exists()


def test_evaluations_grow_as_the_formula_says(ground):
    run = grown(ground, "K", [(6, k, 32) for k in (1, 2, 4)], 1)
    assert run.nfe.tolist() == run.formula.tolist() == [18, 30, 54] and (run.cpu > 0).all()
    sized = grown(ground, "pixels", [(2, 1, side) for side in (16, 32, 64)], 1)
    assert sized.sizes.tolist() == [256, 1024, 4096] and len(set(sized.nfe)) == 1
    nfe, cpu = run.panels()
    assert nfe.title.startswith("exponent 0.7") and cpu.across == "concepts K"


def test_resized_networks_are_the_same_networks(generator):
    large = resized(generator, 48)
    assert large.state_hash() == generator.state_hash() and large.image_shape == (3, 48, 48)


def test_the_exact_path_and_full_renders_have_the_signs_of_the_rows(ground, monkeypatch):
    monkeypatch.setattr("diffex.generators.autoencoder.best_precision", lambda device: "fp32")
    cells, best = ground.cells.subset(range(8)), [(2, 0), (0, 1)]
    read = read_cells(ground, cells, [Followed(one, 1, one.id, ()) for one in ground.concepts], seed=0)
    assert read.effects.shape == (8, 4) and min(*read.scoring, *read.gradients) > 0
    tiny = replace(ground, concepts=[replace(c, direction=0.1 * c.direction) for c in ground.concepts])
    full = full_effects(tiny, cells, best, depth=1, seed=0)
    linear = np.stack([SIGNS[side] * read.effects[:, k] for k, side in best], axis=1)
    assert 10 * full == pytest.approx(linear, rel=0.2, abs=0.05 * np.abs(linear).max())


def test_effects_of_cells_are_compared_with_gradients_and_full_renders(ground):
    cells, best = ground.cells.subset(range(14)), [(2, 0), (0, 1)]
    read = read_cells(ground, cells, [Followed(one, 1, one.id, ()) for one in ground.concepts], seed=0)
    same, full = best_rows(ground, cells, best, read.effects, 14, seed=0)
    assert same.value == pytest.approx(1, abs=0.02) and same.target == ">= 0.95"
    assert -1 <= full.low <= full.value <= full.high <= 1 and full.note.count(",") == 3
