"""S6: the GAN peer learns and can be searched; what explanations name counts once, with its sign."""

import numpy as np
import pytest
import torch

from diffex.base.ledger import CostLedger
from diffex.effects.matrix import Judge
from diffex.evaluation.attributes.interventions import Interventions, Oracle
from diffex.evaluation.peers.style_search import StyleEdits, style_matrix, style_range
from diffex.evaluation.peers.stylex import Critic, Stylex
from diffex.evaluation.peers.stylex_training import StylexConfig, StylexTask, kept_stylex
from diffex.evaluation.rows import REPORTED
from diffex.evaluation.semantics.coverage import against, scored
from diffex.evaluation.semantics.found_factors import Called, coverage, rightness, sign_tested
from diffex.evaluation.semantics.gan_peer import fidelity, shipped_cpu_seconds
from diffex.evaluation.semantics.moves import Moved
from diffex.evaluation.semantics.peer_calls import peer_calls
from diffex.evaluation.semantics.regions import (
    COMPARTMENTS,
    both_maps,
    named_compartments,
    region_coverage,
)
from diffex.evaluation.suite import choose
from diffex.evaluation.truth.scene import Scene
from diffex.evaluation.truth.subjects import Subjects
from diffex.generators import PixelTransform
from diffex.images.planted_factors import FACTORS, factor_index

CPU = torch.device("cpu")


def active(*names):
    return np.isin(FACTORS, names)


@pytest.fixture(scope="module")
def trained(cells, classifier, tmp_path_factory):
    voices = {"a": classifier(0), "b": classifier(1)}
    folder = tmp_path_factory.mktemp("stylex")
    made = kept_stylex(cells, voices, StylexConfig(3, batch_size=8), folder, device=CPU)
    return made, voices, folder


@pytest.fixture
def made(classifier, generator):
    margins = np.tile([1.0, -0.5, *[0.0] * 10], (4, 1))
    reader = classifier(7)
    oracle = Oracle(reader, np.eye(2), np.ones(2))
    voices = {"a": classifier(0), "b": classifier(1)}
    truth = Interventions(dict.fromkeys(voices, margins), np.zeros((4, 12, 12)))
    return Subjects(voices, generator, 1, truth, oracle, ())


def test_s6_is_a_row_of_the_suite():
    assert [task.id for task in choose("semantics", ["S6"])] == ["S6"]


def test_the_gan_learns_to_give_images_back(cells, classifier):
    torch.manual_seed(0)
    model = Stylex(PixelTransform.fit(cells), 3, 32, 1)
    task = StylexTask(model, Critic(3, 32), [classifier(0)], (0.0, 1.0), StylexConfig(40))
    optimizer = torch.optim.Adam(task.parameters(), 2e-3)
    x, told, errors = cells.read()[:8], torch.zeros(8, 1), []
    for step in range(40):
        parts = task(step, torch.Generator().manual_seed(step), x, told)
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
        errors.append(parts["reconstruction"].item())
    assert np.mean(errors[-5:]) < 0.7 * errors[0]


def test_critic_is_not_moved_by_what_the_generator_wants(cells, classifier):
    model, critic = Stylex(PixelTransform.fit(cells), 3, 32, 1), Critic(3, 32)
    task = StylexTask(model, critic, [classifier(0)], (0.0, 1.0), StylexConfig(1))
    parts = task(0, torch.Generator().manual_seed(0), cells.read()[:8], torch.zeros(8, 1))
    parts["adversarial"].backward(retain_graph=True)
    assert all(p.grad is None for p in critic.parameters())
    assert any(p.grad is not None for p in model.generator.parameters())
    parts["critic"].backward()
    assert all(p.grad is not None for p in critic.parameters())


def test_a_trained_gan_is_found_again(trained, cells):
    first, voices, folder = trained
    again = kept_stylex(cells, voices, StylexConfig(3, batch_size=8), folder, device=CPU)
    assert again.cpu_seconds == first.cpu_seconds > 0
    w = first.encode(cells.read()[:2], (0.0, 1.0))
    assert torch.equal(w, again.encode(cells.read()[:2], (0.0, 1.0)))
    assert w.shape == (2, 128 + len(voices))


