"""What learnt factors look like: one strip per factor, moved alone."""

import numpy as np

from diffex.report.colours import find_contrast
from diffex.report.pictures import Figure, Strip, scale_words
from diffex.report.strips import enlargement, plain_strip, scale_bar
from diffex.runs import Explanation

_COLUMNS = (("-2 sd", ""), ("-1 sd", ""), ("mean", ""), ("+1 sd", ""), ("+2 sd", ""))


def traversal_figure(explanation: Explanation) -> Figure | None:
    """Draw the factors that formulas read, each from low to high.

    Parameters
    ----------
    explanation : Explanation
        Of a run.

    Returns
    -------
    Figure or None
        A strip per factor; None where factors were not learnt from the images.
    """
    pictures = explanation.examples.get("traversals")
    if pictures is None or not len(pictures):
        return None
    names, images = [str(name) for name in explanation.examples["factors"]], explanation.summary["images"]
    flat = pictures.reshape(-1, *pictures.shape[2:])
    contrast = find_contrast(
        flat, flat, np.zeros((0, *flat.shape)), tuple(images["channel_names"]), tuple(images["value_range"])
    )
    bar, _ = scale_bar(images["size"][1], images["pixel_size_um"])
    factor = enlargement(flat.shape[2:], 3 * len(flat))
    caption = (
        "Each learnt factor moved alone from the mean code, rendered by the decoder that it was learnt with "
        f"(blurred: it gives mean images, objects in one pose). {scale_words(explanation)}"
    )
    strips = tuple(
        Strip(name, plain_strip(row, contrast, bar, factor), f"{name} from low to high, other factors held")
        for name, row in zip(names, pictures, strict=True)
    )
    return Figure(caption, _COLUMNS, strips)
