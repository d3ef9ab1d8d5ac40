"""Training of the small text-to-image model: captions, killed and resumed, trained further, refused."""

from functools import partial

import numpy as np
import pytest
import torch

from diffex.base.errors import FolderError, InputError
from diffex.generators.text import fitting
from diffex.generators.text.fitting import DenoiserTask, fit_text_model
from diffex.generators.text.networks import make_autoencoder, make_tokenizer
from diffex.generators.text.whitening import whiten_latents
from diffex.images import images_from_arrays
from diffex.images.planted_captions import CELL_WORDS

CPU = torch.device("cpu")
SAID = [("large nucleus",), ("small nucleus", "dim cell")] * 6


class Killing(list):
    """Captions that interrupt the training at a certain reading."""

    def __init__(self, values, left):
        super().__init__(values)
        self.left = left

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().__getitem__(index)


@pytest.fixture(scope="module")
def images():
    return discs(12)


def discs(count, size=32, channels=2):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - size / 2
    radii = np.where(np.arange(count) % 2, 5, 10)[:, None, None] + rng.uniform(-1, 1, (count, 1, 1))
    inside = np.repeat((np.hypot(y, x)[None] < radii)[:, None], channels, 1)
    return images_from_arrays((0.1 + 0.8 * inside).astype(np.float32))


@pytest.fixture(scope="module")
def whole(images, text_config, tmp_path_factory):
    return fit_text_model(images, SAID, text_config, tmp_path_factory.mktemp("whole"), device=CPU)


def test_it_gives_a_frozen_model_of_the_images_form(whole):
    assert (whole.size, whole.channels, whole.reduction) == (32, 2, 4)
    assert not any(p.requires_grad for p in [*whole.unet.parameters(), *whole.text_encoder.parameters()])
    words = whole.tokenizer(["large nucleus", "dim cell"]).input_ids
    assert [len(ids) for ids in words] == [4, 4]  # every word of the captions is one token


def test_latents_are_whitened_and_images_stay_as_they_were(text_config, images):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = make_autoencoder(text_config, images.channels).eval()
    y = 2 * images.read() - 1
    with torch.no_grad():
        raw = vae.encode(y).latent_dist.mode()
        before = vae.decode(raw).sample
        moved = whiten_latents(vae, raw)
        latents = vae.encode(y).latent_dist.mode()
        after = vae.decode(latents).sample
    assert torch.allclose(latents, moved, atol=1e-3)
    assert torch.allclose(after, before, atol=1e-4)
    differences = (moved - moved.mean(0)).transpose(0, 1).flatten(1).double()
    spread = torch.linalg.eigvalsh(differences @ differences.T / differences.shape[1])
    assert float(spread.max()) == pytest.approx(1, abs=0.01)


