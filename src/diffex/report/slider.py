"""Pictures as data for the page's script: real cells, null edits and changes by strength, as grey PNGs.

What the script shows is put together from two kinds of pictures: grey values of originals and null edits,
and the change from null edit to edit, which has a finer scale of its own. An edit is the null edit plus its
change.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from diffex.report.colours import DIVERGING, HUES, Contrast
from diffex.report.numbers import NONE, percent, short, signed
from diffex.report.pictures import Gallery, Plate, along, looks_real
from diffex.report.png import png_text
from diffex.report.strips import scale_bar
from diffex.runs import Explanation

_BUDGET_PIXELS = 3_500_000
_FEWEST_CELLS = 3
_GREY = ("grey", (1.0, 1.0, 1.0))
_PHOTOGRAPH = (("pure red", (1.0, 0.0, 0.0)), ("pure green", (0.0, 1.0, 0.0)), ("pure blue", (0.0, 0.0, 1.0)))
# How far below black and above white of the strips the contrast can be turned, in units of their span.
_BELOW, _ABOVE = 0.25, 0.75

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Reel:
    """All pictures that the sliders of a run show, small enough to be mailed.

    Parameters
    ----------
    gallery : Gallery
        Of the run.
    cells : int
        How many cells.
    block : int
        Pixels that were averaged to one, along each side; 1 where none were.
    """

    gallery: Gallery
    cells: int
    block: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a picture."""
        height, width = self.gallery.explanation.examples["original"].shape[2:]
        return height // self.block, width // self.block

    @property
    def ids(self) -> list[str]:
        """Ids of the cells."""
        return [str(name) for name in self.gallery.explanation.examples["ids"][: self.cells]]

    def words(self) -> str:
        """Say what was left out, in a sentence; empty where nothing was."""
        most = self.gallery.cells_shown()[1]
        left = f" {self.cells} of {most} example cells." if self.cells < most else ""
        averaged = f" Blocks of {self.block} by {self.block} pixels are averaged." if self.block > 1 else ""
        return f"{left}{averaged}".strip()


