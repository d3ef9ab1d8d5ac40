import numpy as np
import pytest
import torch

from diffex.classifiers import margin
from diffex.effects.nulls import random_directions
from diffex.evaluation.attributes.chorus import blinkered, chorus
from diffex.evaluation.attributes.nulls import as_concepts, odd_effects, quiet_directions, random_network
from diffex.evaluation.attributes.screens import Screen, concept_screen, ground_of, voiced_screens
from diffex.evaluation.stages import attribute_config
from diffex.images import sample


def test_chorus_says_what_its_voices_say(cells, classifier):
    x = cells.read([0, 1, 2])
    voices = {"a": classifier(0), "b": classifier(1)}
    together, columns = chorus(voices, (0.0, 1.0))
    logits = together.logits(x, (0.0, 1.0))
    for name, voice in voices.items():
        assert torch.equal(logits[:, columns[name]], voice.logits(x, (0.0, 1.0)))


def test_blinkered_classifier_sees_one_channel(cells, classifier):
    x = cells.read([0, 1, 2])
    other, own = x.clone(), x.clone()
    other[:, 1:] = 1 - other[:, 1:]
    own[:, 0] = 1 - own[:, 0]
    blind = blinkered(classifier(), 0)
    assert torch.equal(blind.logits(x, (0, 1)), blind.logits(other, (0, 1)))
    assert not torch.equal(blind.logits(x, (0, 1)), blind.logits(own, (0, 1)))
    assert blind.state_hash() != classifier().state_hash()


@pytest.fixture(scope="module")
def ground(cells, generator):
    return ground_of(sample(cells, 8, 0), generator, 0)


def test_screens_are_rendered_once_for_all_voices(bench, ground, classifier):
    voices = {"a": classifier(0), "b": classifier(1)}
    drawn = random_directions(ground.metric, ground.covariance, ground.size, 8, 0)

    def render():
        return voiced_screens(
            bench, "try", lambda: ground, lambda _: as_concepts(drawn, "random"), voices, 1, "content"
        )

    screens = render()
    assert screens["a"].effects.shape == (8, 8, 2)
    assert screens["a"].gradients.shape == (8, 16)
    assert not np.allclose(screens["a"].effects, screens["b"].effects)
    again = render()
    assert np.array_equal(again["b"].effects, screens["b"].effects)
    assert again["b"].random.all()
    assert odd_effects(again["b"]).shape == (8,)


def test_effects_of_a_screen_are_those_of_its_voice(bench, ground, classifier):
    voice = classifier(1)
    drawn = random_directions(ground.metric, ground.covariance, ground.size, 8, 0)
    screen = voiced_screens(
        bench, "try", lambda: ground, lambda _: as_concepts(drawn, "random"),
        {"a": classifier(0), "b": voice}, 1, "content",
    )["b"]  # fmt: skip
    inversion, codes = ground.inversion, ground.inversion.codes
    moved = codes + torch.from_numpy(screen.directions[2]).float()
    after, before = (
        margin(voice.logits(ground.editor.render(inversion, z), (0, 1)), 1) for z in (moved, codes)
    )
    assert screen.effects[:, 2, 0] == pytest.approx((after - before).numpy(), abs=1e-3)


def test_quiet_directions_spare_a_channel(ground):
    quiet, shares = quiet_directions(ground, 0, 10, 0)
    sizes = np.sqrt(np.einsum("kd,de,ke->k", quiet, ground.metric, quiet))
    assert sizes == pytest.approx(np.full(10, ground.size))
    assert (shares >= 0).all()
    assert shares.mean() < 1 / 3


def test_untrained_network_follows_its_seed(cells, classifier):
    x = cells.read([0, 1])
    one, same, other = (random_network(classifier(), seed).logits(x, (0, 1)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_concept_screen_is_kept(bench, cells, model):
    config = attribute_config(bench, "treated")
    screen = concept_screen(bench, cells, model, config)
    (path,) = (bench.out / "stages").glob("*/screen.safetensors")
    kept = Screen.load(path)
    assert np.array_equal(kept.effects, screen.effects)
    assert kept.size == screen.size
    assert kept.random.sum() >= 2
