"""What words say about planted cells and scenes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.images.planted_factors import FACTORS
from diffex.images.planted_scenes import SCENE_FACTORS

Words = dict[str, tuple[str, str]]

CELL_WORDS: Words = {
    "nucleus_area": ("large nucleus", "small nucleus"),
    "nucleus_eccentricity": ("elongated nucleus", "round nucleus"),
    "nucleus_intensity": ("bright nucleus", "dim nucleus"),
    "chromatin_granularity": ("grainy chromatin", "smooth chromatin"),
    "cell_area": ("large cell", "small cell"),
    "cell_roughness": ("ragged cell edge", "smooth cell edge"),
    "puncta_number": ("many puncta", "few puncta"),
    "puncta_intensity": ("bright puncta", "faint puncta"),
    "puncta_radius": ("peripheral puncta", "perinuclear puncta"),
    "cytoplasm_intensity": ("bright cytoplasm", "dim cytoplasm"),
    "background_gradient": ("uneven background", "even background"),
    "debris": ("bright debris", "no debris"),
}
"""Phrases for a large and for a small value of each factor of a planted cell."""

SCENE_WORDS: Words = {
    "crowding": ("crowded cells", "sparse cells"),
    "dividing": ("dividing cell", "no dividing cell"),
    "debris": ("scattered specks", "clean field"),
}
"""Phrases for a large and for a small value of each factor of a planted scene."""

_CLEAR = 0.6  # standard deviations: what is near the middle is not worth a word


def cell_phrases(factors: ArrayLike) -> list[tuple[str, ...]]:
    """Say what is remarkable about planted cells.

    Parameters
    ----------
    factors : array_like, shape (n, 12)
        In standard deviations.

    Returns
    -------
    list of tuple of str, length n
        The phrases that hold.
    """
    return phrases_of(np.asarray(factors, dtype=np.float64), [CELL_WORDS[name] for name in FACTORS])


def scene_phrases(factors: ArrayLike) -> list[tuple[str, ...]]:
    """Say what is remarkable about planted scenes.

    Parameters
    ----------
    factors : array_like, shape (n, 3)
        In standard deviations.

    Returns
    -------
    list of tuple of str, length n
        The phrases that hold.
    """
    return phrases_of(np.asarray(factors, dtype=np.float64), [SCENE_WORDS[name] for name in SCENE_FACTORS])


def phrases_of(
    values: NDArray[np.float64], words: Sequence[tuple[str, str]], clear: float = _CLEAR
) -> list[tuple[str, ...]]:
    """Say for each row which values are clearly high or low.

    Parameters
    ----------
    values : ndarray, shape (n, m)
        In standard deviations from the mean; NaN says nothing.
    words : sequence of (str, str), length m
        Phrase for a high and for a low value of each column; an empty one is left out.
    clear : float, default 0.6
        Standard deviations from which a value is worth a word.

    Returns
    -------
    list of tuple of str, length n
        The phrases that hold.

    Examples
    --------
    >>> import numpy as np
    >>> phrases_of(np.array([[1.0, -2.0], [0.0, np.nan]]), [("large", "small"), ("bright", "dim")])
    [('large', 'dim'), ()]
    """
    said: list[tuple[str, ...]] = []
    for row in values:
        found = [
            high if v > clear else low if v < -clear else ""
            for v, (high, low) in zip(row, words, strict=True)
        ]
        said.append(tuple(phrase for phrase in found if phrase))
    return said
