"""Zero-shot classifiers from a local CLIP model, thin and with random weights."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from diffex.base.errors import ClassifierError
from diffex.classifiers import open_classifier
from diffex.generators.text.networks import make_tokenizer
from diffex.images import images_from_arrays
from diffex.testing import check_classifier

LABELS = "?labels=cat,dog"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "clip"
    tokenizer = make_tokenizer(["a photo of a cat", "a photo of a dog"], 16)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "pad_token_id": 1}
    config = CLIPConfig(
        text_config={**sizes, **ends, **text},
        vision_config={**sizes, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = {
        "image_processor_type": "CLIPImageProcessor",
        "crop_size": {"height": 32, "width": 32},
        "do_center_crop": True,
        "image_mean": [0.48, 0.46, 0.41],
        "image_std": [0.27, 0.26, 0.28],
        "resample": 3,
        "size": {"shortest_edge": 32},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def test_it_keeps_the_contract_and_takes_its_card_from_the_processor(folder):
    opened = open_classifier(f"clip:{folder}{LABELS}")
    card = opened.card
    assert (card.class_names, card.size, card.channels) == (("cat", "dog"), (32, 32), 3)
    assert (card.mean, card.std, card.interpolation) == ((0.48, 0.46, 0.41), (0.27, 0.26, 0.28), "bicubic")
    assert opened.differentiable
    check_classifier(opened)


def test_logits_are_scaled_similarities_to_the_sentences(folder):
    opened, model = open_classifier(f"clip:{folder}{LABELS}"), CLIPModel.from_pretrained(folder)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    tokens = tokenizer(["a photo of a cat", "a photo of a dog"], return_tensors="pt", padding=True)
    with torch.no_grad():
        wanted = model(pixel_values=opened.preprocess(x, (0.0, 1.0)), **tokens).logits_per_image
        got = functional.log_softmax(opened.logits(x, (0.0, 1.0)), dim=1)
    torch.testing.assert_close(got, functional.log_softmax(wanted, dim=1), rtol=1e-4, atol=1e-4)


def test_its_address_holds_the_labels_of_the_images(folder):
    images = images_from_arrays(
        np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32),
        labels=np.array([0, 1, 0, 1]),
        class_names=("cat", "dog"),
    )
    opened = open_classifier(f"clip:{folder}", images)
    assert opened.address == f"clip:{folder}{LABELS}"
    assert open_classifier(opened.address).state_hash() == opened.state_hash()


def test_the_template_changes_what_is_compared(folder):
    plain = open_classifier(f"clip:{folder}{LABELS}")
    address = f"clip:{folder}{LABELS}&template=the {{label}} of a dog"
    other = open_classifier(address)
    assert other.address == address
    assert other.state_hash() != plain.state_hash()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "got 0 labels, expected at least 2"),
        ("?labels=cat", "got 1 labels"),
        ("?labels=cat,cat", "duplicates"),
        ("?label=cat,dog", "expected labels=A,B or template=TEXT"),
        (LABELS + "&template=a photo", r"expected \{label\} in it"),
        (LABELS + "&template=" + "photo " * 20 + "{label}", "it reads 16: shorten it"),
    ],
)
def test_wrong_labels_are_refused(folder, query, words):
    with pytest.raises(ClassifierError, match=words):
        open_classifier(f"clip:{folder}{query}")


def test_what_is_no_clip_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in (tmp_path, "nobody/no-such-model"):
        with pytest.raises(ClassifierError, match="cannot be opened"):
            open_classifier(f"clip:{name}{LABELS}")
