"""Cells that respond, beside controls, in colour."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from diffex.report.colours import colour_words, find_contrast
from diffex.report.pictures import Figure, Strip
from diffex.report.strips import enlargement, plain_strip, scale_bar

_ROWS = (("responders", "respond"), ("controls", "controls"))


def responding_cells(shown: Mapping[str, Any] | None) -> Figure | None:
    """Draw responders above controls, with one contrast and scale.

    Parameters
    ----------
    shown : mapping, optional
        Of a dose series: ``name, responders, controls`` (as many), ``responder_ids, control_ids``, and
        ``channel_names, value_range, pixel_size_um`` of the images.

    Returns
    -------
    Figure or None
        Two strips; None where nobody responds.
    """
    if shown is None:
        return None
    pixels = np.concatenate([shown[key] for key, _ in _ROWS])
    names = tuple(shown["channel_names"])
    contrast = find_contrast(pixels, pixels, np.zeros((0, *pixels.shape)), names, tuple(shown["value_range"]))
    bar, length = scale_bar(pixels.shape[3], shown["pixel_size_um"])
    factor = enlargement(pixels.shape[2:], 3 * len(pixels))
    strips = tuple(
        Strip(
            words,
            plain_strip(shown[key], contrast, bar, factor),
            f"{words}: " + ", ".join(shown[f"{key.removesuffix('s')}_ids"]),
        )
        for key, words in _ROWS
    )
    unknown = "" if shown["pixel_size_um"] else " (pixel size unknown)"
    caption = (
        f"Above the likeliest responders by {shown['name']}, likeliest first; below controls, from the "
        f"lowest to the highest. {colour_words(names, contrast)} Scale bar {length}{unknown}."
    )
    columns = tuple((str(k), "") for k in range(1, len(shown["responders"]) + 1))
    return Figure(caption, columns, strips)
