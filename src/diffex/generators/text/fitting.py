"""Train a small text-to-image model on captioned images."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, final

import numpy as np
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTextModel

from diffex.base.errors import FolderError, InputError
from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.hashing import hash_value
from diffex.generators.text.captioning import draw_captions
from diffex.generators.text.config import TextConfig
from diffex.generators.text.model import REACH, TextModel
from diffex.generators.text.networks import (
    make_autoencoder,
    make_scheduler,
    make_text_encoder,
    make_tokenizer,
    make_unet,
)
from diffex.generators.text.scaling import to_unit
from diffex.generators.text.whitening import whiten_latents
from diffex.images import Images
from diffex.training import TrainConfig, train

Made = TypeVar("Made", bound=nn.Module)
_EDGES = 1.0
_ENCODED_AT_ONCE = 64
_NEAR = 0.5  # reach of edits by a model that learnt to turn twins into each other
_APART = 10.0  # weight of the error of what twins differ in, a small part of all


@final
class AutoencoderTask(nn.Module):
    """One training step of the autoencoder.

    Parameters
    ----------
    vae : AutoencoderKL
        What is trained.
    config : TextConfig
        Crop and weight.
    """

    def __init__(self, vae: AutoencoderKL, config: TextConfig) -> None:
        super().__init__()
        self.vae = vae
        self._crop, self._kl = config.vae_crop, config.kl

    def forward(self, step: int, generator: torch.Generator, y: Tensor) -> dict[str, Tensor]:
        """Squared error of pixels and of their differences, and the latents' divergence.

        Squares, since absolute errors let sparse bright spots vanish.

        Parameters
        ----------
        step : int
            Not used.
        generator : torch.Generator
            Of crops and latents' noise.
        y : Tensor
            ``(n, c, h, w)`` in -1..1.

        Returns
        -------
        dict of str to Tensor
            ``loss`` and its parts.
        """
        y = _cropped(y, self._crop, generator)
        found = self.vae.encode(y).latent_dist
        noise = torch.randn(found.mean.shape, generator=generator).to(y)
        again = self.vae.decode(found.mean + found.std * noise).sample
        missed = again - y
        pixels = missed.square().mean()
        edges = missed.diff(dim=2).square().mean() + missed.diff(dim=3).square().mean()
        kl = 0.5 * (found.mean.square() + found.var - 1 - found.logvar).mean()
        return {"loss": pixels + _EDGES * edges + self._kl * kl, "pixels": pixels, "edges": edges, "kl": kl}


@final
class DenoiserTask(nn.Module):
    """One training step of U-Net and text encoder: predict the noise in latents, given captions.

    Parameters
    ----------
    unet, text_encoder
        What is trained.
    scheduler : DPMSolverMultistepScheduler
        Its noise schedule, and whether the noise or the velocity is predicted.
    paired : bool, default False
        Whether the second half of a batch are the twins of the first. Twins get the same noise: what their
        captions do not say, which is most of the error of either, cancels in the error of their difference,
        which is learnt beside.
    counterfactual : bool, default False
        Whether twins also share the noised latents, those of the first: given these and the other caption,
        the velocity of the other twin is to be predicted. That is what an edit asks for, at any level of
        noise; a denoiser alone heeds the text less, the more it sees of the image.
    """

    signal: Tensor

    def __init__(
        self,
        unet: UNet2DConditionModel,
        text_encoder: CLIPTextModel,
        scheduler: DPMSolverMultistepScheduler,
        paired: bool = False,
        counterfactual: bool = False,
    ) -> None:
        super().__init__()
        self._twins, self._counterfactual = 2 if paired else 1, counterfactual
        self.unet, self.text_encoder = unet, text_encoder
        self._kind = scheduler.config.prediction_type
        self.register_buffer("signal", scheduler.alphas_cumprod, persistent=False)

    def forward(
        self, step: int, generator: torch.Generator, latents: Tensor, tokens: Tensor
    ) -> dict[str, Tensor]:
        """Squared error of the velocity (Salimans & Ho 2022), or of the noise.

        Parameters
        ----------
        step : int
            Not used.
        generator : torch.Generator
            Of noise and times.
        latents : Tensor
            ``(n, d, h, w)``.
        tokens : Tensor
            ``(n, t)`` token numbers.

        Returns
        -------
        dict of str to Tensor
            ``loss``; of twins also its parts.
        """
        count = len(latents) // self._twins
        # Stratified times: the loss of a batch varies less.
        share = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        times = (share * len(self.signal)).long().to(latents.device).repeat(self._twins)
        noise = torch.randn((count, *latents.shape[1:]), generator=generator)
        noise = noise.to(latents).repeat(self._twins, 1, 1, 1)
        kept = self.signal[times].view(-1, 1, 1, 1)
        text = self.text_encoder(tokens)[0]
        seen = latents[:count].repeat(self._twins, 1, 1, 1) if self._counterfactual else latents
        noisy = kept.sqrt() * seen + (1 - kept).sqrt() * noise
        predicted = self.unet(noisy, times, encoder_hidden_states=text).sample
        velocity = kept.sqrt() * noise - (1 - kept).sqrt() * latents
        goal = velocity if self._kind == "v_prediction" else noise
        missed = predicted.float() - goal
        loss = missed.square().mean()
        if self._twins == 1:
            return {"loss": loss}
        first, second = missed.chunk(2)
        apart = (first - second).square().mean()
        return {"loss": loss + _APART * apart, "alone": loss, "apart": apart}


def fit_text_model(
    images: Images,
    phrases: Sequence[Sequence[str]],
    config: TextConfig,
    folder: Path,
    *,
    device: torch.device,
    start: TextModel | None = None,
    vocabulary: Sequence[str] = (),
    pairs: NDArray[np.int64] | None = None,
) -> TextModel:
    """Train a text-to-image model; a killed training goes on.

    Parameters
    ----------
    images : Images
        The captioned images, of the size of the model.
    phrases : sequence of sequence of str
        What is true of each image; a caption is some of them, in any order.
    config : TextConfig
        Networks and length.
    folder : Path
        Checkpoints.
    device : torch.device
        Where to train.
    start : TextModel, optional
        Train a copy of this one further; its autoencoder and words are kept.
    vocabulary : sequence of str, optional
        Further words that shall be tokens of their own.
    pairs : ndarray of int, shape (m, 2), optional
        Positions of images that differ in one thing: they are trained on together. A batch is then half as
        many pairs. Default: every image for itself.

    Returns
    -------
    TextModel
        Frozen.

    Raises
    ------
    InputError
        If counts, sizes or channels disagree, no image has a phrase, or one is too long.
    FolderError
        If the folder holds a training of other images, captions or settings.
    """
    _check(images, phrases, config, start)
    claim(folder, training_of(images, phrases, config, vocabulary, start, pairs))
    start = copy.deepcopy(start)
    tokenizer = (
        start.tokenizer
        if start
        else make_tokenizer([*(p for said in phrases for p in said), *vocabulary], config.tokens)
    )
    vae = start.vae if start else _fit_autoencoder(images, config, folder / "vae", device)
    unet = start.unet if start else _seeded(config, lambda: make_unet(config))
    encoder = start.text_encoder if start else _seeded(config, lambda: make_text_encoder(config, tokenizer))
    scheduler = start.scheduler if start else make_scheduler()
    model = TextModel(vae, encoder, tokenizer, unet, scheduler).to(device)
    for phrase in {phrase for said in phrases for phrase in said}:
        model.check_phrase(phrase)
    latents = _latents(model, images, folder / "latents.safetensors")
    latents = whiten_latents(vae, latents) if start is None else latents * vae.config.scaling_factor
    unet.requires_grad_(True)
    encoder.requires_grad_(True)

    units = np.arange(len(images))[:, None] if pairs is None else pairs  # (m, 1 or 2)

    def read(positions: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        rows = units[positions]
        if config.counterfactual:
            turned = torch.rand(len(rows), generator=generator).numpy() < 0.5
            rows[turned] = rows[turned, ::-1]
        drawn = [draw_captions([phrases[i] for i in row], config, generator) for row in rows]
        said = [one for side in zip(*drawn, strict=True) for one in side]
        return {"latents": latents[torch.from_numpy(rows.T.ravel())], "tokens": model.tokens(said)}

    task = DenoiserTask(unet, encoder, model.scheduler, pairs is not None, config.counterfactual)
    batch = max(1, config.batch_size // units.shape[1])
    length = TrainConfig(steps=config.steps, batch_size=batch, lr=config.lr, seed=config.seed)
    settings = {**config.model_dump(mode="json"), "latents": hash_value(images.fingerprint())}
    train(
        task,
        read,
        len(units),
        length,
        folder / "unet",
        device=device,
        what="text to image",
        settings=settings,
    )
    reach = _NEAR if config.counterfactual else REACH
    return TextModel(vae, encoder, tokenizer, unet, model.scheduler, reach)


def training_of(
    images: Images,
    phrases: Sequence[Sequence[str]],
    config: TextConfig,
    vocabulary: Sequence[str] = (),
    start: TextModel | None = None,
    pairs: NDArray[np.int64] | None = None,
) -> str:
    """Hash what a training follows from.

    Parameters
    ----------
    images, phrases, config, vocabulary, start, pairs
        As for `fit_text_model`.

    Returns
    -------
    str
        Another where anything differs.
    """
    settings = [images.fingerprint(), phrases, config.model_dump(mode="json"), vocabulary]
    settings += [] if pairs is None else [pairs.tolist()]
    return hash_value([*settings, None if start is None else start.state_hash()])


def claim(folder: Path, training: str) -> None:
    """Refuse a folder with another training, whose parts would be taken for this one's.

    Parameters
    ----------
    folder : Path
        Gets ``text.json``.
    training : str
        From `training_of`.

    Raises
    ------
    FolderError
        If it holds another.
    """
    wanted, path = {"training": training}, folder / "text.json"
    if not path.is_file():
        write_json(path, wanted)
    elif read_json(path) != wanted:
        raise FolderError(f"{folder} holds a training of other images, captions or settings: name a new one.")


def _check(
    images: Images, phrases: Sequence[Sequence[str]], config: TextConfig, start: TextModel | None
) -> None:
    if len(images) != len(phrases):
        raise InputError(f"phrases got {len(phrases)} lists, expected one for each of {len(images)} images.")
    size = config.size if start is None else start.size
    if images.size != (size, size):
        raise InputError(
            f"images are {images.size[0]} x {images.size[1]} px, the text model renders {size} x {size}: "
            "resize them, or set the size of the model."
        )
    if start is not None and images.channels != start.channels:
        raise InputError(
            f"images have {images.channels} channels, the model to train further has {start.channels}: "
            "choose channels, or train one from the start."
        )
    if not any(phrases):
        raise InputError("no image has a caption: give a column of captions, or let them be measured.")


def _seeded(config: TextConfig, make: Callable[[], Made]) -> Made:
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return make()


def _fit_autoencoder(images: Images, config: TextConfig, folder: Path, device: torch.device) -> AutoencoderKL:
    vae = _seeded(config, lambda: make_autoencoder(config, len(images.channel_names)))
    images.remember()

    def read(positions: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        return {"y": to_unit(images.read(positions), images.value_range)}

    length = TrainConfig(
        steps=config.vae_steps,
        batch_size=config.vae_batch,
        lr=config.vae_lr,
        weight_decay=0.0,
        seed=config.seed,
    )
    settings = {**config.model_dump(mode="json"), "pixels": images.fingerprint()}
    kept = folder / "vae.safetensors"
    if kept.is_file():
        vae.load_state_dict(load_tensors(kept))
    else:
        train(
            AutoencoderTask(vae, config),
            read,
            len(images),
            length,
            folder,
            device=device,
            what="autoencoder",
            settings=settings,
        )
        save_tensors(kept, vae.state_dict())
    return vae


def _latents(model: TextModel, images: Images, kept: Path) -> Tensor:
    """Encode all images; not scaled."""
    if not kept.is_file():
        scale = float(model.vae.config.scaling_factor)
        parts = []
        for first in range(0, len(images), _ENCODED_AT_ONCE):
            x = images.read(np.arange(first, min(first + _ENCODED_AT_ONCE, len(images))))
            parts.append(model.encode(to_unit(x, images.value_range).to(model.device)).cpu() / scale)
        save_tensors(kept, {"latents": torch.cat(parts)})
    return load_tensors(kept)["latents"]


def _cropped(y: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Cut a square out of each image, anywhere."""
    most = torch.tensor([y.shape[2] - side + 1, y.shape[3] - side + 1])
    corners = (torch.rand(len(y), 2, generator=generator) * most).long().tolist()
    cut = [one[:, i : i + side, j : j + side] for one, (i, j) in zip(y, corners, strict=True)]
    return torch.stack(cut)
