"""One node of a tree of phrases."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from diffex.base.errors import InputError
from diffex.measurements.quantity import slug, unique

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)*")
_LONGEST = {"id": 400, "name": 120, "phrase": 200, "measurement": 200}
_LONGEST_PART = 80


@final
@dataclass(frozen=True)
class Node:
    """A phrase that may be edited into an image, or a group of such phrases.

    Parameters
    ----------
    id : str
        Unique path in lower case ASCII, for example ``"nucleus/size/large-nucleus"``.
    name : str
        For people; at most 120 characters.
    parent : str, optional
        Id of the node above; None at the top.
    phrase : str, optional
        What the text editor is given, at most 200 characters; None for a group, which is not edited itself.
    measurement : str, optional
        The quantity that the phrase should move: a column of `diffex.measurements.quantities`, its unit of
        length may be left out; None where nothing measures it.
    rises : bool, default True
        Whether the phrase means more of that quantity.

    Raises
    ------
    InputError
        If a text is empty, too long or not printable, or the id is no path.

    Examples
    --------
    >>> Node("nucleus/size/large-nucleus", "large nucleus", phrase="large nucleus", measurement="area").rises
    True
    """

    id: str
    name: str
    parent: str | None = None
    phrase: str | None = None
    measurement: str | None = None
    rises: bool = True

    def __post_init__(self) -> None:
        """Check the texts."""
        for field, longest in _LONGEST.items():
            text = getattr(self, field)
            if text is not None:
                _check_text(f"Concept tree: {field}", text, longest)
        if not _ID.fullmatch(self.id):
            raise InputError(
                f"Concept tree: id got {self.id!r}, expected lower case letters and digits joined by hyphens "
                "and slashes, for example nucleus/size/large-nucleus."
            )

    def as_dict(self) -> dict[str, Any]:
        """Give what differs from the defaults of `ConceptTree.from_dict`."""
        found: dict[str, Any] = {"id": self.id, "name": self.name}
        if self.parent != path_parent(self.id):
            found["parent"] = self.parent
        if self.phrase is not None:
            found["phrase"] = self.phrase
        if self.measurement is not None:
            found["measurement"] = self.measurement
        if not self.rises:
            found["rises"] = False
        return found


def path_parent(node_id: str) -> str | None:
    """Give the part of an id before its last slash; None where there is no slash.

    Parameters
    ----------
    node_id : str
        A path.

    Returns
    -------
    str or None
        The path above.

    Examples
    --------
    >>> path_parent("nucleus/size")
    'nucleus'
    """
    return node_id.rpartition("/")[0] or None


def path_names(names: Iterable[str]) -> list[str]:
    """Turn the names of siblings into last parts of ids.

    Parameters
    ----------
    names : iterable of str
        Names below one parent.

    Returns
    -------
    list of str
        One each, different from each other.

    Raises
    ------
    InputError
        If two names differ by case alone, or not at all.

    Examples
    --------
    >>> path_names(["T-shirt", "T shirt", "帽子"])
    ['t-shirt', 't-shirt-2', 'item']
    """
    listed = list(names)
    seen: set[str] = set()
    for name in listed:
        if name.casefold() in seen:
            raise InputError(f"Concept tree got {name[:60]!r} twice below one parent: remove one of them.")
        seen.add(name.casefold())
    parts = unique([slug(name)[:_LONGEST_PART].strip("_") or "item" for name in listed])
    return [part.replace("_", "-") for part in parts]


def _check_text(what: str, text: str, longest: int) -> None:
    if not text.strip() or len(text) > longest:
        raise InputError(f"{what} got {len(text)} characters, expected 1 to {longest}: {text[:60]!r}.")
    if not text.isprintable():
        raise InputError(f"{what} got {text[:60]!r}, expected printable characters only.")
