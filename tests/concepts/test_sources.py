import numpy as np
import pytest
import torch

from diffex.concepts import SOURCES
from diffex.concepts.sources.contrastive_codes import published_loss
from diffex.concepts.sources.making import make


def cosine(concept, direction):
    v = concept.direction.double().numpy()
    return abs(v @ direction) / np.linalg.norm(v) / np.linalg.norm(direction)


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_unit_directions_with_unique_ids(make_evidence, kind):
    found = SOURCES[kind](make_evidence(), 3)
    assert 1 <= len(found) <= 3
    assert len({c.id for c in found}) == len(found)
    assert all(c.kind == kind and c.id.startswith(f"{kind}:") for c in found)
    assert all(abs(float(c.direction.norm()) - 1) < 1e-5 for c in found)
    assert all(c.direction.dtype == torch.float32 for c in found)


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_is_reproducible_and_leaves_the_random_state_alone(make_evidence, kind):
    state = torch.random.get_rng_state()
    first, second = (SOURCES[kind](make_evidence(), 3) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a.direction, b.direction) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", ["random", "contrastive_images", "contrastive_codes"])
def test_another_seed_gives_other_random_starts(make_evidence, kind):
    evidence = make_evidence()
    other = make_evidence(codes=evidence.codes, covariance=evidence.covariance)
    object.__setattr__(other, "seed", 5)
    a, b = SOURCES[kind](evidence, 2)[0], SOURCES[kind](other, 2)[0]
    assert not torch.equal(a.direction, b.direction)


def test_mean_difference_finds_the_planted_direction(make_evidence, known):
    classes, probe = SOURCES["mean_difference"](make_evidence(), 2)
    assert cosine(classes, known["class"]) > 0.98
    assert cosine(probe, known["class"]) > 0.9
    assert float(classes.direction @ torch.from_numpy(known["class"]).float()) > 0, "it points to the target"


@pytest.mark.parametrize("all_target", [True, False])
def test_mean_difference_needs_both_classes(make_evidence, all_target):
    assert SOURCES["mean_difference"](make_evidence(is_target=np.full(400, all_target)), 2) == []


def test_active_subspace_finds_the_gradient(make_evidence, known):
    evidence = make_evidence()
    steepest, first, *_ = SOURCES["active_subspace"](evidence, 3)
    expected = evidence.covariance @ known["steep"]
    assert steepest.id == "active_subspace:steepest"
    assert cosine(steepest, expected) > 0.98
    assert cosine(first, expected) > 0.98
    assert float(steepest.direction @ torch.from_numpy(expected).float()) > 0, "the logit rises along it"


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_active_subspace_gives_nothing_without_a_gradient(make_evidence, value):
    assert SOURCES["active_subspace"](make_evidence(gradients=np.full((5, 12), value)), 3) == []


def test_morphology_moves_the_planted_quantity(make_evidence, known):
    evidence = make_evidence()
    found = SOURCES["morphology"](evidence, 5)
    assert [c.id for c in found] == ["morphology:area_px"], "dust is not in the code"
    assert found[0].name == "area"
    moved = found[0].direction.double().numpy() @ known["area"]
    assert moved > 0.5, "one unit along it raises the area by over half of the steepest possible"
    assert cosine(found[0], evidence.covariance @ known["area"]) > 0.95


def test_morphology_bears_a_constant_quantity_and_odd_cells(make_evidence):
    evidence = make_evidence()
    measured = evidence.measured.assign(flat=1.0)
    plain = SOURCES["morphology"](make_evidence(measured=measured), 5)
    measured = measured.copy()
    measured.loc[3, "area_px"] = 1e9
    odd = SOURCES["morphology"](make_evidence(measured=measured), 5)
    assert [c.id for c in odd] == [c.id for c in plain] == ["morphology:area_px"]
    assert cosine(odd[0], plain[0].direction.double().numpy()) > 0.99


def test_contrastive_images_are_distinct_in_feature_space(make_evidence):
    evidence = make_evidence()
    found = SOURCES["contrastive_images"](evidence, 6)
    features = np.stack([c.direction.double().numpy() for c in found]) @ evidence.feature_steps.mean(0)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    apart = np.abs(features @ features.T - np.eye(6))
    assert apart.max() < 0.6
    assert apart.sum() / 30 < 0.25


def test_contrastive_images_need_features_that_move(make_evidence):
    assert SOURCES["contrastive_images"](make_evidence(feature_steps=np.zeros((8, 12, 40))), 3) == []


def test_contrastive_codes_are_distinct(make_evidence):
    evidence = make_evidence()
    white = np.linalg.inv(evidence.spread)
    rows = np.stack([c.direction.double().numpy() for c in SOURCES["contrastive_codes"](evidence, 4)]) @ white
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.abs(rows @ rows.T - np.eye(4)).max() < 0.9


def test_published_loss_is_bounded_and_prefers_distinct_directions():
    distinct = torch.eye(4).repeat_interleave(5, 0)  # 4 directions, 5 images each: the best there is
    same = torch.ones(20, 1)
    assert float(published_loss(distinct, 4)) == pytest.approx(-0.5)
    assert float(published_loss(same, 4)) == pytest.approx(0.0, abs=1e-6)
    noise = torch.nn.functional.normalize(torch.randn(20, 6, generator=torch.Generator().manual_seed(0)))
    assert float(published_loss(noise, 4)) >= -0.5


def test_principal_axes_are_eigenvectors_largest_first(make_evidence):
    evidence = make_evidence()
    found = SOURCES["principal_axis"](evidence, 12)
    axes = np.stack([c.direction.double().numpy() for c in found])
    values = np.einsum("kd,de,ke->k", axes, evidence.covariance, axes)
    np.testing.assert_allclose(evidence.covariance @ axes.T, axes.T * values, atol=1e-5)
    assert (np.diff(values) <= 1e-9).all()
    assert len(SOURCES["principal_axis"](evidence, 50)) == 12


def test_latent_axes_come_by_how_much_they_show(make_evidence):
    metric = np.diag([0.0] * 5 + [9.0] + [0.0] * 5 + [1.0])
    found = SOURCES["latent"](make_evidence(metric=metric), 2)
    assert [c.id for c in found] == ["latent:5", "latent:11"]
    assert float(found[0].direction[5]) == 1.0


def test_random_directions_have_the_covariance_of_the_codes(make_evidence):
    evidence = make_evidence(covariance=np.diag([100.0] + [0.01] * 11))
    found = SOURCES["random"](evidence, 50)
    assert np.median([abs(float(c.direction[0])) for c in found]) > 0.99


def test_a_direction_of_no_length_is_no_concept():
    found = make("latent", np.array([[0.0, 0.0], [np.nan, 1.0], [0.0, 2.0]]), labels=("a", "b", "c"))
    assert [c.id for c in found] == ["latent:c"]
