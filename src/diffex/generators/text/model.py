"""A text-to-image model in Stable Diffusion's layout: opened, saved, its parts called."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, final

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.utils import logging as diffusers_logging
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from diffex.base.errors import FolderError, InputError
from diffex.base.files import read_json, write_json
from diffex.base.hashing import hash_tensors

_PREDICTED = ("epsilon", "v_prediction")
SHIPPED = "shipped"
"""Address of the model that comes along: planted cells and scenes, 64 px, three channels."""

REACH = 0.95
"""How far an image is noised to be edited by a model that only learnt to denoise: a share of its schedule."""

_OURS = "diffex.json"


@final
class TextModel:
    """Autoencoder, text encoder and U-Net of a latent diffusion model; frozen.

    Parameters
    ----------
    vae, text_encoder, tokenizer, unet
        As in diffusers' ``StableDiffusionPipeline``.
    scheduler : DPMSolverMultistepScheduler
        Its noise schedule; noise or velocity is predicted.
    reach : float, default 0.95
        How far an image is noised to be edited. A model that was trained to turn one image into its twin
        heeds the text at any level of noise, and edits best where it still sees the image.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: UNet2DConditionModel,
        scheduler: DPMSolverMultistepScheduler,
        reach: float = REACH,
    ) -> None:
        self.reach = reach
        self.vae, self.text_encoder, self.unet = vae, text_encoder, unet
        self.tokenizer, self.scheduler = tokenizer, scheduler
        for network in self._networks():
            network.eval().requires_grad_(False)

    def _networks(self) -> tuple[Any, ...]:
        return self.vae, self.text_encoder, self.unet

    @property
    def size(self) -> int:
        """Side of its images in pixels."""
        return int(self.unet.config.sample_size) * self.reduction

    @property
    def reduction(self) -> int:
        """Pixels per latent, along a side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """Channels of its images."""
        return int(self.vae.config.in_channels)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device(next(self.unet.parameters()).device)

    def to(self, device: torch.device) -> Self:
        """Move all networks."""
        for network in self._networks():
            network.to(device)
        return self

    def state_hash(self) -> str:
        """Hash of all weights."""
        states = (network.state_dict() for network in self._networks())
        return hash_tensors({f"{i}.{k}": v for i, state in enumerate(states) for k, v in state.items()})

    def check_phrase(self, phrase: str) -> None:
        """Refuse a phrase that is longer than the text encoder reads.

        Parameters
        ----------
        phrase : str
            What would be edited in.

        Raises
        ------
        InputError
            If it has too many tokens.
        """
        if not self.reads(phrase):
            got, most = len(self.tokenizer(phrase).input_ids), self.tokenizer.model_max_length
            raise InputError(
                f"phrase {phrase[:40]!r}... got {got - 2} tokens, the model reads {most - 2}: shorten it."
            )

    def reads(self, phrase: str) -> bool:
        """Whether the text encoder reads all of a phrase."""
        return bool(len(self.tokenizer(phrase).input_ids) <= self.tokenizer.model_max_length)

    @torch.no_grad()
    def embed(self, phrases: Sequence[str]) -> Tensor:
        """Encode phrases.

        Parameters
        ----------
        phrases : sequence of str
            n phrases.

        Returns
        -------
        Tensor
            ``(n, tokens, d)``.

        Raises
        ------
        InputError
            If one is longer than the text encoder reads.
        """
        for phrase in phrases:
            self.check_phrase(phrase)
        encoded: Tensor = self.text_encoder(self.tokens(phrases).to(self.device))[0]
        return encoded

    def tokens(self, phrases: Sequence[str]) -> Tensor:
        """Token numbers, padded, ``(n, tokens)``."""
        most = self.tokenizer.model_max_length
        ids: Tensor = self.tokenizer(
            list(phrases), padding="max_length", truncation=True, max_length=most, return_tensors="pt"
        ).input_ids
        return ids

    @torch.no_grad()
    def encode(self, y: Tensor) -> Tensor:
        """Latents ``(n, d, h / r, w / r)`` of images in -1..1, of about unit spread."""
        latents: Tensor = self.vae.encode(y).latent_dist.mode()
        return latents * float(self.vae.config.scaling_factor)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images ``(n, c, h, w)``, about -1..1, of latents."""
        images: Tensor = self.vae.decode(latents / float(self.vae.config.scaling_factor)).sample
        return images

    @torch.no_grad()
    def predict_noise(self, latents: Tensor, step: Tensor | int, text: Tensor) -> Tensor:
        """Noise in latents at a training step from 0 to 999, given encoded text; one evaluation an image."""
        predicted: Tensor = self.unet(latents, step, encoder_hidden_states=text).sample
        if self.scheduler.config.prediction_type == "epsilon":
            return predicted
        kept = self.scheduler.alphas_cumprod.to(latents)[torch.as_tensor(step).long().cpu()]
        noise: Tensor = kept.sqrt() * predicted + (1 - kept).sqrt() * latents
        return noise

    def pipeline(self) -> StableDiffusionPipeline:
        """Give diffusers' own pipeline of the same networks."""
        return StableDiffusionPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            unet=self.unet,
            scheduler=self.scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    def save(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write the folder that diffusers reads; safetensors only, and not where the parts once came from."""
        for part in (self.vae, self.unet):
            part.register_to_config(_name_or_path="")
        for network in self._networks():
            network.to(dtype)
        self.pipeline().save_pretrained(folder, safe_serialization=True)
        write_json(folder / _OURS, {"reach": self.reach})
        for network in self._networks():
            network.to(torch.float32)


def open_text_model(address: str, device: torch.device) -> TextModel:
    """Open a text-to-image model.

    Parameters
    ----------
    address : str
        ``shipped``, a local folder in Stable Diffusion's layout, or ``ORG/NAME`` on the Hugging Face hub.
    device : torch.device
        Where to compute.

    Returns
    -------
    TextModel
        In fp32, frozen.

    Raises
    ------
    FolderError
        If there is no such model, or it has another layout.
    """
    place = Path(__file__).parents[2] / "shipped" / "text" if address == SHIPPED else address
    try:
        with _no_bars():
            pipeline = StableDiffusionPipeline.from_pretrained(
                place,
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
                use_safetensors=True,
            )
    except (OSError, ValueError, KeyError) as error:
        raise FolderError(
            f"{address} could not be opened as a text-to-image model: give a folder or a hub name in "
            f"Stable Diffusion's layout, with safetensors ({str(error).splitlines()[0][:120]})."
        ) from error
    for network in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        network.float()
    _check_channels(pipeline, address)
    schedule = pipeline.scheduler.config
    kind = schedule.get("prediction_type", "epsilon")
    if kind not in _PREDICTED:
        raise FolderError(f"{address} predicts {kind!r}, expected {' or '.join(_PREDICTED)}.")
    scheduler = DPMSolverMultistepScheduler.from_config(
        schedule,
        algorithm_type="sde-dpmsolver++",
        solver_order=2,
        timestep_spacing="leading",
        steps_offset=1,
    )
    reach = _reach(Path(place) / _OURS)
    parts = pipeline.vae, pipeline.text_encoder, pipeline.tokenizer, pipeline.unet, scheduler
    return TextModel(*parts, reach).to(device)


def _reach(path: Path) -> float:
    """Read how far edits reach; what other libraries write does not say."""
    if not path.is_file():
        return REACH
    found = read_json(path)
    reach = found.get("reach") if isinstance(found, dict) else None
    if not isinstance(reach, int | float) or not 0 < reach <= 1:
        raise FolderError(f"{path} is damaged (reach is no number from 0 to 1): make the folder again.")
    return float(reach)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep both libraries from drawing bars while they read files."""
    shown = [log for log in (diffusers_logging, transformers_logging) if log.is_progress_bar_enabled()]
    for log in shown:
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log in shown:
            log.enable_progress_bar()


def _check_channels(pipeline: StableDiffusionPipeline, address: str) -> None:
    """Refuse a U-Net that takes more than latents, as those for inpainting do."""
    got, wanted = pipeline.unet.config.in_channels, pipeline.vae.config.latent_channels
    if got != wanted:
        raise FolderError(f"{address}: its U-Net takes {got} channels, expected the {wanted} of its latents.")
