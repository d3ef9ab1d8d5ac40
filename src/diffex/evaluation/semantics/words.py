"""Which planted factor a phrase names."""

from diffex.images.planted_captions import CELL_WORDS
from diffex.images.planted_factors import FACTORS


def factor_of(phrase: str | None) -> tuple[int, int] | None:
    """Find the planted factor that a phrase names.

    Parameters
    ----------
    phrase : str or None
        As the text editor is given it.

    Returns
    -------
    (int, int) or None
        Position of the factor and +1 or -1 for more or less of it; None where it names none.

    Examples
    --------
    >>> factor_of("small nucleus")
    (0, -1)
    """
    for j, name in enumerate(FACTORS):
        for sense, own in zip((1, -1), CELL_WORDS[name], strict=True):
            if phrase == own:
                return j, sense
    return None
