"""Which example pictures are shown, in which order, with which captions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from diffex.report.answering import Answered, open_answered
from diffex.report.colours import Contrast, colour_words, find_contrast
from diffex.report.numbers import compact, short, signed_compact
from diffex.report.strips import (
    MOST_EDITS,
    MOST_MAPS,
    CellPictures,
    channel_strip,
    composite_strip,
    enlargement,
    most_edits,
    plain_strip,
    scale_bar,
)
from diffex.runs import Explanation
from diffex.runs.examples import ANSWERED

Painter = Callable[[CellPictures], str]
MOST_CONCEPTS, MOST_CELLS, MOST_CHANNELS = 8, 6, 6


@final
@dataclass(frozen=True)
class Strip:
    """One row of pictures.

    Parameters
    ----------
    label : str
        Whose pictures.
    address : str
        A ``data:image/png`` address.
    alt : str
        The same in words.
    """

    label: str
    address: str
    alt: str


@final
@dataclass(frozen=True)
class Figure:
    """Rows of pictures with common columns.

    Parameters
    ----------
    caption : str
        What the colours mean.
    columns : tuple of (str, str)
        Heading and small print of each column.
    strips : tuple of Strip
        A row per cell.
    """

    caption: str
    columns: tuple[tuple[str, str], ...]
    strips: tuple[Strip, ...]


@final
@dataclass(frozen=True, eq=False)
class Gallery:
    """All example pictures of a run, with one contrast.

    Parameters
    ----------
    explanation : Explanation
        The run.
    contrast : Contrast
        One setting per channel.
    factor : float
        Enlargement.
    """

    explanation: Explanation
    contrast: Contrast
    factor: float

    @property
    def concepts(self) -> list[str]:
        """Concepts that have pictures."""
        return [str(name) for name in self.explanation.examples["concepts"][:MOST_CONCEPTS]]

    def cells_shown(self) -> tuple[int, int]:
        """Count the cells shown, and those that the run has."""
        count = len(self.explanation.examples["ids"])
        return min(count, MOST_CELLS), count


def open_gallery(explanation: Explanation) -> Gallery:
    """Prepare the pictures of a run.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    Gallery
        Contrast and enlargement chosen.
    """
    examples, images = explanation.examples, explanation.summary["images"]
    edits = examples["edits"][:MOST_CONCEPTS]
    contrast = find_contrast(
        examples["original"],
        examples["null"],
        edits.reshape(-1, *edits.shape[2:]),
        tuple(images["channel_names"]),
        tuple(images["value_range"]),
    )
    channels = len(images["channel_names"])
    rows = len(edits) * min(MOST_CELLS, len(examples["ids"]))
    grey_rows = 0 if channels == 1 else min(channels, MOST_CHANNELS)
    # A composite has three colours, each grey picture one, and so have, about, the difference maps.
    tiles = rows * (min(MOST_EDITS, len(examples["strengths"])) + 3) * (3 + grey_rows)
    tiles += 3 * rows if ANSWERED in examples else 0
    return Gallery(explanation, contrast, enlargement(examples["original"].shape[2:], tiles))


def plain_strips(explanation: Explanation, rows: NDArray[Any]) -> tuple[str, ...]:
    """Draw pictures that are no edits, with one contrast and scale.

    Parameters
    ----------
    explanation : Explanation
        Whose channels, range and pixel size.
    rows : ndarray, shape (r, s, c, h, w)
        Pictures of each strip, from left to right.

    Returns
    -------
    tuple of str
        A ``data:image/png`` address per strip.
    """
    images, flat = explanation.summary["images"], rows.reshape(-1, *rows.shape[2:])
    contrast = find_contrast(
        flat, flat, np.zeros((0, *flat.shape)), tuple(images["channel_names"]), tuple(images["value_range"])
    )
    bar, _ = scale_bar(images["size"][1], images["pixel_size_um"])
    factor = enlargement(flat.shape[2:], 3 * len(flat))
    return tuple(plain_strip(row, contrast, bar, factor) for row in rows)


@final
@dataclass(frozen=True, eq=False)
class Plate:
    """The pictures of one concept, in the order of strength.

    Parameters
    ----------
    gallery : Gallery
        Of the run.
    row : dict
        The concept's row of the effects.
    strengths : ndarray, shape (s,)
        Ascending; signed where both signs of the concept were rendered.
    on_manifold : tuple of bool
        Whether edits of that strength still look like the data.
    strongest : int
        Which strength the difference is taken of.
    cells : tuple of CellPictures
        The cells shown.
    answered : Answered or None
        What of the strongest edits the classifier answers to, where that is known.
    """

    gallery: Gallery
    row: dict[Any, Any]
    strengths: NDArray[np.float64]
    on_manifold: tuple[bool, ...]
    strongest: int
    cells: tuple[CellPictures, ...]
    answered: Answered | None


def open_plate(gallery: Gallery, row: dict[Any, Any]) -> Plate:
    """Put the pictures of a concept in order.

    Parameters
    ----------
    gallery : Gallery
        Of the run.
    row : dict
        The concept's row of the effects.

    Returns
    -------
    Plate
        Ready to draw.
    """
    examples = gallery.explanation.examples
    given = np.asarray(examples["strengths"], dtype=np.float64)
    real = np.array([looks_real(gallery.explanation, row, value) for value in along(given, row)])
    order = _shown_order(given, real, most_edits(gallery.contrast, with_answer=ANSWERED in examples))
    strengths, on_manifold = given[order], tuple(real[order].tolist())
    strongest = _strongest(along(strengths, row), on_manifold)
    place = [str(c) for c in examples["concepts"]].index(row["concept"])
    edits, shown = examples["edits"][place][order], gallery.cells_shown()[0]
    answered = open_answered(examples, place, shown)
    maps = [None] * shown if answered is None else list(answered.maps)
    cells = tuple(
        CellPictures(examples["original"][i], examples["null"][i], edits[:, i], strongest, maps[i])
        for i in range(shown)
    )
    return Plate(gallery, row, strengths, on_manifold, strongest, cells, answered)


def lead_figure(plate: Plate) -> Figure:
    """Draw the cells in colour.

    Parameters
    ----------
    plate : Plate
        The concept.

    Returns
    -------
    Figure
        A strip per cell, with maps of what changes most, by channel, and of what of it counts.
    """
    names, contrast = _channels(plate), plate.gallery.contrast
    channels = _channels_that_change(plate)
    single = contrast.is_rgb or len(names) == 1
    maps = ["change"] if single else [f"change: {names[c]}" for c in channels]
    paint = partial(
        composite_strip, contrast=contrast, channels=channels, bar=_bar(plate), factor=plate.gallery.factor
    )
    columns, caption = _columns(plate, maps), _lead_caption(names, contrast)
    if plate.answered is not None:
        target = plate.gallery.explanation.summary["target"]
        columns = (*columns, ("what counts", "to the classifier"))
        caption = f"{caption} {plate.answered.caption(target, names, is_rgb=contrast.is_rgb)}"
    return Figure(caption, columns, _strips(plate, paint))


def channel_figures(plate: Plate) -> tuple[Figure, ...]:
    """Draw the cells channel by channel.

    Parameters
    ----------
    plate : Plate
        The concept.

    Returns
    -------
    tuple of Figure
        One per channel; none where there is only one.
    """
    names = _channels(plate)
    return tuple(_channel_figure(plate, c) for c in range(min(len(names), MOST_CHANNELS)) if len(names) > 1)


def scale_words(explanation: Explanation) -> str:
    """Say how long the scale bar is.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    str
        In micrometres; in pixels where their size is unknown, which is said.
    """
    images = explanation.summary["images"]
    _, length = scale_bar(images["size"][1], images["pixel_size_um"])
    return f"Scale bar {length}{'' if images['pixel_size_um'] else ' (pixel size unknown)'}."


def _channel_figure(plate: Plate, channel: int) -> Figure:
    contrast = plate.gallery.contrast
    paint = partial(
        channel_strip, contrast=contrast, channel=channel, bar=_bar(plate), factor=plate.gallery.factor
    )
    name = _channels(plate)[channel]
    caption = (
        f"{name}: black {compact(contrast.low[channel])}, white {compact(contrast.high[channel])} grey values"
        f"{', brightness is the square root' if contrast.root[channel] else ''}; change: full blue or red is "
        f"{signed_compact(-contrast.difference[channel])} or {signed_compact(contrast.difference[channel])}."
    )
    return Figure(caption, _columns(plate, ["change"]), _strips(plate, paint))


def _channels(plate: Plate) -> list[str]:
    return list(plate.gallery.explanation.summary["images"]["channel_names"])


def _bar(plate: Plate) -> int:
    images = plate.gallery.explanation.summary["images"]
    return scale_bar(images["size"][1], images["pixel_size_um"])[0]


def along(strengths: NDArray[np.float64], row: dict[Any, Any]) -> NDArray[np.float64]:
    """Turn strengths so that the row's sign is positive; where none is negative, they are so already.

    Parameters
    ----------
    strengths : ndarray, shape (s,)
        As the examples have them.
    row : dict
        The concept's row of the effects.

    Returns
    -------
    ndarray, shape (s,)
        Negative where an edit goes the other way.
    """
    return strengths * (-1.0 if row["sign"] < 0 and (strengths < 0).any() else 1.0)


def _shown_order(strengths: NDArray[np.float64], real: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Order the strengths and leave some out: far ones that do not look real, and small ones, if many."""
    order = np.argsort(strengths)
    far = np.sort(np.abs(strengths[~real]))
    kept = [i for i in order if real[i] or abs(strengths[i]) <= far[0]]
    small = sorted(kept, key=lambda i: abs(strengths[i]))[: max(0, len(kept) - most)]
    return np.array([i for i in kept if i not in small], dtype=np.int64)


