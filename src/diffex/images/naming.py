"""Names of files as text that can be shown, stored and compared."""

from pathlib import Path


def clean_text(text: str) -> str:
    r"""Make a name valid Unicode.

    Parameters
    ----------
    text : str
        A file name, which may hold surrogate escapes (bytes that are not UTF-8).

    Returns
    -------
    str
        The same text, where surrogates are written as ``\udcff``; it can always be encoded as UTF-8.

    Examples
    --------
    >>> clean_text("cell\udcff.png")
    'cell\\udcff.png'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(name: str | Path) -> str:
    r"""Make a name fit for one line of a message.

    Parameters
    ----------
    name : str or Path
        Any file name, hostile ones included.

    Returns
    -------
    str
        The name, with line ends, terminal escapes and surrogates written as escapes.

    Examples
    --------
    >>> shown("two\nlines.png")
    'two\\nlines.png'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))
