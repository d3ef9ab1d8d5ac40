"""What every source of phrases can do."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from diffex.concepts.tree import ConceptTree
from diffex.images.images import Images


class Describer(Protocol):
    """Propose phrases for some images."""

    @property
    def transcript(self) -> Sequence[Mapping[str, Any]]:
        """What was asked and answered so far, to be kept with the result; never a key or an image."""
        ...

    def describe(self, images: Images, domain: str | None = None) -> ConceptTree:
        """Propose a tree.

        Parameters
        ----------
        images : Images
            What the phrases shall be edited into.
        domain : str, optional
            What the images show, in a few words, for example ``"blood cells"``.

        Returns
        -------
        ConceptTree
            At least one phrase.

        Raises
        ------
        InputError
            If no phrase can be proposed.
        """
        ...