def looks_real(explanation: Explanation, row: dict[Any, Any], strength: float) -> bool:
    """Look an example's strength up in the dose table; failing that, compare it with the row's maximum.

    Parameters
    ----------
    explanation : Explanation
        The run.
    row : dict
        A concept's row of the effects.
    strength : float
        Along the row's sign.

    Returns
    -------
    bool
        Whether edits of that strength still look like the data.
    """
    dose = explanation.dose
    side = row["sign"] if strength > 0 else -row["sign"]
    here = dose[(dose["concept"] == row["concept"]) & (dose["sign"] == side)]
    near = here[np.isclose(here["strength"].abs(), abs(strength))]
    if len(near):
        return bool(near["on_manifold"].iloc[0])
    return bool(abs(strength) <= abs(float(row["max_strength"])) * (1 + 1e-6))


def _strongest(along: NDArray[np.float64], on_manifold: Sequence[bool]) -> int:
    """Choose the strongest edit along the row's sign that is on the manifold, else the weakest there."""
    inside = np.where(on_manifold, along, -np.inf)
    return int(np.argmax(inside) if inside.max() > 0 else np.argmin(np.where(along > 0, along, np.inf)))


def _channels_that_change(plate: Plate) -> list[int]:
    change = np.abs(np.stack([cell.change() for cell in plate.cells])).mean(axis=(0, 2, 3))
    relative = change / (plate.gallery.contrast.high - plate.gallery.contrast.low)
    return sorted(np.argsort(-relative)[:MOST_MAPS].tolist())


def _columns(plate: Plate, maps: Sequence[str]) -> tuple[tuple[str, str], ...]:
    edits = [
        (f"edit {short(value)}", "" if inside else "does not look real")
        for value, inside in zip(plate.strengths, plate.on_manifold, strict=True)
    ]
    of = f"edit {short(plate.strengths[plate.strongest])} minus null"
    return (("original", ""), ("null edit", "re-rendered only"), *edits, *((name, of) for name in maps))


def _strips(plate: Plate, paint: Painter) -> tuple[Strip, ...]:
    ids = plate.gallery.explanation.examples["ids"]
    return tuple(
        Strip(str(name), paint(cell), _alt(plate, str(name)))
        for name, cell in zip(ids, plate.cells, strict=False)
    )


def _alt(plate: Plate, name: str) -> str:
    strengths = ", ".join(short(value) for value in plate.strengths)
    return (
        f"{name}: original, null edit, edits along {plate.row['name']} at strengths {strengths}, "
        "and what changed."
    )


def _lead_caption(names: Sequence[str], contrast: Contrast) -> str:
    shown = colour_words(names, contrast)
    return f"{shown} Change: red where the edit is brighter than the null edit, blue where darker."
