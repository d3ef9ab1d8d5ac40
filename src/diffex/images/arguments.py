"""The command line's texts for columns and filters, as mappings."""

from collections.abc import Sequence

from diffex.base.errors import InputError


def parse_columns(text: str) -> dict[str, str]:
    """Parse ``--columns``.

    Parameters
    ----------
    text : str
        ``key=column`` pairs between commas; a key is ``path``, ``label``, ``group``, ``mask`` or the
        name of a channel that has its own files.

    Returns
    -------
    dict of str to str
        For `diffex.open_images`.

    Raises
    ------
    InputError
        If a pair is not of that form, or a key is given twice.

    Examples
    --------
    >>> parse_columns("path=file,label=drug")
    {'path': 'file', 'label': 'drug'}
    """
    columns: dict[str, str] = {}
    for pair in text.split(","):
        key, column = _pair(pair, "--columns", "path=file,label=drug")
        if key in columns:
            raise InputError(f"--columns names {key!r} twice, expected each key once: leave one out.")
        columns[key] = column
    return columns


def parse_where(texts: Sequence[str]) -> dict[str, list[str]]:
    """Parse every ``--where``.

    Parameters
    ----------
    texts : sequence of str
        Each ``column=value[,value]``.

    Returns
    -------
    dict of str to list of str
        For `diffex.open_images`: a row is kept if each column has one of its values.

    Raises
    ------
    InputError
        If a text is not of that form, or a column is given twice.

    Examples
    --------
    >>> parse_where(["split=train", "label=a,b"])
    {'split': ['train'], 'label': ['a', 'b']}
    """
    where: dict[str, list[str]] = {}
    for text in texts:
        column, values = _pair(text, "--where", "split=train or label=a,b")
        if column in where:
            raise InputError(
                f"--where names column {column!r} twice, expected each once: write {column}=value,value."
            )
        where[column] = [value.strip() for value in values.split(",")]
    return where


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise InputError(f"{option} got {text!r}, expected for example {example}.")
    return key, value
