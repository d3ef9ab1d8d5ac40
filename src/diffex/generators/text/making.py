"""A text-to-image model of a user's own images: one folder, with the captions beside it."""

import copy
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diffex.base.errors import FolderError
from diffex.base.files import write_text
from diffex.generators.duration import step_seconds
from diffex.generators.text.config import TextConfig
from diffex.generators.text.fitting import (
    AutoencoderTask,
    DenoiserTask,
    claim,
    fit_text_model,
    training_of,
)
from diffex.generators.text.model import TextModel, open_text_model
from diffex.generators.text.networks import (
    make_autoencoder,
    make_scheduler,
    make_text_encoder,
    make_tokenizer,
    make_unet,
)
from diffex.generators.text.scaling import from_unit, resized, to_unit
from diffex.images import Images
from diffex.images.images import PixelSource

MODEL, CAPTIONS = "text", "captions.csv"
_TRAINING = "training"
_MULTIPLE, _LARGEST = 32, 64


def text_config(images: Images, start: TextModel | None = None, steps: int | None = None) -> TextConfig:
    """Choose the configuration for some images.

    Parameters
    ----------
    images : Images
        The captioned images.
    start : TextModel, optional
        Model to train further; its size is kept.
    steps : int, optional
        Of the U-Net, the autoencoder's go in proportion; by default as many as the shipped model had, a third
        of them where `start` is given.

    Returns
    -------
    TextConfig
        Of 32 px for images up to that size, of 64 px for larger ones.
    """
    size = min(_LARGEST, -(-max(images.size) // _MULTIPLE) * _MULTIPLE) if start is None else start.size
    config = TextConfig(size=size)
    wanted = steps or (config.steps // 3 if start else config.steps)
    in_proportion = -(-config.vae_steps * wanted // config.steps)
    return config.model_copy(update={"steps": wanted, "vae_steps": in_proportion})


def fit_text(
    images: Images,
    phrases: Sequence[Sequence[str]],
    folder: Path,
    config: TextConfig,
    *,
    device: torch.device,
    start: TextModel | None = None,
) -> TextModel:
    """Train or fine-tune a text-to-image model on captioned images; a killed one goes on.

    Parameters
    ----------
    images : Images
        Of any size; they are resized to that of the model.
    phrases : sequence of sequence of str
        What is true of each image.
    folder : Path
        Gets ``text``, in Stable Diffusion's layout, and ``captions.csv``.
    config : TextConfig
        From `text_config`.
    device : torch.device
        Where to train.
    start : TextModel, optional
        Model to train further.

    Returns
    -------
    TextModel
        As written; read again where the folder holds it already.

    Raises
    ------
    FolderError
        If the folder holds something else.
    InputError
        If captions or images do not fit the model.
    """
    _require_free(folder)
    fitted = resize_images(images, config.size)
    claim(folder, training_of(fitted, phrases, config, start=start))
    if (folder / MODEL).is_dir():
        return open_text_model(str(folder / MODEL), device)
    listed = pd.DataFrame({"id": images.ids, "caption": [", ".join(said) for said in phrases]})
    write_text(folder / CAPTIONS, listed.to_csv(index=False))
    work = folder / _TRAINING
    model = fit_text_model(fitted, phrases, config, work, device=device, start=start)
    model.save(work / MODEL)
    (work / MODEL).rename(folder / MODEL)
    shutil.rmtree(work)
    return model


def estimate_text_seconds(
    images: Images, config: TextConfig, device: torch.device, start: TextModel | None = None
) -> float:
    """Time a few steps of each training, and multiply.

    Parameters
    ----------
    images : Images
        The captioned images.
    config : TextConfig
        Length.
    device : torch.device
        Where to train.
    start : TextModel, optional
        Model to train further; its autoencoder is not trained again.

    Returns
    -------
    float
        Seconds, right within a factor of two or so where the machine has nothing else to do.
    """
    with torch.random.fork_rng(devices=[]):
        tokenizer = make_tokenizer(["word"], config.tokens)
        vae = make_autoencoder(config, images.channels)
        unet, encoder = make_unet(config), make_text_encoder(config, tokenizer)
        if start is not None:
            unet, encoder = copy.deepcopy((start.unet, start.text_encoder))
        side, batch = int(unet.config.sample_size), config.batch_size
        latents = torch.randn(batch, int(unet.config.in_channels), side, side)
        y = torch.randn(config.vae_batch, images.channels, config.vae_crop, config.vae_crop)
    length = int(encoder.config.max_position_embeddings)
    scheduler = start.scheduler if start is not None else make_scheduler()
    task = DenoiserTask(unet.requires_grad_(True), encoder.requires_grad_(True), scheduler)
    given = {"latents": latents, "tokens": torch.zeros(batch, length, dtype=torch.long)}
    seconds = config.steps * step_seconds(task, given, device)
    if start is None:
        seconds += config.vae_steps * step_seconds(AutoencoderTask(vae, config), {"y": y}, device)
    return seconds


def resize_images(images: Images, size: int) -> Images:
    """Give the same images at ``size x size`` px, resized when read; without masks.

    Parameters
    ----------
    images : Images
        Of any size.
    size : int
        Side in pixels.

    Returns
    -------
    Images
        `images` themselves where they have that size.
    """
    if images.size == (size, size):
        return images
    source = ResizedSource(images.source, images.value_range, size)
    return replace(images, source=source, size=(size, size), has_masks=False)


@final
class ResizedSource:
    """Pixels of another source, resized when read.

    Parameters
    ----------
    source : PixelSource
        What is resized.
    value_range : (float, float)
        Grey values; what resizing brings beyond is clipped.
    size : int
        Side in pixels.
    """

    def __init__(self, source: PixelSource, value_range: tuple[float, float], size: int) -> None:
        self._source, self._range, self._size = source, value_range, size

    def read(self, index: int) -> NDArray[np.float32]:
        """Read image `index`, ``(c, size, size)``."""
        y = to_unit(torch.from_numpy(self._source.read(index))[None], self._range)
        return np.asarray(from_unit(resized(y, (self._size, self._size)), self._range)[0].numpy())

    def read_mask(self, index: int) -> None:
        """Give none: what is trained on needs no outline."""

    def fingerprint(self, index: int) -> str:
        """That of the image, and the size."""
        return f"{self._source.fingerprint(index)}-{self._size}"


def _require_free(folder: Path) -> None:
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.is_file() or (there and "text.json" not in there):
        raise FolderError(f"--out {folder} holds something else: name a new or empty folder.")
