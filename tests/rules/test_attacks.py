"""Attacks on small classifiers whose weakest direction is known."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from diffex.base.errors import MissingPartError
from diffex.classifiers import Classifier
from diffex.rules.attacks import library
from diffex.rules.attacks.library import ATTACKS, Effort, require_attacks, run_attack
from diffex.rules.attacks.robustness import (
    Stand,
    Subjects,
    as_dict,
    attack,
    find_budget,
    guide_agrees,
    kept,
    kept_more,
)
from diffex.rules.attacks.victim import Victim

RANGE = (0.0, 255.0)
EFFORT = Effort(steps=10, queries=200)
here = pytest.mark.skipif(importlib.util.find_spec("art") is None, reason="needs diffex[attacks]")
pytestmark = here


class Linear(nn.Module):
    """Bright left half against bright right half."""

    def __init__(self):
        super().__init__()
        weight = torch.ones(1, 16, 16) / 256
        weight[..., 8:] *= -1
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return (40 * (x * self.weight).sum(dim=(1, 2, 3))).unsqueeze(1)


def linear():
    return Classifier.wrap(Linear(), class_names=["right", "left"], size=16, channels=1, value_range=RANGE,
                           mean=127.5, std=127.5)  # fmt: skip


def subjects(count=40):
    """Halves differ by 4 to 40 of 255 grey levels, about a grey of 128."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    gap = random.uniform(4, 40, count) * (2 * labels - 1)
    x = np.full((count, 1, 16, 16), 128.0, dtype=np.float32) + random.normal(0, 2, (count, 1, 16, 16))
    x[..., :8] += gap[:, None, None, None] / 2
    x[..., 8:] -= gap[:, None, None, None] / 2
    return Subjects(torch.from_numpy(x).float() / 255, labels.astype(np.int64), None, RANGE)


def victim():
    made = linear()
    return Victim("linear", made, made)


@pytest.fixture(scope="module")
def stood():
    given, one = subjects(), victim()
    budget = find_budget(one, given, 0.5, 0)
    return given, budget, attack(one, given, budget, EFFORT, 0)


def test_the_budget_is_where_half_of_the_margins_end(stood):
    """A linear model's smallest change is its margin over the sum of its weights: half the halves' gap."""
    given, budget, _ = stood
    x = given.x.numpy()[:, 0]
    gap = np.abs(x[..., :8].mean((1, 2)) - x[..., 8:].mean((1, 2)))
    assert budget == pytest.approx(np.median(gap) / 2, rel=0.1)


def test_gradients_find_the_known_direction(stood):
    given, budget, stand = stood
    change = (stand.pictures["FGSM"] - given.x).numpy()[:, 0]
    toward = np.where(given.labels == 1, -1.0, 1.0)[:, None, None] * np.where(np.arange(16) < 8, 1.0, -1.0)
    np.testing.assert_allclose(change, np.broadcast_to(budget * toward, change.shape), atol=1e-6)
    np.testing.assert_array_equal(stand.fooled["FGSM"], stand.fooled["PGD"])


def test_deepfool_is_the_smallest_change(stood):
    given, _, _ = stood
    network = victim().network(RANGE, 1.0)
    found = run_attack("DeepFool", network, given.x, given.labels, 1.0, effort=Effort(foolings=20), seed=0)
    change = (found - given.x).numpy()
    gap = network(given.x).detach().numpy()
    size = 80 * np.sqrt(256) / 256
    smallest = np.abs(gap[:, 1] - gap[:, 0]) / size
    length = np.sqrt((change**2).sum(axis=(1, 2, 3)))
    assert (length >= 0.99 * smallest).all()
    assert np.median(length / smallest) < 1.1


@pytest.mark.parametrize("name", ATTACKS)
def test_budget_and_range_are_respected(stood, name):
    given, budget, stand = stood
    assert float((stand.pictures[name] - given.x).abs().max()) <= budget + 1e-6
    assert 0 <= float(stand.pictures[name].min()) <= float(stand.pictures[name].max()) <= 1
    at_edge = Subjects((given.x > 0.5).float(), given.labels, None, RANGE)
    found = run_attack(
        name, victim().network(RANGE, 1.0), at_edge.x, given.labels, 0.2, effort=EFFORT, seed=0
    )
    assert 0 <= float(found.min()) <= float(found.max()) <= 1


class Brightness(nn.Module):
    """Dark against bright, of any size."""

    def forward(self, x):
        above = x.flatten(1).mean(dim=1) - 0.5
        return 9 * torch.stack([-above, above], dim=1)


