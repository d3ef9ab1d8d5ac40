"""A named quantity with a unit, and names that fit a column."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

Kind = Literal["size", "shape", "intensity", "ratio", "texture", "puncta", "position", "extent", "own"]


@final
@dataclass(frozen=True)
class Quantity:
    """What one column of a table of measurements means.

    Parameters
    ----------
    name : str
        The column: lower case ASCII and underscores, unique in its table, for example ``"area_um2"``.
    words : str
        The same in a sentence, for example ``"nucleus/ring ratio of FKHR"``.
    unit : str
        ``"um"``, ``"um2"``, ``"px"``, ``"grey levels"``, ``"log2"``, ``"count"``, or empty for a pure number.
    kind : {"size", "shape", "intensity", "ratio", "texture", "puncta", "position", "extent", "own"}
        Its family: ``size`` and ``shape`` are those of the object, ``extent`` those of what a channel stains,
        ``own`` those of a user's function.
    log : bool
        Whether a change reads best as a percentage or fold.
    """

    name: str
    words: str
    unit: str
    kind: Kind
    log: bool


def slug(text: str) -> str:
    """Turn any text into lower case ASCII with underscores.

    Parameters
    ----------
    text : str
        For example a channel name.

    Returns
    -------
    str
        Letters, digits and single underscores; empty where nothing of `text` is left.

    Examples
    --------
    >>> slug("FKHR-EGFP (488 nm)")
    'fkhr_egfp_488_nm'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_text.lower()).strip("_")


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Number the names that repeat an earlier one.

    Parameters
    ----------
    names : sequence of str
        Names in order.

    Returns
    -------
    tuple of str
        The same names; a repeated one gets ``_2``, ``_3``...

    Examples
    --------
    >>> unique(["a", "b", "a", "a_2"])
    ('a', 'b', 'a_2', 'a_2_2')
    """
    taken: dict[str, None] = {}
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken[candidate] = None
    return tuple(taken)


def channel_slugs(channel_names: Sequence[str]) -> tuple[str, ...]:
    """Give each channel a unique column-safe name.

    Parameters
    ----------
    channel_names : sequence of str
        Original names.

    Returns
    -------
    tuple of str
        Their `slug`, or ``ch<position>`` where nothing ASCII is left of a name.

    Examples
    --------
    >>> channel_slugs(["DNA", "dna", "核"])
    ('dna', 'dna_2', 'ch2')
    """
    return unique([slug(name) or f"ch{position}" for position, name in enumerate(channel_names)])
