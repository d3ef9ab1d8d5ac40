"""Edits in the code of a total-correlation VAE, in canonical pose."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from diffex.concepts import Concept
from diffex.editors.editor import Inversion
from diffex.generators.tcvae.tcvae import TCVAE


@final
@dataclass(frozen=True, eq=False)
class TCVAEEditor:
    """Move the code, decode, add what decoding missed of the image.

    The decoder gives a blurred mean; with what it missed added, the null edit is the image itself, in the
    pose that the code is about.

    Parameters
    ----------
    model : TCVAE
        Encodes and decodes.
    """

    model: TCVAE

    @property
    def evaluations(self) -> int:
        """Network evaluations per rendered image."""
        return 1

    def invert(self, x: Tensor, ids: tuple[str, ...]) -> Inversion:
        """Encode images and keep what the decoder misses.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` grey values.
        ids : tuple of str
            Their names.

        Returns
        -------
        Inversion
            Without noise: the decoder draws none.
        """
        codes = self.model.encode(x)
        return Inversion(
            ids, codes, x.new_zeros(len(x), 1, 1, 1), self.model.posed(x) - self.model.decode(codes)
        )

    def null(self, inversion: Inversion) -> Tensor:
        """Render without an edit, ``(n, c, h, w)`` grey values."""
        return self._render(inversion, inversion.codes)

    def edit(self, inversion: Inversion, concept: Concept, strength: float) -> Tensor:
        """Render with the code moved along a concept, ``(n, c, h, w)`` grey values."""
        return self._render(inversion, inversion.codes + strength * concept.direction)

    def _render(self, inversion: Inversion, codes: Tensor) -> Tensor:
        assert inversion.residual is not None
        return (self.model.decode(codes) + inversion.residual).clamp(*self.model.pixels.value_range)
