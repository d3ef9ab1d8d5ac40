"""The published editor, and models in Stable Diffusion 1.5's layout under both editors."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from diffex.base.errors import InputError
from diffex.base.noise import noise_for
from diffex.editors.ledits import LEditsEditor
from diffex.editors.text import TextEditor
from diffex.generators.text import networks
from diffex.generators.text.model import TextModel, open_text_model
from diffex.generators.text.scaling import from_unit, to_unit
from diffex.testing import check_editor

IDS = ("a", "b", "c")
RANGE = (0.0, 255.0)


@pytest.fixture(scope="module")
def stable_diffusion(tmp_path_factory):
    """All parts of Stable Diffusion 1.5, thin and with random weights, in its folder layout."""
    folder = tmp_path_factory.mktemp("models") / "stable-diffusion"
    tokenizer = networks.make_tokenizer(["a photo of a large nucleus"], 77)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = StableDiffusionPipeline(
            vae=AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                block_out_channels=(8, 8, 16, 16),
                layers_per_block=2,
                latent_channels=4,
                norm_num_groups=4,
                sample_size=64,
            ),
            text_encoder=CLIPTextModel(_text_config(tokenizer)),
            tokenizer=tokenizer,
            unet=UNet2DConditionModel(
                sample_size=8,
                down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
                up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
                block_out_channels=(16, 16, 16, 16),
                layers_per_block=2,
                cross_attention_dim=16,
                attention_head_dim=8,
                norm_num_groups=4,
            ),
            scheduler=PNDMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                skip_prk_steps=True,
                steps_offset=1,
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))
    return open_text_model(str(folder), torch.device("cpu"))


def _text_config(tokenizer):
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def pixels_of(side):
    return (120 + 40 * noise_for(IDS, (3, side, side), "test")).clamp(0, 255)


@pytest.fixture(scope="module")
def editor(text_model):
    return LEditsEditor(text_model, RANGE, steps=4)


def test_it_keeps_the_contract(editor):
    check_editor(editor, pixels_of(32), IDS, editor.concept("size/large", "large nucleus"))
    assert (editor.evaluations, editor.inversion_evaluations) == (8, 4)


def test_released_settings_are_the_default(text_model):
    editor = LEditsEditor(text_model, RANGE)
    assert (editor.steps, editor.skip, editor.guidance, editor.threshold) == (50, 0.1, 10.0, 0.75)
    assert (editor.evaluations, editor.inversion_evaluations) == (100, 50)


def test_the_null_edit_comes_near_what_the_autoencoder_makes_of_the_image(text_model):
    # Only near: the published code keeps no noise of the last step.
    pixels = pixels_of(32)
    wanted = from_unit(text_model.decode(text_model.encode(to_unit(pixels, RANGE))), RANGE)
    missed = []
    for steps in (4, 20):
        editor = LEditsEditor(text_model, RANGE, steps=steps)
        missed.append(float((editor.null(editor.invert(pixels, IDS)) - wanted).abs().mean()))
    assert missed[1] < 0.6 * missed[0]


def test_it_gives_the_networks_back_as_they_were(editor, text_model):
    before = {name: type(kept) for name, kept in text_model.unet.attn_processors.items()}
    inversion = editor.invert(pixels_of(32), IDS)
    editor.edit(inversion, editor.concept("size/large", "large nucleus"), 1.0)
    assert {name: type(kept) for name, kept in text_model.unet.attn_processors.items()} == before


def test_joint_edits_differ_from_each(editor):
    inversion = editor.invert(pixels_of(32), IDS)
    a, b = editor.concept("a", "large nucleus"), editor.concept("b", "small cell")
    both = editor.edit_jointly(inversion, [(a, 1.0), (b, -1.0)])
    assert not torch.allclose(both, editor.edit(inversion, a, 1.0), atol=0.01)
    assert torch.equal(editor.edit_jointly(inversion, [(a, 1.0), (b, 0.0)]), editor.edit(inversion, a, 1.0))


@pytest.mark.parametrize("made", [TextEditor, LEditsEditor])
def test_stable_diffusions_layout_is_opened_inverted_and_edited(stable_diffusion, made):
    assert (stable_diffusion.size, stable_diffusion.channels) == (64, 3)
    editor = made(stable_diffusion, RANGE, steps=3)
    check_editor(
        editor, pixels_of(64)[:2], IDS[:2], editor.concept("size/large", "a photo of a large nucleus")
    )


@pytest.mark.parametrize(
    ("change", "words"), [({"latent_channels": 6}, "6 channels"), ({"vae_widths": (8,) * 4}, "4 x 4")]
)
def test_models_that_it_cannot_mask_are_refused(text_config, text_model, change, words):
    config = text_config.model_copy(update=change)
    other = TextModel(
        networks.make_autoencoder(config, 3),
        text_model.text_encoder,
        text_model.tokenizer,
        networks.make_unet(config),
        text_model.scheduler,
    )
    with pytest.raises(InputError, match=f"{words}.*use the default text editor"):
        LEditsEditor(other, RANGE)


def test_other_images_and_long_phrases_are_refused(editor):
    with pytest.raises(InputError, match="expected 3 x 32 x 32"):
        editor.invert(torch.zeros(1, 3, 16, 16), ("a",))
    with pytest.raises(InputError, match="shorten it"):
        editor.concept("long", "large nucleus " * 8)
