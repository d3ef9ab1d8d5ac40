"""Factors learnt from the images: latents of a total-correlation VAE, and edits through its decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from diffex.base.errors import InputError
from diffex.concepts import Concept
from diffex.concepts.sources.making import make
from diffex.effects.arrays import FloatArray
from diffex.explainers.preparing import shape_channel
from diffex.explainers.rules.directions import KIND
from diffex.explainers.rules.factors import described
from diffex.generators.tcvae.config import TCVAEConfig
from diffex.generators.tcvae.fitting import kept_tcvae
from diffex.generators.tcvae.loss import active
from diffex.generators.tcvae.tcvae import TCVAE
from diffex.images import Images
from diffex.rules.factors import Factor, Factors

_FEWEST = 100
_SETTINGS: dict[str, Any] = {"latents": 10, "beta": 8.0, "side": 32, "pose": "canonical"}
_REACH = (-2.0, -1.0, 0.0, 1.0, 2.0)


@final
@dataclass(frozen=True, eq=False)
class Learnt:
    """Used latents of a VAE, as factors of n images.

    Parameters
    ----------
    model : TCVAE
        Encodes and decodes.
    places : tuple of int
        Which latents are used, those that carry most first.
    factors : Factors
        Of them: ``z1`` and so on, in the units of the prior's standard deviation.
    """

    model: TCVAE
    places: tuple[int, ...]
    factors: Factors

    def requests(self, names: Sequence[str], read: Sequence[str]) -> list[tuple[Concept, FloatArray]]:
        """Ask for one standard deviation more of each factor alone.

        Parameters
        ----------
        names : sequence of str
            Factors to be moved.
        read : sequence of str
            Factors whose change is wanted, in order.

        Returns
        -------
        list of (Concept, ndarray of shape (len(read),))
            Directions of the VAE's code, and the change each asks for at strength 1.
        """
        found = []
        for name in names:
            row = self.factors.names.index(name)
            reach = float(self.factors.values[:, row].std())
            concept = make(KIND, np.eye(self.model.latents)[[self.places[row]]], [name], [name])[0]
            found.append((concept.scaled(reach), np.array([reach * (other == name) for other in read])))
        return found

    def traversals(self, names: Sequence[str]) -> Tensor:
        """Decode the mean code with one factor moved from -2 to 2 standard deviations.

        Parameters
        ----------
        names : sequence of str
            F factors.

        Returns
        -------
        Tensor
            ``(F, 5, c, h, w)`` grey values, in canonical pose.
        """
        values = self.factors.columns(names).values
        codes = torch.zeros(len(names), len(_REACH), self.model.latents)
        codes[..., list(self.places)] = torch.from_numpy(self.factors.values.mean(axis=0)).float()
        for i, name in enumerate(names):
            place = self.places[self.factors.names.index(name)]
            codes[i, :, place] += torch.tensor(_REACH) * float(values[:, i].std())
        return torch.stack([self.model.decode(code) for code in codes])


def learn_factors(
    images: Images, fitting: Images, measured: Factors, folder: Path, seed: int, device: torch.device
) -> Learnt:
    """Train a VAE, or open the one trained before, and describe its latents.

    Parameters
    ----------
    images : Images
        N images that get factors.
    fitting : Images
        Those of them that it may learn from.
    measured : Factors
        Of all of them, to describe latents by.
    folder : Path
        Where VAEs are kept.
    seed : int
        Of the training.
    device : torch.device
        Where to train.

    Returns
    -------
    Learnt
        Unused latents are left out.

    Raises
    ------
    InputError
        If images are too few to learn from, or no latent is used.
    """
    if len(fitting) < _FEWEST:
        raise InputError(
            f"Got {len(fitting)} images to learn factors from, expected at least {_FEWEST}: "
            "add images, or take --factors measurements."
        )
    config = TCVAEConfig(seed=seed, pose_channel=shape_channel(images), **_SETTINGS)
    model = kept_tcvae(fitting, config, folder, device=device)
    mean, places = _used(model, images)
    if not places:
        raise InputError(
            "The images teach the VAE no factor, so that all look alike to it: check that objects stand out "
            "in the middle of their crops, or take --factors measurements."
        )
    values = mean[:, list(places)].double().numpy()
    words = described(values, measured)
    meanings = tuple(Factor(f"z{i + 1}", said) for i, said in enumerate(words))
    return Learnt(model, places, Factors(meanings, values))


def _used(model: TCVAE, images: Images) -> tuple[Tensor, tuple[int, ...]]:
    """Mean codes of all images, and the latents in use, those that vary most first."""
    parts = [model.posterior(x) for _, x in images.batches(256)]
    mean, log_variance = (torch.cat(part) for part in zip(*parts, strict=True))
    used = active(mean, log_variance)
    order = mean.std(dim=0).argsort(descending=True).tolist()
    return mean, tuple(int(j) for j in order if used[j])
