"""Phrases known in advance, with the measurement that each should move."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, final

import yaml

from diffex.measurements import channel_slugs, nucleus_channel

_ROLE = re.compile(r"\{(\w+)\}")


@final
@dataclass(frozen=True)
class Pair:
    """Two phrases that mean more and less of one measurement.

    Parameters
    ----------
    under : tuple of str
        Names of the groups above, from the top.
    more, less : str
        The phrases.
    measurement : str or None
        The column they move, without its unit of length; None where nothing measures it.
    channel : int or None
        The channel it is read in; None for shapes.
    """

    under: tuple[str, ...]
    more: str
    less: str
    measurement: str | None = None
    channel: int | None = None


@final
@dataclass(frozen=True)
class Ontology:
    """Templates of pairs, and how channels are told by their names.

    Parameters
    ----------
    name : str
        ``"microscopy"``, ``"fields"`` or ``"general"``.
    words : tuple of str
        Words of a domain that ask for this ontology.
    roles : mapping of str to list of str
        Role of a channel, and what one of that role holds in its name; a channel that fits none is ``other``.
    templates : tuple of mapping
        Each with ``under``, ``more``, ``less`` and perhaps ``measurement``, with roles in braces.
    """

    name: str
    words: tuple[str, ...]
    roles: Mapping[str, Sequence[str]]
    templates: tuple[Mapping[str, str], ...]

    def pairs(self, channel_names: Sequence[str]) -> Iterator[Pair]:
        """Fill in the channels.

        Parameters
        ----------
        channel_names : sequence of str
            Names of the images' channels.

        Yields
        ------
        Pair
            A template with a role in its phrases once per channel of that role, the others once.
        """
        nuclear = nucleus_channel(channel_names)
        words = (
            {"object": "cell", "objects": "cells", "column": "object"}
            if nuclear is None
            else {"object": "nucleus", "objects": "nuclei", "column": "nucleus"}
        )
        by_role = self._by_role(channel_names, nuclear)
        for template in self.templates:
            yield from _filled(template, by_role, words, channel_names)

    def _by_role(self, names: Sequence[str], nuclear: int | None) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {"channel": list(range(len(names)))}
        for index, name in enumerate(names):
            fitting = [r for r, parts in self.roles.items() if any(part in name.lower() for part in parts)]
            for role in ["nuclear"] if index == nuclear else fitting or ["other"]:
                found.setdefault(role, []).append(index)
        return found


_OBJECT = ("object", "objects", "column")


def read_ontology(name: str) -> Ontology:
    """Read an ontology that comes with the package.

    Parameters
    ----------
    name : {"microscopy", "fields", "general"}
        Which one.

    Returns
    -------
    Ontology
        Its templates.

    Examples
    --------
    >>> pairs = read_ontology("general").pairs(["red", "green", "blue"])
    >>> next(pairs).more
    'red tint'
    """
    file = resources.files("diffex") / "presets" / f"ontology_{name}.yaml"
    fields: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    roles = fields["roles"]
    if isinstance(roles, str):  # those of another
        roles = read_ontology(roles).roles
    return Ontology(name, tuple(fields["words"]), roles, tuple(fields["pairs"]))


def _filled(
    template: Mapping[str, str],
    by_role: Mapping[str, list[int]],
    words: Mapping[str, str],
    channel_names: Sequence[str],
) -> Iterator[Pair]:
    roles = [role for role in _ROLE.findall(" ".join(template.values())) if role not in _OBJECT]
    if not roles:
        yield _pair(template, None, words, words)
        return
    role, slugs = roles[0], channel_slugs(channel_names)
    channels = by_role.get(role, [])
    for index in channels if f"{{{role}}}" in template["more"] else channels[:1]:
        named = {**words, role: channel_names[index]}
        yield _pair(template, index, named, {**words, role: slugs[index]})


def _pair(
    template: Mapping[str, str], channel: int | None, words: Mapping[str, str], columns: Mapping[str, str]
) -> Pair:
    def fill(text: str) -> str:
        return text.format(**words)

    measurement = template.get("measurement")
    return Pair(
        tuple(fill(part) for part in template["under"].split("/")),
        fill(template["more"]),
        fill(template["less"]),
        None if measurement is None else measurement.format(**columns),
        channel,
    )
