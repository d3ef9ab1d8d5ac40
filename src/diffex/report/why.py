"""Why single cells are not of a class: pictures, logits and shares of each kept counterfactual."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from markupsafe import Markup

from diffex.report.colours import Contrast, colour_words, find_contrast
from diffex.report.numbers import number, percent, signed
from diffex.report.pictures import Figure, Strip, scale_words
from diffex.report.strips import MOST_MAPS, CellPictures, composite_strip, enlargement, scale_bar
from diffex.report.svg import share_bar
from diffex.runs import Explanation, Salvaged
from diffex.runs.counterfactuals import MOST_KEPT, Counterfactual, Told

# These pictures may take a third of the room of a page's others.
_TILES = 3 * 3 * (3 + MOST_MAPS) * MOST_KEPT


@final
@dataclass(frozen=True)
class Portion:
    """One attribute's part of a change, ready to show."""

    words: str
    concept: str
    amount: str
    share: str
    bar: Markup


@final
@dataclass(frozen=True)
class Why:
    """One counterfactual, ready to show.

    Parameters
    ----------
    anchor, title : str
        Its id in the page, and the image.
    sentence, changes : str
        What became of it, and what it measurably changes.
    figure : Figure
        Original, null edit, counterfactual, and what differs.
    logits : tuple of (str, str, str, str)
        A class, and its logit in each picture.
    portions : tuple of Portion
        Named attributes, the largest first, then the rest.
    """

    anchor: str
    title: str
    sentence: str
    changes: str
    figure: Figure
    logits: tuple[tuple[str, str, str, str], ...]
    portions: tuple[Portion, ...]


def why_panels(found: Salvaged, prefix: str) -> tuple[Why, ...]:
    """Lay out the counterfactuals that a run keeps.

    Parameters
    ----------
    found : Salvaged
        The run.
    prefix : str
        Of all ids in the page.

    Returns
    -------
    tuple of Why
        By the name of the image; none for a run that keeps none.
    """
    ordered = sorted(found.counterfactuals, key=lambda one: one.told.id)
    return tuple(_why(found.explanation, one, f"{prefix}-why{k}") for k, one in enumerate(ordered, 1))


def _why(explanation: Explanation, found: Counterfactual, anchor: str) -> Why:
    told = found.told
    return Why(
        anchor=anchor,
        title=told.id,
        sentence=_sentence(told),
        changes=told.changes,
        figure=_figure(explanation, found),
        logits=_logits(told),
        portions=_portions(told),
    )


def _sentence(told: Told) -> str:
    became = (
        f"The smallest change found that still looks like the data makes it {told.target}"
        if told.flipped
        else f"No change was found that looks like the data and makes it {told.target}; the best one is shown"
    )
    return f"{became}. Its length is {number(told.distance)} standard deviations of the codes."


def _logits(told: Told) -> tuple[tuple[str, str, str, str], ...]:
    three = zip(told.logits.original, told.logits.null, told.logits.counterfactual, strict=True)
    return tuple(
        (name, signed(original), signed(null), signed(moved))
        for name, (original, null, moved) in zip(told.class_names, three, strict=True)
    )


def _portions(told: Told) -> tuple[Portion, ...]:
    named = [
        Portion(one.words, one.concept, signed(one.amount), percent(one.share), share_bar(one.share))
        for one in told.shares
    ]
    return (*named, Portion("none of these", "", "", percent(told.rest), share_bar(told.rest)))


def _figure(explanation: Explanation, found: Counterfactual) -> Figure:
    images = explanation.summary["images"]
    names = tuple(images["channel_names"])
    contrast = _one_scale(
        find_contrast(
            found.original[None],
            found.null[None],
            found.moved[None, None],
            names,
            tuple(images["value_range"]),
        )
    )
    cell = CellPictures(found.original, found.null, found.moved[None], 0)
    channels = _channels_that_change(cell, contrast)
    single = contrast.is_rgb or len(names) == 1
    maps = ["change"] if single else [f"change: {names[c]}" for c in channels]
    bar, _ = scale_bar(images["size"][1], images["pixel_size_um"])
    address = composite_strip(cell, contrast, channels, bar, enlargement(found.original.shape[1:], _TILES))
    columns = (
        ("original", ""),
        ("null edit", "re-rendered only"),
        ("counterfactual", ""),
        *((name, "counterfactual minus null") for name in maps),
    )
    caption = (
        f"{colour_words(names, contrast)} Change: red where the counterfactual is brighter than the null "
        f"edit, blue where darker. {scale_words(explanation)}"
    )
    alt = f"{found.told.id}: original, null edit, counterfactual, and what changed."
    return Figure(caption, columns, (Strip(found.told.id, address, alt),))


def _one_scale(contrast: Contrast) -> Contrast:
    """Show changes of all channels on one scale, so that a channel that hardly changes looks like it."""
    width = contrast.high - contrast.low
    return replace(contrast, difference=width * (contrast.difference / width).max())


def _channels_that_change(cell: CellPictures, contrast: Contrast) -> Sequence[int]:
    change = np.abs(cell.change()).mean(axis=(1, 2)) / (contrast.high - contrast.low)
    return sorted(np.argsort(-change)[:MOST_MAPS].tolist())
