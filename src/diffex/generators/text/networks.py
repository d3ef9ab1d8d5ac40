"""The untrained parts of a small text-to-image model, all of them diffusers' and transformers' own."""

import json
from collections.abc import Iterable

from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from diffex.generators.text.config import TextConfig

_SPECIAL = ["<|startoftext|>", "<|endoftext|>"]
_LARGEST_VOCABULARY = 8192
_TRAIN_STEPS = 1000


def make_tokenizer(captions: Iterable[str], tokens: int) -> CLIPTokenizer:
    """Learn a byte-pair vocabulary in which a word of the captions is one token.

    Parameters
    ----------
    captions : iterable of str
        All captions, or a list that holds every word.
    tokens : int
        Longest caption, its two end tokens included.

    Returns
    -------
    CLIPTokenizer
        A word that it never saw is spelt, so that a text encoder can still read it.
    """
    words = sorted({word for caption in captions for word in caption.lower().replace(",", " ").split()})
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=_LARGEST_VOCABULARY,
        min_frequency=1,
        # Named before training: the trainer numbers ends of words in an order that differs from run to run.
        special_tokens=[*_SPECIAL, *(letter + "</w>" for letter in alphabet)],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator([*words, *alphabet], trainer)
    state = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in state["merges"]]
    return CLIPTokenizer(vocab=state["vocab"], merges=merges, model_max_length=tokens)


def make_autoencoder(config: TextConfig, channels: int) -> AutoencoderKL:
    """Give an untrained autoencoder.

    Parameters
    ----------
    config : TextConfig
        Widths and latents.
    channels : int
        Of images ``(n, channels, h, w)`` in -1..1.

    Returns
    -------
    AutoencoderKL
        With one halving less than levels.
    """
    levels = len(config.vae_widths)
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.vae_widths,
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=8,
        sample_size=config.size,
    )


def make_text_encoder(config: TextConfig, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Give an untrained text encoder.

    Parameters
    ----------
    config : TextConfig
        Width, layers, longest caption.
    tokenizer : CLIPTokenizer
        Its vocabulary.

    Returns
    -------
    CLIPTextModel
        From token numbers to ``(n, tokens, text_width)``.
    """
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.text_width,
            intermediate_size=4 * config.text_width,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.text_width // 16,
            max_position_embeddings=config.tokens,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def make_unet(config: TextConfig) -> UNet2DConditionModel:
    """Give an untrained U-Net; every level attends to the text, and the pooled text shifts all levels.

    Parameters
    ----------
    config : TextConfig
        Widths.

    Returns
    -------
    UNet2DConditionModel
        Of latents.
    """
    levels = len(config.unet_widths)
    return UNet2DConditionModel(
        sample_size=config.size // 2 ** (len(config.vae_widths) - 1),
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        down_block_types=("CrossAttnDownBlock2D",) * levels,
        up_block_types=("CrossAttnUpBlock2D",) * levels,
        block_out_channels=config.unet_widths,
        layers_per_block=1,
        cross_attention_dim=config.text_width,
        attention_head_dim=4,
        norm_num_groups=16,
        # Attention alone learns to heed the text too slowly for a short training.
        addition_embed_type="text",
        addition_embed_type_num_heads=8,
        resnet_time_scale_shift="scale_shift",
    )


def make_scheduler() -> DPMSolverMultistepScheduler:
    """Give Stable Diffusion's noise schedule, predicting velocities, with the solver that LEDITS++ inverts.

    Velocities, since a network that predicts noise learns last what the text says of much noised images.

    Returns
    -------
    DPMSolverMultistepScheduler
        1,000 training steps.
    """
    return DPMSolverMultistepScheduler(
        num_train_timesteps=_TRAIN_STEPS,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        algorithm_type="sde-dpmsolver++",
        solver_order=2,
        prediction_type="v_prediction",
        timestep_spacing="leading",
        steps_offset=1,
    )
