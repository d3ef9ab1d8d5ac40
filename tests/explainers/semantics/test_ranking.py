"""Tests over the tree, ranks and what counts."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from diffex.concepts import ConceptTree
from diffex.effects.intervals import mean_intervals
from diffex.explainers.semantics.checking import Checks
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.leakage import OwnEffects
from diffex.explainers.semantics.ranking import Outcome, p_beyond, ranked

TREE = ConceptTree.from_dict(
    {
        "nodes": [
            {"id": "size"},
            {"id": "size/large", "phrase": "large"},
            {"id": "size/small", "phrase": "small"},
            {"id": "odd", "phrase": "odd"},
        ]
    }
)
IMAGES = 24


def table_of(means, verdict="done", seen=IMAGES, opposite=(False, False, False)):
    """Rank three phrases with these mean effects at +1; -1 is the mirror image."""
    rng = np.random.default_rng(0)
    own = np.array(means)[:, None, None] * np.array([1, -1]) + 0.2 * rng.standard_normal((3, IMAGES, 2))
    own[:, seen:] = np.nan
    words = np.broadcast_to(np.array(verdict, dtype="<U9"), (3, 2))
    checks = Checks(np.zeros(3, int), np.ones((3, 2)), np.ones((3, 2)), np.zeros((3, 2)), words)
    null = np.zeros((IMAGES, 2))
    null[:, 0] = 1.0
    edits = SimpleNamespace(
        subject=SimpleNamespace(null_logits=null),
        logits=np.stack([np.zeros_like(own), own], axis=-1),
        sizes=np.ones_like(own),
        concepts=[SimpleNamespace(opposite=one) for one in opposite],
    )
    config = SemanticConfig(target="drug")
    return ranked(
        TREE,
        TREE.phrases(),
        edits,
        checks,
        Outcome(own, OwnEffects(own, np.zeros((3, 2)), {}), 1.0),
        None,
        1,
        config,
    )


def test_less_of_a_phrase_is_said_by_its_opposite():
    table = table_of([2.0, -1.0, 0.0], opposite=(True, True, False))
    assert table["concept"].tolist() == ["size/large", "size/small", "odd", "odd"]
    assert table["sign"].tolist()[:2] == [1, 1] and table["rank"].tolist() == [1, 2, 3, 4]


def test_clear_effects_of_done_edits_are_called_with_both_signs():
    table = table_of([2.0, -1.0, 0.0])
    assert table["significant"].tolist() == [True] * 4 + [False] * 2
    assert table["concept"].head(2).tolist() == ["size/large"] * 2
    assert set(table["sign"].head(2)) == {1, -1}
    assert (table["rank_low"] <= table["rank"]).all()
    assert (table["rank_high"] >= table["rank"]).all()


@pytest.mark.parametrize("verdict", ["failed", "leaks", "unchecked"])
def test_what_did_not_happen_alone_is_never_called(verdict):
    table = table_of([2.0, -1.0, 0.0], verdict)
    assert not table["significant"].any()
    assert table["q"].isna().all()


def test_what_was_dropped_by_the_race_counts_and_is_never_called():
    table = table_of([2.0, -1.0, 0.0], seen=4)
    assert (table["p"] == 1).all()
    assert not table["significant"].any()


def test_effects_smaller_than_of_interest_are_not_called():
    assert not table_of([0.15, 0.15, 0.0])["significant"].any()


def test_the_p_of_a_least_effect_of_zero_is_the_t_test():
    values = np.random.default_rng(2).normal(0.3, 1, (20, 1))
    expected = stats.ttest_1samp(values, 0).pvalue
    assert p_beyond(mean_intervals(values), 0.0) == pytest.approx(expected)


@pytest.mark.parametrize("least", [0.02, 0.1, 0.5])
def test_the_p_is_right_at_the_edge_of_interest_and_conservative_within(least):
    rng = np.random.default_rng(3)
    edge, within = (rng.normal(mean, 1, (30, 8000)) for mean in (least, 0.5 * least))
    assert (p_beyond(mean_intervals(edge), least) < 0.05).mean() == pytest.approx(0.05, abs=0.01)
    assert (p_beyond(mean_intervals(within), least) < 0.05).mean() < 0.055


def test_what_no_measurement_carries_is_not_called():
    rng = np.random.default_rng(4)
    leaks = rng.normal(0.0, 0.5, (2000, 1))
    values = leaks + 0.1 * rng.standard_normal((2000, 30))
    found = mean_intervals(values.T)
    assert (p_beyond(found, 0.0) < 0.05).mean() > 0.8
    assert (p_beyond(found, 0.0, 0.5) < 0.05).mean() < 0.06
