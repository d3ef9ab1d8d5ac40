"""Searches on a tiny real model: the same answer where they look, and exactly the evaluations expected."""

import numpy as np
import pytest

from diffex.effects.race import leading
from diffex.evaluation.cost.formula import expected_nfe
from diffex.explainers.attributes import calibrated_concepts, explain_attributes
from diffex.explainers.searching import CHECKED, claims, compare_with_exact, search_effects

TOP = 2


@pytest.fixture(scope="module")
def concepts(tiny, prepared):
    return calibrated_concepts(prepared, tiny.config())[0]


@pytest.fixture(scope="module")
def exact(prepared, concepts):
    return search_effects(prepared, concepts, "exact", TOP)[0]


def test_an_exact_search_costs_what_the_formula_says(explained, model):
    """A regression guard: machine-independent, exact."""
    counts = explained.summary["counts"]
    expected = expected_nfe(
        counts["images"], counts["merged"], counts["selection"], model.generator.config.latents
    )
    assert {purpose: explained.cost["nfe"][purpose] for purpose in expected} == expected
    assert explained.cost["search"] == {"method": "exact", "agreement": None}


@pytest.mark.parametrize("search", ["race", "gradient"])
def test_a_search_renders_less_and_tells_the_same_of_what_it_keeps(prepared, concepts, exact, search):
    before = dict(prepared.ledger.nfe)
    matrix, searched = search_effects(prepared, concepts, search, TOP)
    spent = {k: v - before.get(k, 0) for k, v in prepared.ledger.nfe.items()}
    assert spent["check"] == 2 * len(concepts) * CHECKED
    assert spent["screening"] + spent["check"] == matrix.rendered.sum()
    assert spent["null"] == len(prepared.half), "every image's null edit once"
    assert matrix.rendered[:, searched.kept].all()
    effects, whole = matrix.effects(prepared.target), exact.effects(prepared.target)
    shown = matrix.rendered
    np.testing.assert_allclose(effects[shown], whole[shown], atol=1e-3 * whole.std())
    assert (matrix.flips(prepared.target) == (exact.flips(prepared.target) & shown)).mean() > 0.999
    np.testing.assert_allclose(matrix.sizes, exact.sizes, rtol=0.5)
    assert not searched.kept[~claims(concepts)].any()
    told = compare_with_exact(prepared, concepts, (matrix, searched))
    assert told.images == CHECKED and told.rows == 2 * claims(concepts).sum()


def test_a_race_keeps_the_best_of_the_selecting_half(prepared, concepts, exact):
    _, searched = search_effects(prepared, concepts, "race", TOP)
    means = exact.effects(prepared.target)[prepared.half].mean(axis=0)
    scores = np.where(claims(concepts)[:, None], means, -np.inf).ravel()
    best = leading(scores, np.arange(len(scores)) // 2, TOP)
    assert searched.kept.ravel()[best].all()


def test_a_raced_explanation_is_whole_and_says_so(tiny, new_cells, model):
    raced = explain_attributes(new_cells, model, tiny.config(search="race"))
    effects, compared = raced.effects, raced.cost["search"]["agreement"]
    assert raced.cost["search"]["method"] == raced.summary["search"]["method"] == "race"
    assert sorted(effects["rank"]) == list(range(1, len(effects) + 1))
    assert np.isfinite(effects[["effect", "ci_low", "ci_high", "p", "q", "size"]]).all(axis=None)
    assert 0 < compared["dropped"] < compared["rows"]
    assert (effects["p"] == 1).sum() >= compared["dropped"]
    assert any("dropped by the search" in sentence for sentence in raced.summary["answer"])
    assert set(raced.cost["cpu_seconds_by_stage"]) == set(raced.cost["seconds"])
