"""Text-to-image models in Stable Diffusion's layout: written, opened, refused."""

import json

import pytest
import torch

from diffex.base.errors import FolderError, InputError
from diffex.editors.text import TextEditor
from diffex.generators.text.model import TextModel, open_text_model

CPU = torch.device("cpu")


@pytest.fixture
def folder(text_model, tmp_path):
    text_model.save(tmp_path / "model")
    return tmp_path / "model"


def test_it_is_written_and_read_again(text_model, folder):
    again = open_text_model(str(folder), CPU)
    assert again.state_hash() == text_model.state_hash()
    assert again.size == text_model.size
    assert {path.name for path in folder.iterdir()} == {
        "diffex.json", "model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae",
    }  # fmt: skip
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".ckpt")]
    phrases = ["large nucleus", "zebra", ""]
    assert torch.equal(again.tokens(phrases), text_model.tokens(phrases))
    assert torch.equal(again.embed(phrases), text_model.embed(phrases))
    assert torch.equal(again.scheduler.alphas_cumprod, text_model.scheduler.alphas_cumprod)


def test_how_far_edits_reach_is_kept_and_a_foreign_folder_needs_not_say(text_model, tmp_path):
    parts = (
        text_model.vae,
        text_model.text_encoder,
        text_model.tokenizer,
        text_model.unet,
        text_model.scheduler,
    )
    TextModel(*parts, reach=0.4).save(tmp_path)
    near = open_text_model(str(tmp_path), CPU)
    assert near.reach == 0.4
    assert TextEditor(near, (0.0, 1.0)).times[0] == round(0.4 * 999)
    (tmp_path / "diffex.json").unlink()
    assert open_text_model(str(tmp_path), CPU).reach == text_model.reach == 0.95


@pytest.mark.parametrize("said", ["garbage", '{"reach": "far"}', "[1]", '{"reach": 7}', "{}"])
def test_a_reach_that_is_none_is_refused(folder, said):
    (folder / "diffex.json").write_text(said)
    with pytest.raises(FolderError, match=r"diffex\.json is damaged"):
        open_text_model(str(folder), CPU)


def test_it_can_be_kept_in_half_the_bytes(text_model, folder, tmp_path):
    again = open_text_model(str(folder), CPU)
    again.save(tmp_path / "half", torch.bfloat16)
    half = open_text_model(str(tmp_path / "half"), CPU)
    assert next(half.unet.parameters()).dtype == torch.float32
    size = sum(path.stat().st_size for path in (tmp_path / "half").rglob("*.safetensors"))
    assert size < 0.6 * sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    assert not [p for p in (tmp_path / "half").rglob("*.json") if str(tmp_path) in p.read_text()]
    worst = [
        float((a - b).abs().max() / a.abs().max().clamp(min=1e-6))
        for a, b in zip(text_model.unet.parameters(), half.unet.parameters(), strict=True)
    ]
    assert max(worst) < 0.01


def test_a_phrase_longer_than_the_encoder_reads_is_refused(text_model):
    with pytest.raises(InputError, match="got 16 tokens, the model reads 14"):
        text_model.embed(["large nucleus " * 8])


def test_a_word_it_never_saw_is_spelt(text_model):
    assert not torch.equal(text_model.embed(["zoo"]), text_model.embed(["dog"]))


def test_what_is_no_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for address in (str(tmp_path), str(tmp_path / "missing"), "nobody/no-such-model"):
        with pytest.raises(FolderError, match="could not be opened as a text-to-image model"):
            open_text_model(address, CPU)


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        ("scheduler/scheduler_config.json", "prediction_type", "sample", "predicts 'sample'"),
        ("unet/config.json", "in_channels", 9, "could not be opened|takes 9 channels"),
        ("model_index.json", "unet", ["diffusers", "UNet2DModel"], "could not be opened"),
    ],
)
def test_another_kind_of_model_is_refused(folder, part, key, value, words):
    path = folder / part
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(FolderError, match=words):
        open_text_model(str(folder), CPU)
