"""Train a total-correlation VAE."""

from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffex.base.hashing import hash_value
from diffex.generators.pixels import PixelTransform
from diffex.generators.tcvae.config import TCVAEConfig
from diffex.generators.tcvae.loss import annealed, central_weight, decompose, kl_per_latent, pixel_loss
from diffex.generators.tcvae.tcvae import FILE, TCVAE
from diffex.images import Images
from diffex.training import TrainConfig, train

_CHUNK = 256  # images read at once


@final
class TCVAETask(nn.Module):
    """One training step of a `TCVAE`.

    Parameters
    ----------
    model : TCVAE
        What is trained.
    count : int
        Images in the fitting set.
    """

    weight: Tensor | None

    def __init__(self, model: TCVAE, count: int) -> None:
        super().__init__()
        self.model = model
        self._count = count
        posed = model.config.pose == "canonical"
        self.register_buffer("weight", central_weight(model.config.side) if posed else None, persistent=False)

    def forward(self, step: int, generator: torch.Generator, image: Tensor) -> dict[str, Tensor]:
        """Compute the losses of one batch.

        The loss is the negative evidence bound with its KL term in closed form, plus ``beta - 1`` times the
        total correlation: in expectation the published one, with less noise, and at ``beta = 1`` a plain VAE.

        Parameters
        ----------
        step : int
            `beta` grows over the first third of the training.
        generator : torch.Generator
            Of the codes' noise.
        image : Tensor
            ``(n, c, side, side)`` in the model's range, in the pose that the code is about.

        Returns
        -------
        dict of str to Tensor
            ``loss`` in nats per pixel and channel; its parts in nats per image.
        """
        model, config = self.model, self.model.config
        mean, log_variance = model.encoder(image)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        z = mean + noise * (0.5 * log_variance).exp()
        pixels = pixel_loss(image, model.decoder(z), model.noise(), self.weight).mean()
        kl = kl_per_latent(mean, log_variance).sum(1).mean()
        parts = decompose(z, mean, log_variance, self._count, config.estimator)
        more = annealed(config.beta, step, config.steps) - 1
        return {
            "loss": (pixels + kl + more * parts.total_correlation) / image[0].numel(),
            "pixels": pixels,
            "kl": kl,
            "mutual_information": parts.mutual_information,
            "total_correlation": parts.total_correlation,
            "dimension_wise": parts.dimension_wise,
        }


def fit_tcvae(images: Images, config: TCVAEConfig, folder: Path, *, device: torch.device) -> TCVAE:
    """Train a total-correlation VAE on images.

    Parameters
    ----------
    images : Images
        The fitting images; labels are not used. They are held in memory, at the size they have inside.
    config : TCVAEConfig
        Code, loss and length.
    folder : Path
        Checkpoints; an unfinished training goes on.
    device : torch.device
        Where to train.

    Returns
    -------
    TCVAE
        In eval mode.

    Raises
    ------
    FolderError
        If the folder holds an unfinished training of other images or another configuration.
    """
    model = TCVAE(config, images.channel_names, images.size, PixelTransform.fit(images))

    held = torch.cat([model.prepare(model.posed(x)) for _, x in images.batches(_CHUNK)])

    def read(positions: NDArray[np.int64], _: torch.Generator) -> dict[str, Tensor]:
        return {"image": held[torch.from_numpy(positions)]}

    length = TrainConfig(
        steps=config.steps, batch_size=config.batch_size, lr=config.lr, weight_decay=0.0, seed=config.seed
    )
    settings = {**config.model_dump(mode="json"), "pixels": images.fingerprint()}
    task = TCVAETask(model, len(images))
    train(task, read, len(images), length, folder, device=device, what="TC-VAE", settings=settings)
    return model.requires_grad_(False)


def kept_tcvae(images: Images, config: TCVAEConfig, folder: Path, *, device: torch.device) -> TCVAE:
    """Open the VAE that was trained on these images with this configuration, or train it and keep it.

    Parameters
    ----------
    images, config, device
        As of `fit_tcvae`.
    folder : Path
        Where such models are kept, each in a folder named after what made it; an unfinished one goes on.

    Returns
    -------
    TCVAE
        In eval mode.
    """
    made_of = hash_value([config.model_dump(mode="json"), images.fingerprint()])
    place = folder / f"tcvae-{made_of[:16]}"
    if not (place / FILE).exists():
        fit_tcvae(images, config, place, device=device).save(place)
    return TCVAE.load(place, device)
