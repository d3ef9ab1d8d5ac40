"""What became of an edit, in a sign and words."""

from dataclasses import dataclass
from typing import Any, final

from diffex.report.numbers import NONE


@final
@dataclass(frozen=True)
class Verdict:
    """Whether an edit may be believed.

    Parameters
    ----------
    mark : str
        A sign for the eye.
    words : str
        The same for everyone.
    """

    mark: str
    words: str


_KNOWN = {
    "done": Verdict("✓", "done"),
    "failed": Verdict("✗", "failed"),
    "leaks": Verdict("≈", "leaks"),
    "unchecked": Verdict("?", "nobody can check"),
}


def verdict(word: Any) -> Verdict:
    """Say what became of an edit.

    Parameters
    ----------
    word : str or None
        As the table of effects has it, if it has it.

    Returns
    -------
    Verdict
        An unknown word stands for itself, a dash for none.

    Examples
    --------
    >>> verdict("unchecked").words
    'nobody can check'
    """
    return _KNOWN.get(word, Verdict("", word if isinstance(word, str) else NONE))
