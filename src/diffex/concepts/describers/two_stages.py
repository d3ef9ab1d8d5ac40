"""From pictures to a tree: a model proposes, then expands what it proposed."""

from collections.abc import Mapping
from functools import partial

from diffex.base.progress import progress
from diffex.concepts.describers.answers import clean, parse_expansions, parse_proposal
from diffex.concepts.describers.dialogue import Dialogue, Question
from diffex.concepts.describers.pictures import Pictures
from diffex.concepts.describers.prompts import ITEMS_PER_CALL, expand_prompt, list_schema, propose_prompt
from diffex.concepts.tree import ConceptTree

_LONGEST_DOMAIN = 200


def ask_for_tree(dialogue: Dialogue, pictures: Pictures, domain: str | None) -> ConceptTree:
    """Ask for categories and items with the pictures, then for kinds of the items, 6 per call.

    Parameters
    ----------
    dialogue : Dialogue
        With the model.
    pictures : Pictures
        Some of the images.
    domain : str or None
        What they show.

    Returns
    -------
    ConceptTree
        Categories as groups, items and their kinds as phrases; no phrase stands twice, whatever its case.

    Raises
    ------
    InputError
        If an answer cannot be used after 3 tries.

    Notes
    -----
    The two stages are those of the released code of Kazimi et al. 2025 (DiffEx): 1 + sum over categories of
    ceil(items / 6) calls.
    """
    domain = clean(domain or "", _LONGEST_DOMAIN) or None
    prompt = propose_prompt(domain, pictures.legend)
    schema = list_schema("categories", "name", "items")
    proposal = dialogue.answer(Question("propose", prompt, schema, pictures.pngs), parse_proposal)
    calls = [
        items[start : start + ITEMS_PER_CALL]
        for items in proposal.values()
        for start in range(0, len(items), ITEMS_PER_CALL)
    ]
    kinds: dict[str, list[str]] = {}
    for items in progress(calls, "Asking for finer phrases"):
        kinds |= _expanded(dialogue, items, domain)
    return _tree(proposal, kinds)


def _expanded(dialogue: Dialogue, items: list[str], domain: str | None) -> dict[str, list[str]]:
    question = Question("expand", expand_prompt(domain, items), list_schema("expansions", "item", "values"))
    return dialogue.answer(question, partial(parse_expansions, items=items))


def _tree(proposal: Mapping[str, list[str]], kinds: Mapping[str, list[str]]) -> ConceptTree:
    seen = {item.casefold() for items in proposal.values() for item in items}
    categories: dict[str, dict[str, list[str]]] = {}
    for category, items in proposal.items():
        categories[category] = {}
        for item in items:
            new = [kind for kind in kinds[item] if kind.casefold() not in seen]
            seen.update(kind.casefold() for kind in new)
            categories[category][item] = new
    return ConceptTree.from_dict({"categories": categories})
