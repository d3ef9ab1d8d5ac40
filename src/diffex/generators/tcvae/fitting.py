"""Train a total-correlation VAE."""

from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffex.generators.pixels import PixelTransform
from diffex.generators.tcvae.config import TCVAEConfig
from diffex.generators.tcvae.loss import annealed, decompose, kl_per_latent, pixel_loss
from diffex.generators.tcvae.pose import canonical_pose
from diffex.generators.tcvae.tcvae import TCVAE
from diffex.images import Images
from diffex.images.augment import augment
from diffex.training import TrainConfig, train


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

    def __init__(self, model: TCVAE, count: int) -> None:
        super().__init__()
        self.model = model
        self._count = count

    def forward(
        self, step: int, generator: torch.Generator, seen: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """Compute the losses of one batch.

        The loss is the negative evidence bound with its KL term in closed form, plus ``beta - 1`` times the
        total correlation: in expectation the published one, with less noise, and at ``beta = 1`` a plain VAE.

        Parameters
        ----------
        step : int
            `beta` grows over the first third of the training.
        generator : torch.Generator
            Of the codes' noise.
        seen, target : Tensor
            ``(n, c, h, w)`` grey values: what is encoded, what is to be decoded.

        Returns
        -------
        dict of str to Tensor
            ``loss`` in nats per pixel and channel; its parts in nats per image.
        """
        model, config = self.model, self.model.config
        mean, log_variance = model.encoder(model.prepare(seen))
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        z = mean + noise * (0.5 * log_variance).exp()
        image = model.prepare(target)
        pixels = pixel_loss(image, model.decoder(z), model.noise()).mean()
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
        The fitting images; labels are not used.
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

    def read(positions: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        x = images.read(positions)
        if config.pose == "none":
            return {"seen": x, "target": x}
        return {"seen": canonical_pose(augment(x, "dihedral", generator)), "target": canonical_pose(x)}

    length = TrainConfig(
        steps=config.steps, batch_size=config.batch_size, lr=config.lr, weight_decay=0.0, seed=config.seed
    )
    settings = {**config.model_dump(mode="json"), "pixels": images.fingerprint()}
    task = TCVAETask(model, len(images))
    train(task, read, len(images), length, folder, device=device, what="TC-VAE", settings=settings)
    return model.requires_grad_(False)
