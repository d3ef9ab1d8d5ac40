"""What a generator is and how it is trained: one frozen configuration."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GeneratorConfig(BaseModel):
    """Network, noise path, losses and length of training of a diffusion autoencoder.

    Parameters
    ----------
    latents : int
        Size of the semantic code z.
    widths : tuple of int
        Channels of the U-Net's levels, finest first.
    patch : int
        Pixels per side folded into channels before the U-Net.
    path : {"flow", "ddpm"}
        Rectified flow, or the variance-preserving path of the published system.
    steps, batch_size, lr, seed
        Of the training.
    depth : int
        Network evaluations of a default rendering.
    at_noise : float
        Share of a batch trained at pure noise, which makes the one-step renderer.
    drop_condition : float
        Share of a batch that sees the learnt null code instead of z.
    kl, total_correlation, mean, logit, features, probe : float
        Weights of the losses; 0 switches one off.
    guided_share : float
        Share of a batch on which the classifier's losses are computed.
    classifier_gradient : bool
        False cuts the classifier's gradient before the encoder (the released code's defect, for ablation).
    logit_condition : bool
        Give the decoder the standardised logits as well, dropped half of the time.
    symmetry : {"dihedral", "mirror", "none"}
        Augmentation: flips and quarter turns, left-right flips, or nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latents: int = Field(default=64, ge=4, le=512)
    widths: tuple[int, ...] = (64, 96, 128)
    patch: int = 4
    path: Literal["flow", "ddpm"] = "flow"
    steps: int = Field(default=2800, ge=1)
    batch_size: int = Field(default=48, ge=2)
    lr: float = 8e-4
    seed: int = 0
    depth: int = Field(default=8, ge=1)
    at_noise: float = 0.2
    drop_condition: float = 0.05
    kl: float = 4e-6
    total_correlation: float = 0.0
    mean: float = 1.0
    logit: float = 0.08
    features: float = 0.08
    probe: float = 0.1
    guided_share: float = 0.5
    classifier_gradient: bool = True
    logit_condition: bool = False
    symmetry: Literal["dihedral", "mirror", "none"] = "none"
