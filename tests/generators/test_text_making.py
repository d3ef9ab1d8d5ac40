"""A text-to-image model of a user's own images: folder, sizes, resuming, duration."""

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.base.errors import FolderError
from diffex.generators.text.making import estimate_text_seconds, fit_text, resize_images
from diffex.generators.text.making import text_config as text_config_of
from diffex.generators.text.model import open_text_model
from diffex.images import images_from_arrays

CPU = torch.device("cpu")
SAID = [("bright",), ("dim", "large cell")] * 4


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).random((8, 3, 40, 44), dtype=np.float32)
    return images_from_arrays(255 * pixels, value_range=(0.0, 255.0))


def test_it_writes_a_model_that_opens_and_the_captions(images, text_config, tmp_path):
    model = fit_text(images, SAID, tmp_path / "m", text_config, device=CPU)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["captions.csv", "text", "text.json"]
    assert open_text_model(str(tmp_path / "m" / "text"), CPU).state_hash() == model.state_hash()
    listed = pd.read_csv(tmp_path / "m" / "captions.csv")
    assert listed["id"].astype(str).tolist() == list(images.ids)
    assert listed["caption"].tolist()[:2] == ["bright", "dim, large cell"]
    again = fit_text(images, SAID, tmp_path / "m", text_config, device=CPU)
    assert again.state_hash() == model.state_hash()
    with pytest.raises(FolderError, match="other images, captions or settings"):
        fit_text(images, SAID[::-1], tmp_path / "m", text_config, device=CPU)


def test_it_goes_on_with_a_model(images, text_config, text_model, tmp_path):
    model = fit_text(images, SAID, tmp_path, text_config, device=CPU, start=text_model)
    assert torch.equal(model.vae.encoder.conv_in.weight, text_model.vae.encoder.conv_in.weight)
    assert not torch.equal(model.unet.conv_in.weight, text_model.unet.conv_in.weight)


def test_a_foreign_folder_is_left_alone(images, text_config, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FolderError, match="holds something else"):
        fit_text(images, SAID, tmp_path, text_config, device=CPU)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_images_are_resized_when_read(images):
    other = resize_images(images, 32)
    assert other.read().shape == (8, 3, 32, 32)
    assert other.value_range == images.value_range
    assert float(other.read().min()) >= 0
    assert float(other.read().max()) <= 255
    assert other.fingerprint() != images.fingerprint()
    assert resize_images(other, 32) is other


def test_size_and_length_follow_from_images_and_start(images, text_model):
    tiny, wide = (images_from_arrays(np.zeros((4, 3, side, side), np.float32)) for side in (28, 100))
    assert text_config_of(tiny).size == 32
    assert text_config_of(images).size == 64
    assert text_config_of(wide).size == 64
    assert text_config_of(wide, text_model).size == 32
    assert 3 * text_config_of(wide, text_model).steps <= text_config_of(wide).steps
    assert text_config_of(wide, steps=7).steps == 7


def test_duration_is_said_without_changing_the_model(images, text_config, text_model):
    before = text_model.state_hash()
    whole = estimate_text_seconds(images, text_config, CPU)
    further = estimate_text_seconds(images, text_config, CPU, text_model)
    assert further > 0
    assert 0 < whole < 60
    assert text_model.state_hash() == before
    assert not any(p.requires_grad for p in text_model.unet.parameters())
