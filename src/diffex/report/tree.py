"""The tree of phrases, ready to show: groups that fold, and what adding and reversing each phrase does."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import pandas as pd
from markupsafe import Markup

from diffex.concepts import ConceptTree, Node
from diffex.report.numbers import number, q_value, signed
from diffex.report.ranking import Anchors, effect_limits
from diffex.report.svg import interval_axis, interval_bar, zero_place
from diffex.report.verdicts import Verdict, verdict
from diffex.report.vocabulary import Vocabulary
from diffex.runs import Explanation

_DEEPEST = 6  # deeper nesting leaves no room on a phone, and browsers give up at some hundred levels
ARROW = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "


@final
@dataclass(frozen=True)
class Side:
    """One way of editing a phrase, ready to show."""

    way: str
    forward: bool
    effect: str
    interval: str
    bar: Markup
    q: str
    on_target: str
    off_target: str
    significant: bool
    verdict: Verdict


@final
@dataclass(frozen=True)
class Phrase:
    """One phrase, ready to show.

    Parameters
    ----------
    name : str
        As the tree has it.
    anchor : str
        Id of the section with its pictures; empty where it has none.
    seen : str
        On how many images, where it was not all.
    sides : tuple of Side
        More of it, less of it; empty where it was not edited.
    """

    name: str
    anchor: str
    seen: str
    sides: tuple[Side, ...]

    @property
    def significant(self) -> bool:
        """Whether either way is significant."""
        return any(side.significant for side in self.sides)


@final
@dataclass(frozen=True)
class Branch:
    """A group of phrases, ready to show.

    Parameters
    ----------
    name, path : str
        Its own name, and with those above.
    level : int
        0 for the whole tree.
    phrases : tuple of Phrase
        Right in it: its own phrase, if it has one, and those with none below.
    branches : tuple of Branch
        Groups in it.
    """

    name: str
    path: str
    level: int
    phrases: tuple[Phrase, ...]
    branches: tuple["Branch", ...]

    @property
    def total(self) -> int:
        """How many phrases it holds, on all levels."""
        return len(self.phrases) + sum(branch.total for branch in self.branches)

    @property
    def significant(self) -> int:
        """How many of them are significant."""
        return sum(p.significant for p in self.phrases) + sum(b.significant for b in self.branches)


@final
@dataclass(frozen=True)
class TreePanel:
    """The whole tree.

    Parameters
    ----------
    root : Branch
        All groups and phrases.
    axis : Markup
        The axis that all bars share.
    zero : str
        Where on it zero is, as a CSS length.
    """

    root: Branch
    axis: Markup
    zero: str


def tree_panel(explanation: Explanation, anchors: Anchors, words: Vocabulary) -> TreePanel | None:
    """Lay out the tree.

    Parameters
    ----------
    explanation : Explanation
        The run.
    anchors : dict of (str, int) to str
        Where the section of a concept and sign is in the page.
    words : Vocabulary
        Of the method.

    Returns
    -------
    TreePanel or None
        None for a run without a tree.
    """
    if explanation.tree is None:
        return None
    limits = effect_limits(explanation.effects)
    forest = _forest(ConceptTree.from_dict(explanation.tree), explanation.effects, anchors, words)
    return TreePanel(_branch(None, (), forest), interval_axis(limits), zero_place(limits))


def lineage(tree: dict[str, Any] | None, concept: str) -> str:
    """Name a phrase with the groups that it is in.

    Parameters
    ----------
    tree : dict or None
        ``tree.json``.
    concept : str
        Id of the phrase.

    Returns
    -------
    str
        From the top down; empty where the tree does not have it.
    """
    if tree is None:
        return ""
    kept = ConceptTree.from_dict(tree)
    if concept not in {node.id for node in kept.nodes}:
        return ""
    above = reversed(kept.ancestors(concept))
    return ARROW.join(node.name for node in (*above, kept.node(concept)))


@final
@dataclass(frozen=True)
class _Forest:
    """Nodes by their parent, and phrases by their node."""

    below: defaultdict[str | None, list[Node]]
    phrases: dict[str, Phrase]

    def under(self, node: Node) -> Iterator[Node]:
        """All nodes below one, in their order; without recursion, for a tree may be very deep."""
        waiting = list(reversed(self.below[node.id]))
        while waiting:
            yield waiting[-1]
            waiting += reversed(self.below[waiting.pop().id])


def _forest(tree: ConceptTree, effects: pd.DataFrame, anchors: Anchors, words: Vocabulary) -> _Forest:
    limits, most = effect_limits(effects), int(max(effects["n"], default=0))
    rows: defaultdict[str, list[dict[Any, Any]]] = defaultdict(list)
    for row in effects.sort_values("sign", ascending=False, kind="stable").to_dict("records"):
        rows[row["concept"]].append(row)
    places = {concept: anchor for (concept, _), anchor in anchors.items()}
    below: defaultdict[str | None, list[Node]] = defaultdict(list)
    for node in tree.nodes:
        below[node.parent].append(node)
    phrases = {
        node.id: Phrase(
            name=node.name,
            anchor=places.get(node.id, ""),
            seen=_seen(rows[node.id], most),
            sides=tuple(_side(row, limits, words) for row in rows[node.id]),
        )
        for node in tree.phrases()
    }
    return _Forest(below, phrases)


def _branch(node: Node | None, path: tuple[str, ...], forest: _Forest) -> Branch:
    children = forest.below[node.id if node else None]
    deep = [child for child in children if forest.below[child.id]]
    flat = [child for child in children if not forest.below[child.id]]
    if node and len(path) >= _DEEPEST:
        flat, deep = list(forest.under(node)), []
    own = [node] if node else []
    return Branch(
        name=node.name if node else "",
        path=ARROW.join(path),
        level=len(path),
        phrases=tuple(forest.phrases[n.id] for n in (*own, *flat) if n.id in forest.phrases),
        branches=tuple(_branch(child, (*path, child.name), forest) for child in deep),
    )


def _seen(rows: list[dict[Any, Any]], most: int) -> str:
    seen = min((int(row["n"]) for row in rows), default=most)
    return f"given up after {seen} of {most} images" if seen < most else ""


def _side(row: dict[Any, Any], limits: tuple[float, float], words: Vocabulary) -> Side:
    sure = bool(row["significant"])
    return Side(
        way=words.way(row["sign"]),
        forward=row["sign"] > 0,
        effect=signed(row["effect"]),
        interval=f"{signed(row['ci_low'])} to {signed(row['ci_high'])}",
        bar=interval_bar(row["effect"], row["ci_low"], row["ci_high"], limits, sure=sure),
        q=q_value(row["q"]),
        on_target=signed(row.get("on_target"), 1),
        off_target=number(row["off_target"], 1),
        significant=sure,
        verdict=verdict(row.get("edit")),
    )
