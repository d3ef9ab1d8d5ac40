"""Captions above the tiles: text at points that cannot be seen."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np

from napari_diffex.placing import CELL, KEY, Axis, LayerData, placing, strength_axis, strengths_of
from napari_diffex.run import Run
from napari_diffex.sheet import Sheet

Point = tuple[float, ...]
_WIDTH, _LINES = 22, 2
_CUT = "\N{HORIZONTAL ELLIPSIS}"


def run_captions(run: Run, sheet: Sheet) -> LayerData:
    """Write what each picture is, for every strength and cell.

    Parameters
    ----------
    run : Run
        The run.
    sheet : Sheet
        Where its pictures lie.

    Returns
    -------
    (array, dict, str)
        A layer that also reaches around the whole sheet: opened first, it makes napari show all of it, and
        a strength in the middle.
    """
    named = {concept.id: concept for concept in run.concepts}
    titles = [f"{named[one].title}\n{named[one].effect_words}" if one in named else one for one in run.edited]
    points: list[Point] = []
    texts: list[str] = []
    for s, strength in enumerate(strengths_of(run)):
        edits = [f"{title}\nstrength {strength:g}" for title in titles]
        for i, cell in enumerate(run.shown):
            said = [f"original\n{shortened(cell)}", "null edit", *edits]
            corners = [sheet.corner(place) for place in range(len(said))]
            points += [(s, i, *corner) for corner in (*corners, *sheet.frame)]
            texts += [*said, *("" for _ in sheet.frame)]
    return caption_layer(run, texts, points, "captions", [strength_axis(run), CELL])


def caption_layer(
    run: Run, texts: Sequence[str], points: Sequence[Point], name: str, axes: Sequence[Axis]
) -> LayerData:
    """Make a layer of captions.

    Parameters
    ----------
    run : Run
        For the pixel size.
    texts : sequence of str
        The captions; their lines are wrapped, and cut where they are long.
    points : sequence of tuple of float
        Their places: indices along the axes, then y and x in pixels.
    name : str
        Of the layer.
    axes : sequence of Axis
        Before y and x.

    Returns
    -------
    (array, dict, str)
        Points with text.
    """
    wrapped = ["\n".join(_wrapped(line) for line in text.splitlines()) for text in texts]
    string = {"feature": "caption", "fallback": ""}
    return (
        np.array(points, dtype=np.float64),
        {
            **placing(run, (-0.5, -0.5), axes),  # from the middle of a pixel to its edge
            "name": name,
            "features": {"caption": wrapped},
            "text": {"string": string, "anchor": "upper_left", "size": 8, "color": "white"},
            "size": 1,
            "face_color": "transparent",
            "border_color": "transparent",
            "metadata": {KEY: {"run": str(run.folder), "kind": name}},
        },
        "points",
    )


def shortened(cell: str) -> str:
    """Keep the end of a cell's id where it is long.

    Parameters
    ----------
    cell : str
        Its id.

    Returns
    -------
    str
        Of the width of a caption.
    """
    return cell if len(cell) <= _WIDTH else f"{_CUT}{cell[1 - _WIDTH :]}"


def _wrapped(line: str) -> str:
    return "\n".join(wrap(line, _WIDTH, max_lines=_LINES, placeholder=_CUT))