def test_style_coordinates_change_images(trained, cells):
    first, _, folder = trained
    high, low = style_range(first, cells)
    assert (high >= low).all()
    some = cells.subset([0, 1, 2])
    edits = StyleEdits(first, some, high + 1, low - 1)
    assert edits.null().shape == (3, 3, 32, 32)
    moved = [float((edits.edit(k, side) - edits.null()).abs().max()) for k in (0, 5) for side in (0, 1)]
    assert min(moved) > 0
    judge = Judge(first.classifiers[0], (0.0, 1.0), CostLedger())
    found = style_matrix(edits, np.array([0, 5]), judge, folder / "styles")
    assert found.shape == (3, 2, 2, 2)
    assert found[:, 1, 0] == pytest.approx(judge.logits(edits.edit(5, 0)), abs=1e-4)
    calls = judge.ledger.classifier_calls
    assert (style_matrix(edits, np.array([0, 5]), judge, folder / "styles") == found).all()
    assert judge.ledger.classifier_calls == calls  # kept


def test_each_factor_is_named_once_by_its_strongest_edit():
    changes = np.zeros((4, 12))
    changes[0, 0], changes[0, 1] = 1.0, 0.4
    changes[1, 0], changes[2, 1], changes[3, 2] = 2.0, -1.0, 0.5
    called = Called(changes, np.array([-3.0, 1.0, 2.0, 0.5]))
    assert called.signs().tolist() == [-1, -1, 1, *[0] * 9]
    true = np.array([-1.0, 1.0, 1.0, 1.0, *[0.0] * 8])
    assert coverage(called.signs(), true, true != 0) == 0.5
    assert (Called(np.zeros((0, 12)), np.zeros(0)).signs() == 0).all()
    assert rightness(called.signs(), true, true != 0, true == 0) == pytest.approx(2 / 3)
    assert np.isnan(rightness(np.zeros(12, dtype=int), true, true != 0, true == 0))


def test_sign_test_calls_what_is_the_same_in_most_images():
    random = np.random.default_rng(0)
    effects = random.standard_normal((24, 200))
    assert sign_tested(effects).sum() <= 2
    effects[:, :3] = np.abs(effects[:, :3]) * np.array([1, -1, 1])
    assert sign_tested(effects)[:3].all()
    assert not sign_tested(np.zeros((5, 2))).any()


def test_compartments_hold_every_factor_once():
    assert sorted(name for some in COMPARTMENTS.values() for name in some) == sorted(FACTORS)


def test_regions_are_named_where_maps_lie(cells, classifier):
    masks = np.zeros((12, 12, 32, 32), dtype=bool)
    masks[:, factor_index("debris"), 24:, 24:] = True
    masks[:, factor_index("nucleus_area"), 10:20, 10:20] = True
    scene = Scene(cells.subset(np.arange(12)), masks)
    maps = np.random.default_rng(0).random((12, 32, 32))
    maps[:, 24:, 24:] += 1
    named = named_compartments(maps, scene)
    assert [where for where, one in named.items() if one] == ["lower right corner"]
    assert region_coverage(named, active("debris", "nucleus_area")) == (0.5, 0.5)
    every = dict.fromkeys(COMPARTMENTS, True)
    assert region_coverage(every, active("nucleus_area", "nucleus_intensity")) == (1.0, 0.5)
    found = both_maps(classifier(0), scene)
    assert found.shape == (12, 32, 32)
    assert found.min() >= 0


def test_a_generator_that_gives_images_back_agrees(made, cells):
    same = fidelity(cells.read(), made, cells)
    assert (same.error, same.agreement) == (0.0, 1.0)
    assert same.correlation == pytest.approx(1.0)
    assert fidelity(torch.zeros_like(cells.read()), made, cells).error > 0.1


def test_cost_of_the_shipped_training_is_estimated(made, cells):
    assert shipped_cpu_seconds(made, list(made.voices.values()), cells) > 0


def test_rows_compare_with_a_peer():
    ours, theirs = np.array([1.0, 0.9]), np.array([0.5, 0.4])
    first, minus = against(ours, "peer", theirs, "3 edits called", 0)
    assert first.value == pytest.approx(0.45)
    assert first.target == REPORTED
    assert minus.value == pytest.approx(0.5)
    assert minus.holds
    assert not list(against(theirs, "peer", ours, "", 0))[1].holds


def test_peers_call_by_two_rules(made):
    random = np.random.default_rng(0)
    factors, margins = np.zeros((10, 3, 2, 12)), 0.01 * random.standard_normal((10, 3, 2))
    factors[:, 0, 0, 0], factors[:, 0, 1, 0], margins[:, 0, 0] = 1.0, -1.0, 2.0
    logits = np.stack([np.zeros_like(margins), margins], axis=-1)
    moves = Moved(factors, dict.fromkeys("ab", logits), dict.fromkeys("ab", np.zeros((10, 2))))
    called = peer_calls("peer", moves, made)
    assert list(called) == ["peer, every coordinate whose sign test passes", "peer, AttFind's ten"]
    for one in called.values():
        assert scored(one, made) == pytest.approx([0.5, 0.5])
