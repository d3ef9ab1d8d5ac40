"""Text from a model is data: found, checked, cleaned, cut to size. Never run."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

LONGEST_ANSWER = 200_000
_MOST_STARTS = 1000
_LONGEST_PHRASE = 80
_MOST_CATEGORIES, _MOST_ITEMS, _MOST_SUBS = 20, 20, 25


class AnswerError(ValueError):
    """An answer that cannot be used; the model may be asked again. Never leaves the describers."""


class _Category(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    items: list[str]


class _Proposal(BaseModel):
    model_config = ConfigDict(strict=True)

    categories: list[_Category]


class _Expansion(BaseModel):
    model_config = ConfigDict(strict=True)

    item: str
    values: list[str]


class _Expansions(BaseModel):
    model_config = ConfigDict(strict=True)

    expansions: list[_Expansion]


def parse_proposal(text: str) -> dict[str, list[str]]:
    """Read categories and their items out of an answer.

    Parameters
    ----------
    text : str
        JSON, perhaps with prose around it: ``{"categories": [{"name", "items"}]}`` or, as published,
        ``{"categories": {name: [items]}}``.

    Returns
    -------
    dict of str to list of str
        At most 20 categories of at most 20 items; no text stands twice, whatever its case.

    Raises
    ------
    AnswerError
        If there is no such JSON, or nothing is left of it.

    Examples
    --------
    >>> parse_proposal('Sure! {"categories": {"Hair": ["curly hair", "Curly  hair"]}}')
    {'Hair': ['curly hair']}
    """
    for value in _objects(text):
        try:
            categories = _Proposal.model_validate(_listed(value, "categories", "name", "items")).categories
        except ValidationError:
            continue
        return _proposed(categories)
    raise AnswerError('no JSON of the form {"categories": [{"name": text, "items": [texts]}]} was found')


def parse_expansions(text: str, items: Iterable[str]) -> dict[str, list[str]]:
    """Read the sub-items of some items out of an answer.

    Parameters
    ----------
    text : str
        JSON, perhaps with prose around it: ``{"expansions": [{"item", "values"}]}`` or ``{item: [values]}``.
    items : iterable of str
        What was asked for; what the answer adds is left out.

    Returns
    -------
    dict of str to list of str
        At most 25 sub-items for each of `items`, perhaps none.

    Raises
    ------
    AnswerError
        If there is no such JSON, or it names none of `items`.

    Examples
    --------
    >>> parse_expansions('{"hat": ["beret", "hat", "top hat"], "shoe": ["boot"]}', ["hat"])
    {'hat': ['beret', 'top hat']}
    """
    asked = {item.casefold(): item for item in items}
    for value in _objects(text):
        inner = value if "expansions" in value else {"expansions": value}
        try:
            found = _Expansions.model_validate(_listed(inner, "expansions", "item", "values")).expansions
        except ValidationError:
            continue
        named = {clean(one.item).casefold(): one.values for one in found}
        if named.keys() & asked.keys():
            return {item: _phrases(named.get(key, []), {key}, _MOST_SUBS) for key, item in asked.items()}
    raise AnswerError('no JSON of the form {"expansions": [{"item": text, "values": [texts]}]} was found')


def clean(text: str, longest: int = _LONGEST_PHRASE) -> str:
    r"""Strip what is no text, and cut.

    Parameters
    ----------
    text : str
        Anything.
    longest : int, default 80
        Most characters kept.

    Returns
    -------
    str
        Printable characters with single spaces between words; perhaps empty.

    Examples
    --------
    >>> clean("  large\x00\n nucleus\u202e")
    'large nucleus'
    """
    start = unicodedata.normalize("NFC", text[: 4 * longest])
    kept = "".join(c for c in re.sub(r"\s+", " ", start) if c.isprintable())
    return " ".join(kept.split())[:longest].strip()


def _proposed(categories: Iterable[_Category]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    names: set[str] = set()
    seen: set[str] = set()
    for category in categories:
        for name in _phrases([category.name], names, 1):
            items = _phrases(category.items, seen, _MOST_ITEMS)
            if items and len(found) < _MOST_CATEGORIES:
                found[name] = items
    if not found:
        raise AnswerError("the answer holds no usable phrase")
    return found


def _phrases(texts: Iterable[str], seen: set[str], most: int) -> list[str]:
    """Clean and keep what is new; half of a text that is too long would mean something else."""
    kept: list[str] = []
    for text in texts:
        phrase = clean(text, _LONGEST_PHRASE + 1)
        fits = len(phrase) <= _LONGEST_PHRASE and any(c.isalnum() for c in phrase)
        if fits and phrase.casefold() not in seen and len(kept) < most:
            seen.add(phrase.casefold())
            kept.append(phrase)
    return kept


def _listed(value: Mapping[str, Any], field: str, key: str, content: str) -> dict[str, Any]:
    """Turn the published form, a mapping, into the one that is asked for, a list of objects."""
    inner = value.get(field)
    if isinstance(inner, Mapping):
        inner = [{key: name, content: values} for name, values in inner.items()]
    return {field: inner}


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Find every JSON object in a text, outermost first, from the left."""
    decoder = json.JSONDecoder()
    place, starts = text.find("{"), 0
    while place >= 0 and starts < _MOST_STARTS:
        starts += 1
        try:
            value, end = decoder.raw_decode(text[:LONGEST_ANSWER], place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield value
        place = text.find("{", end)
