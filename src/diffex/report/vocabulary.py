"""What the report calls things: attributes of cells, or phrases edited into images."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Vocabulary:
    """The words of a method.

    Parameters
    ----------
    thing : str
        What is ranked.
    picture : str
        What is edited.
    forward, backward : str
        The two ways of an edit.
    explained : str
        What the effect is, beside the change of the margin, and what the two ways are.
    nothing : str
        Said where nothing is significant.
    score : str
        What the score of a picture is; empty where its name says it.
    most, least : str
        Captions of the pictures with the largest and the smallest score.
    """

    thing: str
    picture: str
    forward: str
    backward: str
    explained: str
    nothing: str
    score: str
    most: str
    least: str

    def way(self, sign: float) -> str:
        """Name the way an edit goes along its concept.

        Parameters
        ----------
        sign : float
            +1 or -1.

        Returns
        -------
        str
            `forward` or `backward`.
        """
        return self.forward if sign > 0 else self.backward


_ATTRIBUTES = Vocabulary(
    thing="attribute",
    picture="cell",
    forward="forward",
    backward="backward",
    explained="Forward and backward are the two ways along an attribute. Max. strength: the largest edit "
    "that still looks like the data.",
    nothing="No attribute has an effect that chance, or an arbitrary edit of the same size, does not explain "
    "as well.",
    score="",
    most="Largest score: most of it",
    least="Smallest score: least of it",
)
_PHRASES = Vocabulary(
    thing="phrase",
    picture="image",
    forward="more of it",
    backward="less of it",
    explained="What the edit changes besides its phrase is taken out of the effect, and so is what it has in "
    "common with its reverse. More of it: the phrase is edited in. Less of it: its reverse, or its opposite. "
    "Edit: whether the edit did what its phrase says, and little else.",
    nothing="No phrase that could be edited in and checked has an effect that chance does not explain as "
    "well.",
    score="Score: whole change of the logit margin when the phrase is edited in.",
    most="Largest score: moved most toward the target",
    least="Smallest score: moved least toward the target, or away from it",
)


def vocabulary(method: str) -> Vocabulary:
    """Choose the words.

    Parameters
    ----------
    method : str
        Of the run.

    Returns
    -------
    Vocabulary
        Phrases and images for ``"semantics"``, attributes and cells for all others.
    """
    return _PHRASES if method == "semantics" else _ATTRIBUTES
