"""Hierarchical calls equal testing from the roots down, and keep false calls rare where it matters."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects import hierarchical_calls
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.effects.trees import tree_of

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
NAN = np.nan


def _random_tree(random: np.random.Generator, count: int) -> list[int]:
    return [-1, *(int(random.integers(-1, node)) for node in range(1, count))]


def _test_from_the_roots(
    parents: list[int], p: FloatArray, node_p: FloatArray, q: float
) -> tuple[BoolArray, BoolArray]:
    """Follow the procedure as it is told: reject in a family, then enter the families below."""
    tree = tree_of(parents)
    nodes, rows = np.zeros(len(p), dtype=bool), np.zeros(p.shape, dtype=bool)
    families = [(-1, q)]
    while families:
        owner, level = families.pop()
        members: list[tuple[int, int | None]] = [
            (node, None) for node in (tree.roots if owner < 0 else tree.children[owner])
        ]
        members += [] if owner < 0 else [(owner, side) for side in range(p.shape[1])]
        values = {m: float(node_p[m[0]] if m[1] is None else p[m]) for m in members}
        values = {m: value for m, value in values.items() if not np.isnan(value)}
        adjusted = benjamini_hochberg(list(values.values()))
        rejected = [m for m, one in zip(values, adjusted, strict=True) if one <= level]
        for node, side in rejected:
            if side is None:
                nodes[node] = True
                families.append((node, level * len(rejected) / len(values)))
            else:
                rows[node, side] = True
    return nodes, rows


@pytest.mark.parametrize("seed", range(20))
def test_the_q_of_a_row_is_where_testing_from_the_roots_calls_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    parents = _random_tree(random, 25)
    p = random.uniform(size=(25, 2)) ** random.choice([1, 6], size=(25, 1))
    p[random.uniform(size=25) < 0.3] = NAN
    calls = hierarchical_calls(parents, p)
    levels = np.concatenate([random.uniform(size=15), calls.row_q[~np.isnan(calls.row_q)][:15]])
    for q in levels[levels < 0.999] * (1 + 1e-9):  # just above, since the two ways round differently
        nodes, rows = _test_from_the_roots(parents, p, calls.node_p, q)
        assert (calls.nodes(q) == nodes).all()
        assert (calls.rows(q) == rows).all()


def test_a_called_node_has_a_called_row_below_it_and_only_then() -> None:
    random = np.random.default_rng(0)
    parents = _random_tree(random, 60)
    calls = hierarchical_calls(parents, random.uniform(size=(60, 2)) ** 4)
    below = np.asarray(calls.rows(0.2).any(axis=1))
    for node in reversed(range(60)):
        if parents[node] >= 0:
            below[parents[node]] |= below[node]
    assert (below == calls.nodes(0.2)).all()
    assert 0 < below.sum() < 60


def test_children_that_cancel_are_found_though_their_parent_does_nothing() -> None:
    random = np.random.default_rng(1)
    parents = [-1, 0, 0, *[-1] * 10]
    means = np.array([0.0, 1.0, -1.0, *[0.0] * 10])
    t = stats.ttest_1samp(means + random.normal(size=(32, 13)), 0).pvalue
    calls = hierarchical_calls(parents, t[:, None])
    assert t[0] > 0.05
    assert calls.rows()[:3, 0].tolist() == [False, True, True]
    assert calls.nodes()[0]


def _crowd() -> list[int]:
    """Six groups of four phrases."""
    return [-1] * 6 + [group for group in range(6) for _ in range(4)]


def _signed_p(t: FloatArray) -> FloatArray:
    """Two rows per phrase, adding and removing, whose effects mirror each other; groups have none."""
    p = stats.norm.sf(np.stack([t, -t], axis=1))
    return np.concatenate([np.full((6, 2), NAN), p])


def test_nothing_is_called_where_nothing_matters() -> None:
    random, q, runs = np.random.default_rng(2), 0.1, 600
    shared = random.normal(size=(runs, 1))  # the images are the same for all phrases
    t = (shared + random.normal(size=(runs, 24))) / np.sqrt(2)
    called = np.mean([hierarchical_calls(_crowd(), _signed_p(one)).rows(q).any() for one in t])
    assert called <= q + 2 * np.sqrt(q * (1 - q) / runs)
    assert called > 0.01


@pytest.mark.parametrize("active", [(0,), (0, 1, 2), (0, 4, 8, 12, 16, 20)])
def test_false_calls_over_the_families_entered_are_rare(active: tuple[int, ...]) -> None:
    random, q, runs = np.random.default_rng(3), 0.1, 300
    means = np.zeros(24)
    means[list(active)] = 3.5
    shares, recall = [], []
    for _ in range(runs):
        calls = hierarchical_calls(_crowd(), _signed_p(means + random.normal(size=24)))
        entered, called = calls.nodes(q)[:6], calls.nodes(q)[6:].reshape(6, 4)
        false = (called & (means.reshape(6, 4) == 0)).sum(axis=1) / np.maximum(called.sum(axis=1), 1)
        shares.append(false.sum() / max(entered.sum(), 1))
        recall.append(calls.rows(q)[6:][means > 0, 0].mean())
    assert np.mean(shares) <= q + 2 * np.std(shares) / np.sqrt(runs)
    assert np.mean(recall) > 0.6


def test_nodes_without_rows_are_no_hypothesis() -> None:
    calls = hierarchical_calls([-1, 0, -1, -1], [[NAN], [NAN], [0.01], [0.04]])
    assert np.isnan(calls.node_q[:2]).all()
    assert calls.row_q[2:, 0] == pytest.approx([0.02, 0.04])


def test_one_family_is_benjamini_hochberg() -> None:
    p = np.random.default_rng(4).uniform(size=(20, 1))
    assert hierarchical_calls([-1] * 20, p).row_q[:, 0] == pytest.approx(benjamini_hochberg(p[:, 0]))


def test_refuses_what_is_no_tree_of_p_values() -> None:
    with pytest.raises(InputError, match="earlier node"):
        hierarchical_calls([0, -1], [[0.1], [0.2]])
    with pytest.raises(InputError, match="no nodes"):
        hierarchical_calls([], np.zeros((0, 2)))
    with pytest.raises(InputError, match="entries"):
        hierarchical_calls([-1, 0], [[0.1]])
    with pytest.raises(InputError, match="expected"):
        hierarchical_calls([-1], [[np.inf]])
    with pytest.raises(InputError, match="probabilities"):
        hierarchical_calls([-1], [[1.2]])
