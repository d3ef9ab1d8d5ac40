"""The contract of editors: invert once, edit many times."""

from dataclasses import dataclass
from typing import Protocol, final

from torch import Tensor

from diffex.concepts import Concept


@final
@dataclass(frozen=True, eq=False)
class Inversion:
    """What an editor needs to render images again, edited or not; never changed.

    Parameters
    ----------
    ids : tuple of str
        Of the images.
    codes : Tensor
        ``(n, d)``.
    noise : Tensor
        ``(n, c, h, w)``.
    """

    ids: tuple[str, ...]
    codes: Tensor
    noise: Tensor

    def __len__(self) -> int:
        """Count the images."""
        return len(self.ids)

    def rows(self, start: int, stop: int) -> "Inversion":
        """Give some consecutive images."""
        return Inversion(self.ids[start:stop], self.codes[start:stop], self.noise[start:stop])


class Editor(Protocol):
    """Changes images along concepts."""

    def invert(self, x: Tensor, ids: tuple[str, ...]) -> Inversion:
        """Invert ``(n, c, h, w)`` grey values."""
        ...

    def null(self, inversion: Inversion) -> Tensor:
        """Render again without an edit: strength 0."""
        ...

    def edit(self, inversion: Inversion, concept: Concept, strength: float) -> Tensor:
        """Render with an edit, ``(n, c, h, w)`` grey values; strength 0 equals `null` exactly."""
        ...

    @property
    def evaluations(self) -> int:
        """Network evaluations per rendered image."""
        ...
