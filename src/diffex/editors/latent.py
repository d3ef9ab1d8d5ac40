"""Edits in the code of a diffusion autoencoder, on shared fresh noise or on inverted noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from diffex.base.noise import noise_for
from diffex.concepts import Concept
from diffex.editors.editor import Inversion
from diffex.generators import DiffusionAutoencoder


@final
@dataclass(frozen=True, eq=False)
class LatentEditor:
    """Move the code, render with the same noise on both sides.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Encodes and renders.
    noise : {"fresh", "inverted"}
        Fresh noise, drawn from image id and seed: cleaner statistics. Inverted noise shows the real cell:
        what rendering from it still misses is added, so that the null edit is the cell itself.
    depth : int, optional
        Network evaluations per image; default the generator's.
    seed : int
        Of fresh noise.
    """

    generator: DiffusionAutoencoder
    noise: Literal["fresh", "inverted"] = "fresh"
    depth: int | None = None
    seed: int = 0

    @property
    def evaluations(self) -> int:
        """Network evaluations per rendered image."""
        return self.depth or self.generator.config.depth

    def invert(self, x: Tensor, ids: tuple[str, ...]) -> Inversion:
        """Encode images and find or draw their noise.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` grey values.
        ids : tuple of str
            Their names; fresh noise depends on them.

        Returns
        -------
        Inversion
            Immutable; make it once per image.
        """
        codes = self.generator.encode(x)
        if self.noise == "fresh":
            return Inversion(ids, codes, noise_for(ids, self.generator.image_shape, "edit", self.seed))
        noise = self.generator.invert(x, codes, self.evaluations)
        return Inversion(ids, codes, noise, x - self.generator.decode(codes, noise, self.evaluations))

    def null(self, inversion: Inversion) -> Tensor:
        """Render without an edit.

        Parameters
        ----------
        inversion : Inversion
            Of n images.

        Returns
        -------
        Tensor
            ``(n, c, h, w)`` grey values.
        """
        return self.render(inversion, inversion.codes)

    def edit(self, inversion: Inversion, concept: Concept, strength: float) -> Tensor:
        """Render with the code moved along a concept.

        Parameters
        ----------
        inversion : Inversion
            Of n images.
        concept : Concept
            With a direction of the generator's code.
        strength : float
            Signed; 1 is the concept's calibrated strength.

        Returns
        -------
        Tensor
            ``(n, c, h, w)`` grey values.
        """
        return self.render(inversion, inversion.codes + strength * concept.direction)

    def edits(self, inversion: Inversion, changes: Sequence[tuple[Concept, float]]) -> Tensor:
        """Render with several edits in one batch.

        Parameters
        ----------
        inversion : Inversion
            Of n images.
        changes : sequence of (Concept, float)
            m concepts with their strengths.

        Returns
        -------
        Tensor
            ``(m, n, c, h, w)`` grey values.
        """
        codes = torch.cat([inversion.codes + strength * one.direction for one, strength in changes])
        many = inversion.take([*range(len(inversion))] * len(changes))
        return self.render(many, codes).reshape(len(changes), *inversion.noise.shape)

    def render(self, inversion: Inversion, codes: Tensor) -> Tensor:
        """Render images with other codes.

        Parameters
        ----------
        inversion : Inversion
            Of n images.
        codes : Tensor
            ``(n, d)``.

        Returns
        -------
        Tensor
            ``(n, c, h, w)`` grey values.
        """
        shown = self.generator.decode(codes, inversion.noise, self.evaluations)
        if inversion.residual is None:
            return shown
        return (shown + inversion.residual).clamp(*self.generator.pixels.value_range)
