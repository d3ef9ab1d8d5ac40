"""What a describer was asked and answered, ready to show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

_LONGEST = 20_000


@final
@dataclass(frozen=True)
class Turn:
    """One question with its answer.

    Parameters
    ----------
    facts : str
        Stage, model, pictures, tokens, where the answer came from, its fault.
    prompt, answer : str
        As they were; of very long ones, the beginning.
    """

    facts: str
    prompt: str
    answer: str


def turns(tree: Mapping[str, Any] | None) -> tuple[Turn, ...]:
    """Lay out the transcript of a describer.

    Parameters
    ----------
    tree : mapping or None
        ``tree.json``.

    Returns
    -------
    tuple of Turn
        In their order; none where nobody was asked.
    """
    kept = (tree or {}).get("transcript")
    known = kept if isinstance(kept, list) else []
    return tuple(_turn(entry) for entry in known if isinstance(entry, Mapping))


def _turn(entry: Mapping[str, Any]) -> Turn:
    facts = (
        str(entry.get("stage", "")),
        str(entry.get("model", "")),
        _counted(entry.get("pictures"), "picture"),
        "answer from the cache" if entry.get("cached") else _counted(entry.get("tokens"), "token"),
        f"could not be used: {entry['fault']}" if entry.get("fault") else "",
    )
    return Turn(
        facts=", ".join(fact for fact in facts if fact),
        prompt=_beginning(entry.get("prompt", "")),
        answer=_beginning(entry.get("answer", "")),
    )


def _counted(count: Any, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}" if isinstance(count, int) and count else ""


def _beginning(text: Any) -> str:
    whole = str(text)
    more = len(whole) - _LONGEST
    return f"{whole[:_LONGEST]} … and {more:,} more characters in tree.json" if more > 0 else whole
