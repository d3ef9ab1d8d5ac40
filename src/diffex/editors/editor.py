"""The contract of editors: invert once, edit many times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
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
    residual : Tensor, optional
        ``(n, c, h, w)`` grey values: what rendering misses of the images, added to every rendering.
    """

    ids: tuple[str, ...]
    codes: Tensor
    noise: Tensor
    residual: Tensor | None = None

    def __len__(self) -> int:
        """Count the images."""
        return len(self.ids)

    def rows(self, start: int, stop: int) -> "Inversion":
        """Give some consecutive images."""
        return self.take(range(*slice(start, stop).indices(len(self))))

    def take(self, positions: Sequence[int]) -> "Inversion":
        """Give some images by position."""
        index = torch.as_tensor(positions)
        residual = None if self.residual is None else self.residual[index]
        return Inversion(
            tuple(self.ids[i] for i in positions), self.codes[index], self.noise[index], residual
        )


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


@runtime_checkable
class JointEditor(Editor, Protocol):
    """Renders several edits in one batch, which costs less than one after the other."""

    def edits(self, inversion: Inversion, changes: Sequence[tuple[Concept, float]]) -> Tensor:
        """Render m edits of n images, ``(m, n, c, h, w)`` grey values."""
        ...


def edits_together(editor: Editor, inversion: Inversion, changes: Sequence[tuple[Concept, float]]) -> Tensor:
    """Render several edits of the same images, in one batch where the editor can.

    Parameters
    ----------
    editor : Editor
        What renders.
    inversion : Inversion
        Of n images.
    changes : sequence of (Concept, float)
        m concepts with their strengths.

    Returns
    -------
    Tensor
        ``(m, n, c, h, w)`` grey values.
    """
    if isinstance(editor, JointEditor):
        return editor.edits(inversion, changes)
    return torch.stack([editor.edit(inversion, concept, strength) for concept, strength in changes])
