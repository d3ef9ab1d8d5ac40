"""What a model is asked, in two stages: propose, then expand."""

from collections.abc import Sequence
from typing import Any

ITEMS_PER_CALL = 6


def propose_prompt(domain: str | None, legend: str) -> str:
    """Ask for categories and their items.

    Parameters
    ----------
    domain : str or None
        What the images show.
    legend : str
        What colours mean; may be empty.

    Returns
    -------
    str
        After the prompt of Kazimi et al. 2025 (DiffEx), table G.
    """
    shown = f"images of this domain: {domain}" if domain else "images of one domain"
    return (
        "You are an expert at finding features that matter for text-based image editing with diffusion "
        f"models. You are given {shown}. {legend}"
        "Analyse them and list the visible features that define the domain and differ between its members: "
        "broad categories, and under each the items that an editor could add to an image or change in it. "
        "Do not restrict yourself to what this sample happens to show: name all features of the domain. "
        "An item is a plain phrase of one to five words that makes sense on its own. "
        'Answer with JSON only: {"categories": [{"name": "category", "items": ["item", ...]}, ...]}.'
    )


def expand_prompt(domain: str | None, items: Sequence[str]) -> str:
    """Ask for the kinds of some items.

    Parameters
    ----------
    domain : str or None
        What the images show.
    items : sequence of str
        At most `ITEMS_PER_CALL`.

    Returns
    -------
    str
        The prompt.
    """
    of = f" in images of this domain: {domain}" if domain else ""
    listed = "\n".join(f"- {item}" for item in items)
    return (
        f"These are features that can be edited into images{of}:\n{listed}\n"
        "For each of them list up to 25 finer kinds or values, each a plain phrase of one to five words that "
        "makes sense on its own. Leave the list empty where there are none. "
        'Answer with JSON only: {"expansions": [{"item": "feature", "values": ["kind", ...]}, ...]}.'
    )


def list_schema(field: str, key: str, content: str) -> dict[str, Any]:
    """Give the JSON schema of a list of named lists.

    Parameters
    ----------
    field : str
        The only field of the answer.
    key, content : str
        Fields of its members: a text, and a list of texts.

    Returns
    -------
    dict
        Every field required and no other allowed, as strict servers want it.
    """
    texts = {"type": "array", "items": {"type": "string"}}
    member = _object({key: {"type": "string"}, content: texts})
    return _object({field: {"type": "array", "items": member}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