def test_interrupted_and_started_again_it_gives_the_same_weights(
    images, text_config, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(fitting, "TrainConfig", partial(fitting.TrainConfig, checkpoint_s=0.0))
    with pytest.raises(KeyboardInterrupt):
        fit_text_model(images, Killing(SAID, 10), text_config, tmp_path, device=CPU)
    assert list((tmp_path / "unet").glob("training*"))
    model = fit_text_model(images, SAID, text_config, tmp_path, device=CPU)
    assert model.state_hash() == whole.state_hash()
    assert model.vae.config.scaling_factor == whole.vae.config.scaling_factor


def test_words_get_the_same_numbers_in_every_run():
    words = [phrase for pair in CELL_WORDS.values() for phrase in pair]
    first, *others = (make_tokenizer(words, 8).get_vocab() for _ in range(4))
    assert all(other == first for other in others)


def test_trained_further_it_keeps_autoencoder_and_words_and_leaves_the_first_as_it_was(
    images, text_config, whole, tmp_path
):
    before = whole.state_hash()
    said = [("large cell",)] * len(images)
    model = fit_text_model(images, said, text_config, tmp_path, device=CPU, start=whole)
    assert whole.state_hash() == before
    assert model.state_hash() != before
    assert model.vae.config.scaling_factor == whole.vae.config.scaling_factor
    assert all(torch.equal(a, b) for a, b in zip(model.vae.parameters(), whole.vae.parameters(), strict=True))
    assert len(model.tokenizer) == len(whole.tokenizer)


def test_a_folder_with_another_training_is_refused(images, text_config, tmp_path):
    (tmp_path / "text.json").write_text('{"training": "other"}')
    with pytest.raises(FolderError, match="name a new one"):
        fit_text_model(images, SAID, text_config, tmp_path, device=CPU)


@pytest.mark.parametrize(
    ("images", "said", "words"),
    [
        (discs(12), SAID[:5], "5 lists"),
        (discs(12, size=64), SAID, "64 x 64 px, the text model renders 32 x 32"),
        (discs(12), [()] * 12, "no image has a caption"),
        (
            discs(12),
            [("a long tale of a large cell and a small one and of another one",)] * 12,
            "got 15 tokens, the model reads 14",
        ),
    ],
    ids=["count", "size", "no captions", "too long"],
)
def test_what_does_not_fit_is_refused_in_one_sentence(images, said, words, text_config, tmp_path):
    with pytest.raises(InputError, match=words):
        fit_text_model(images, said, text_config, tmp_path, device=CPU)


def test_other_channels_are_not_trained_further(text_config, text_model, tmp_path):
    with pytest.raises(InputError, match="2 channels"):
        fit_text_model(discs(12), SAID, text_config, tmp_path, device=CPU, start=text_model)


@pytest.mark.parametrize("counterfactual", [False, True])
def test_in_pairs_a_killed_training_goes_on_to_the_same_weights(
    images, text_config, whole, tmp_path, monkeypatch, counterfactual
):
    text_config = text_config.model_copy(update={"counterfactual": counterfactual})
    pairs = np.arange(12).reshape(-1, 2)
    monkeypatch.setattr(fitting, "TrainConfig", partial(fitting.TrainConfig, checkpoint_s=0.0))
    with pytest.raises(KeyboardInterrupt):
        fit_text_model(
            images, Killing(SAID, 10), text_config, tmp_path / "a", device=CPU, start=whole, pairs=pairs
        )
    found = [
        fit_text_model(images, SAID, text_config, tmp_path / name, device=CPU, start=whole, pairs=pairs)
        for name in ("a", "b")
    ]
    assert found[0].state_hash() == found[1].state_hash() != whole.state_hash()
    assert (found[0].reach < whole.reach) == counterfactual
    with pytest.raises(FolderError):
        fit_text_model(images, SAID, text_config, tmp_path / "a", device=CPU, start=whole)


def test_twins_get_the_same_noise(text_model):
    task = DenoiserTask(text_model.unet, text_model.text_encoder, text_model.scheduler, paired=True)
    alone = DenoiserTask(text_model.unet, text_model.text_encoder, text_model.scheduler)
    latents = torch.randn((4, task.unet.config.in_channels, 8, 8), generator=torch.Generator().manual_seed(1))
    tokens = text_model.tokens(["large nucleus", "dim cell", "small nucleus", "bright cell"])
    swapped = torch.tensor([2, 3, 0, 1])

    def loss(task, order):
        with torch.no_grad():
            return float(task(0, torch.Generator().manual_seed(2), latents[order], tokens[order])["loss"])

    assert loss(task, torch.arange(4)) == pytest.approx(loss(task, swapped), rel=1e-5)
    assert loss(alone, torch.arange(4)) != pytest.approx(loss(alone, swapped), rel=1e-3)


def test_a_twin_is_told_from_the_noised_latents_of_the_other(text_model, monkeypatch):
    task = DenoiserTask(text_model.unet, text_model.text_encoder, text_model.scheduler, True, True)
    latents = torch.randn((4, task.unet.config.in_channels, 8, 8), generator=torch.Generator().manual_seed(1))
    tokens, shown = text_model.tokens(["large nucleus", "dim cell", "small nucleus", "bright cell"]), []
    forward = task.unet.forward

    def spied(noisy, *args, **named):
        shown.append(noisy)
        return forward(noisy, *args, **named)

    monkeypatch.setattr(task.unet, "forward", spied)

    def losses(latents):
        with torch.no_grad():
            return task(0, torch.Generator().manual_seed(2), latents, tokens)

    told = losses(latents)
    assert torch.equal(shown[0][:2], shown[0][2:])
    other = losses(torch.cat([latents[:2], latents[2:] + 1.0]))
    assert torch.equal(shown[0], shown[1]) and other["apart"] != told["apart"]