def open_reel(gallery: Gallery) -> Reel:
    """Choose how many cells fit, and at which resolution.

    Parameters
    ----------
    gallery : Gallery
        Of the run.

    Returns
    -------
    Reel
        Fewer cells first, down to 3; then blocks of pixels averaged.
    """
    examples = gallery.explanation.examples
    channels, height, width = examples["original"].shape[1:]
    per_cell = (2 + len(gallery.concepts) * len(examples["strengths"])) * channels * height * width
    most = gallery.cells_shown()[0]
    cells = int(np.clip(_BUDGET_PIXELS // max(1, per_cell), min(_FEWEST_CELLS, most), most))
    block = 1
    while cells * per_cell > _BUDGET_PIXELS * block**2 and 2 * block <= min(height, width):
        block += 1
    return Reel(gallery, cells, block)


def cell_data(reel: Reel) -> dict[str, Any]:
    """Lay out originals and null edits.

    Parameters
    ----------
    reel : Reel
        Of the run.

    Returns
    -------
    dict
        For JSON: ids, size, scale bar, channels with contrast and colour, and two PNGs per channel, in which
        the cells stand one below the other.
    """
    explanation, contrast = reel.gallery.explanation, reel.gallery.contrast
    images = explanation.summary["images"]
    bar, _ = scale_bar(images["size"][1], images["pixel_size_um"])
    null = _averaged(explanation.examples["null"][: reel.cells], reel.block)
    original = _averaged(explanation.examples["original"][: reel.cells], reel.block)
    return {
        "ids": reel.ids,
        "size": reel.size,
        "bar": max(1, round(bar / reel.block)),
        "rgb": contrast.is_rgb,
        "colours": dict((_GREY, *HUES, *(_PHOTOGRAPH if contrast.is_rgb else ()))),
        "diverging": DIVERGING.tolist(),
        "channels": [_channel(reel, c, name) for c, name in enumerate(images["channel_names"])],
        "original": [_picture(original, contrast, c) for c in range(original.shape[1])],
        "null": [_picture(null, contrast, c) for c in range(null.shape[1])],
    }


def edit_data(reel: Reel, plate: Plate) -> dict[str, Any]:
    """Lay out the edits along one concept.

    Parameters
    ----------
    reel : Reel
        Of the run.
    plate : Plate
        Of the concept.

    Returns
    -------
    dict
        For JSON: strengths with what they do, where the slider starts, and a PNG of changes per channel, in
        which cells stand below and strengths beside each other, with the change that its ends stand for.
    """
    explanation, examples = reel.gallery.explanation, reel.gallery.explanation.examples
    given = np.asarray(examples["strengths"], dtype=np.float64)
    order = np.argsort(given)
    concept = [str(name) for name in examples["concepts"]].index(plate.row["concept"])
    edits = _averaged(examples["edits"][concept][order][:, : reel.cells], reel.block)
    change = edits - _averaged(examples["null"][: reel.cells], reel.block)[None]
    scales = np.maximum(np.abs(change).max(axis=(0, 1, 3, 4)), 1e-12).tolist()
    start = float(plate.strengths[plate.strongest])
    moved = np.abs(change).mean(axis=(0, 1, 3, 4)) / reel.gallery.contrast.difference
    return {
        "steps": [
            _step(explanation, plate.row, value, way)
            for value, way in zip(given[order], along(given, plate.row)[order], strict=True)
        ],
        "start": int(np.argmin(np.abs(given[order] - start))),
        "shown": int(np.argmax(moved)),
        "scales": scales,
        "changes": [_changes(change[:, :, c] / scale) for c, scale in enumerate(scales)],
    }


def _channel(reel: Reel, channel: int, name: str) -> dict[str, Any]:
    contrast = reel.gallery.contrast
    floor, ceiling = _ends(contrast, channel)
    return {
        "name": name,
        "colour": _colour(contrast, channel),
        "low": float(contrast.low[channel]),
        "high": float(contrast.high[channel]),
        "root": bool(contrast.root[channel]),
        "floor": floor,
        "ceiling": ceiling,
        "limit": float(contrast.difference[channel]),
    }


def _colour(contrast: Contrast, channel: int) -> str:
    if contrast.is_rgb:
        return _PHOTOGRAPH[channel][0]
    return _GREY[0] if len(contrast.low) == 1 else HUES[channel % len(HUES)][0]


def _ends(contrast: Contrast, channel: int) -> tuple[float, float]:
    """Grey values of the darkest and the brightest byte."""
    low, high = float(contrast.low[channel]), float(contrast.high[channel])
    return low - _BELOW * (high - low), high + _ABOVE * (high - low)


def _step(explanation: Explanation, row: dict[Any, Any], strength: float, way: float) -> dict[str, Any]:
    """What the run says of one strength; nothing is interpolated."""
    dose = explanation.dose
    side = row["sign"] if way > 0 else -row["sign"]
    here = dose[(dose["concept"] == row["concept"]) & (dose["sign"] == side)]
    near = here[np.isclose(here["strength"].abs(), abs(strength))].to_dict("records")
    return {
        "strength": short(strength),
        "said": _said(near[0]) if near else "",
        "real": looks_real(explanation, row, way),
    }


def _said(row: dict[Any, Any]) -> str:
    flips = percent(row["flip_rate"])
    effect = f"effect {signed(row['effect'])} ({signed(row['low'])} to {signed(row['high'])})"
    return effect if flips == NONE else f"{effect}, {flips} flip"


def _averaged(pixels: NDArray[Any], block: int) -> FloatArray:
    height, width = (side // block * block for side in pixels.shape[-2:])
    cut = np.asarray(pixels[..., :height, :width], dtype=np.float64)
    blocks = cut.reshape(*cut.shape[:-2], height // block, block, width // block, block)
    return np.asarray(blocks.mean(axis=(-3, -1)))


def _picture(pixels: FloatArray, contrast: Contrast, channel: int) -> str:
    """Grey values of a channel, cells one below the other; bytes are roots in dim channels."""
    floor, ceiling = _ends(contrast, channel)
    level = np.clip((pixels[:, channel] - floor) / (ceiling - floor), 0.0, 1.0)
    level = np.sqrt(level) if contrast.root[channel] else level
    return png_text(np.round(255 * level).reshape(-1, level.shape[-1]).astype(np.uint8))


def _changes(change: FloatArray) -> str:
    """Changes ``(s, n, h, w)`` within -1..1: byte 128 is none, 1 and 255 are the ends."""
    strengths, cells, height, width = change.shape
    tiles = np.round(128 + 127 * change).transpose(1, 2, 0, 3)
    return png_text(tiles.reshape(cells * height, strengths * width).astype(np.uint8))
