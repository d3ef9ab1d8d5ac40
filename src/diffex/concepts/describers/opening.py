"""A describer from one line of text."""

from pathlib import Path

from diffex.base.errors import InputError
from diffex.concepts.describers.describer import Describer
from diffex.concepts.describers.local_vision import LocalDescriber
from diffex.concepts.describers.offline import OfflineDescriber
from diffex.concepts.describers.openai_server import OpenAIDescriber
from diffex.measurements import View


def open_describer(address: str = "offline", *, cache: Path | None = None, view: View = "cell") -> Describer:
    """Make a describer.

    Parameters
    ----------
    address : str, default "offline"
        ``offline``, ``openai:MODEL``, ``openai:MODEL@URL`` or ``hf:ORG/NAME`` (or ``hf:FOLDER``).
    cache : Path, optional
        Folder where answers of models are kept, so that a second run asks nothing; None keeps none.
    view : {"cell", "field"}, default "cell"
        What the images show; chooses the phrases of ``offline``.

    Returns
    -------
    Describer
        Ready to describe; nothing is asked or loaded yet.

    Raises
    ------
    InputError
        If the address is none of these.

    Examples
    --------
    >>> open_describer("openai:qwen2-vl@http://localhost:8000/v1").base_url
    'http://localhost:8000/v1'
    """
    kind, _, name = address.partition(":")
    if kind == "openai" and name:
        model, at, url = name.partition("@http")
        return OpenAIDescriber(model, f"http{url}" if at else None, cache=cache)
    if kind == "hf" and name:
        return LocalDescriber(name, cache=cache)
    if address == "offline":
        return OfflineDescriber(view=view)
    raise InputError(
        f"Describer got {address!r}, expected offline, openai:MODEL, openai:MODEL@URL or hf:ORG/NAME."
    )
