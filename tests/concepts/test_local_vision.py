"""A describer that runs a real, tiny vision-language architecture with random weights."""

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.concepts.describers import LocalDescriber, open_describer
from diffex.images import images_from_arrays

pytest.importorskip("transformers", reason="transformers is not installed")

TEMPLATE = (
    "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}\nassistant: "
)


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).uniform(0, 1, (4, 3, 16, 16)).astype(np.float32)
    return images_from_arrays(pixels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a Llava of two thin layers that spells bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    special = ["<pad>", "<s>", "</s>", "<image>"]
    vocabulary = {c: i for i, c in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    spelled = Tokenizer(models.BPE(vocabulary, []))
    spelled.pre_tokenizer, spelled.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=spelled, pad_token="<pad>", eos_token="</s>", additional_special_tokens=["<image>"]
    )
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    thin = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(
            LlavaConfig(
                vision_config=CLIPVisionConfig(num_hidden_layers=2, image_size=28, patch_size=14, **thin),
                text_config=LlamaConfig(
                    vocab_size=len(vocabulary), num_hidden_layers=1, pad_token_id=0, **thin
                ),
                image_token_id=vocabulary["<image>"],
                image_seq_length=4,
            )
        )
    made = tmp_path_factory.mktemp("vision")
    model.save_pretrained(made)
    processor.save_pretrained(made)
    return made


def test_noise_gives_one_clear_sentence(folder, images):
    describer = LocalDescriber(str(folder), max_new_tokens=24, device="cpu")
    with pytest.raises(InputError, match="gave 3 answers that cannot be used") as caught:
        describer.describe(images, "noise")
    assert str(caught.value).isprintable()
    assert len(describer.transcript) == 3 and describer.tokens > 3 * 24
    assert all(turn["pictures"] == 4 and turn["fault"] for turn in describer.transcript)


def test_a_cached_answer_needs_no_model(folder, images, tmp_path):
    from diffex.concepts.describers.dialogue import Reply

    asked = []

    def answer(question):
        asked.append(question.stage)
        return Reply('{"categories": {"Hair": ["long hair"]}}' if len(asked) == 1 else '{"long hair": []}')

    first = LocalDescriber("nobody/nothing", cache=tmp_path, device="cpu")
    first._dialogue.ask = answer
    tree = first.describe(images)
    assert open_describer("hf:nobody/nothing", cache=tmp_path).describe(images) == tree
    assert [node.phrase for node in tree.phrases()] == ["long hair"] and asked == ["propose", "expand"]


def test_folders_that_hold_no_model(images, tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        LocalDescriber(str(tmp_path), device="cpu").describe(images)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="cannot be opened"):
        LocalDescriber(str(tmp_path), device="cpu").describe(images)


def test_a_processor_without_a_chat_template(folder, images, tmp_path):
    for file in folder.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(InputError, match="cannot answer"):
        LocalDescriber(str(tmp_path), device="cpu").describe(images)
