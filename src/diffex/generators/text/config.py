"""What a small text-to-image model is and how it is trained: one frozen configuration."""

from pydantic import BaseModel, ConfigDict, Field


class TextConfig(BaseModel):
    """Networks and length of training of a latent diffusion model of captioned images.

    Parameters
    ----------
    size : int
        Height and width in pixels, a multiple of 32.
    vae_widths : tuple of int
        Channels of the autoencoder's levels, finest first; each but the last halves the side.
    latent_channels : int
        Channels of a latent.
    unet_widths : tuple of int
        Channels of the U-Net's three levels; all of them attend to the text.
    text_width, text_layers : int
        Of the text encoder.
    tokens : int
        Longest caption, with its two end tokens.
    vae_steps, vae_batch, vae_lr
        Training of the autoencoder.
    vae_crop : int
        It is trained on crops of this side, which costs less; it is convolutional.
    kl : float
        Weight of the latents' divergence from a standard normal, per latent value.
    steps, batch_size, lr
        Training of U-Net and text encoder together.
    drop : float
        Share of captions left empty, for guidance.
    most_phrases : int
        Largest number of phrases in a caption drawn from an image's list.
    counterfactual : bool
        Of images trained on in pairs: whether both are told from one of them. Else each has its own.
    seed : int
        Of everything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(default=64, ge=32, multiple_of=32)
    vae_widths: tuple[int, ...] = (16, 32, 64, 64)
    latent_channels: int = Field(default=32, ge=2)
    unet_widths: tuple[int, int, int] = (64, 96, 128)
    text_width: int = Field(default=128, ge=16, multiple_of=16)
    text_layers: int = Field(default=2, ge=1)
    tokens: int = Field(default=32, ge=4, le=77)
    vae_steps: int = Field(default=4000, ge=1)
    vae_batch: int = Field(default=16, ge=1)
    vae_lr: float = 1.5e-3
    vae_crop: int = Field(default=32, ge=32, multiple_of=32)
    kl: float = 1e-6
    steps: int = Field(default=3600, ge=1)
    batch_size: int = Field(default=24, ge=1)
    lr: float = 1e-3
    drop: float = Field(default=0.15, ge=0, le=1)
    most_phrases: int = Field(default=12, ge=1)
    counterfactual: bool = False
    seed: int = 0