@pytest.mark.parametrize("shape", [(1, 16, 24), (3, 24, 16), (2, 4, 4)])
@pytest.mark.parametrize("name", ATTACKS)
def test_images_need_be_neither_square_nor_large(name, shape):
    x = torch.rand(8, *shape, generator=torch.Generator().manual_seed(0))
    labels = (x.flatten(1).mean(dim=1) > 0.5).long().numpy()
    found = run_attack(name, Brightness(), x, labels, 0.05, effort=EFFORT, seed=0)
    assert 0 < float((found - x).abs().max()) <= 0.05 + 1e-6


def test_attacks_are_the_same_again(stood):
    given, budget, stand = stood
    before, torchs = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    again = attack(victim(), given, budget, EFFORT, 0)
    for name in ATTACKS:
        assert torch.equal(again.pictures[name], stand.pictures[name])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torchs)


class Blind(nn.Module):
    """Says the same whatever it sees."""

    def forward(self, x):
        return 0 * x.mean(dim=(1, 2, 3)).unsqueeze(1) + torch.tensor([[1.0, -1.0]])


def test_a_model_that_ignores_pixels_cannot_be_attacked():
    given = subjects(12)
    made = Classifier.wrap(Blind(), class_names=["right", "left"], size=16, channels=1, value_range=RANGE)
    blind = Victim("blind", made, made)
    stand = attack(blind, given, 0.5, EFFORT, 0)
    assert not any(gone.any() for gone in stand.fooled.values())
    assert kept(stand, given, 0) == (1.0, 1.0, 1.0)
    assert find_budget(blind, given, 0.5, 0) == pytest.approx(1.0)


def test_a_model_without_gradients_is_attacked_through_its_guide(stood):
    """Decisions are those of the model, changes those of its guide; a foreign guide leads nowhere."""
    given, budget, stand = stood
    inner = Linear()
    dark = Classifier.wrap(
        lambda x: inner(x).detach(),
        class_names=["right", "left"],
        size=16,
        channels=1,
        value_range=RANGE,
        mean=127.5,
        std=127.5,
    )
    assert not dark.differentiable
    led = attack(Victim("dark", dark, linear()), given, budget, EFFORT, 0, others=stand.pictures)
    assert led.victim.path != stand.victim.path
    assert guide_agrees(led, given) == 1 and guide_agrees(stand, given) is None
    np.testing.assert_array_equal(led.fooled["PGD"], stand.fooled["PGD"])
    assert led.fooled["transfer"].sum() >= stand.fooled["PGD"].sum()
    astray = nn.Sequential(nn.Conv2d(1, 2, 16), nn.Flatten())
    other = Classifier.wrap(
        astray, class_names=["right", "left"], size=16, value_range=RANGE, mean=127.5, std=127.5
    )
    lost = attack(Victim("dark", dark, other), given, budget, EFFORT, 0)
    assert lost.fooled["PGD"].sum() < led.fooled["PGD"].sum()
    assert guide_agrees(lost, given) < 0.9


def test_of_two_classes_gradients_do_not_ask_the_model():
    """Their direction is the guide's, whatever the logits; measuring an image is what costs."""
    asked = []
    inner = Linear()

    def count(x):
        asked.append(len(x))
        return inner(x).detach()

    dark = Classifier.wrap(
        count, class_names=["right", "left"], size=16, channels=1, value_range=RANGE, mean=127.5, std=127.5
    )
    given = subjects(8)
    network = Victim("dark", dark, linear()).network(RANGE, 1.0)
    asked.clear()
    x = given.x.clone().requires_grad_()
    network(x).sum().backward()
    assert not asked and float(x.grad.abs().sum()) > 0
    assert torch.equal(network(given.x), dark.logits(given.x * 255, RANGE)) and sum(asked) == 16


def test_the_strongest_attack_on_each_image_counts():
    given = subjects(8)
    right = np.array([True] * 7 + [False])
    fooled = {"FGSM": np.arange(8) == 0, "PGD": np.isin(np.arange(8), (0, 1))}
    first, second = Stand(victim(), right, fooled), Stand(victim(), right, {"PGD": np.zeros(8, dtype=bool)})
    assert first.left.tolist() == [False, False, True, True, True, True, True, False]
    assert first.worst == "PGD"
    assert kept(second, given, 0)[0] == 1
    value = kept_more(second, first, given, 0)[0]
    assert value == pytest.approx(1 - kept(first, given, 0)[0])
    told = as_dict([first, second], given, 0)
    assert told[0]["kept_more"] is None
    assert told[1]["kept_more"][0] == pytest.approx(value)
    assert told[0]["by_attack"]["PGD"] < told[0]["by_attack"]["FGSM"] < 1


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "art.attacks.evasion", None)
    with pytest.raises(MissingPartError, match=r"diffex\[attacks\]"):
        require_attacks()
    assert library.ATTACKS
