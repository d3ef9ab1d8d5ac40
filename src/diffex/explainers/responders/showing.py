"""Which cells are shown: the likeliest responders, and controls beside them."""

from typing import Any

import numpy as np

from diffex.explainers.responders.design import Design
from diffex.explainers.responders.populations import Populations
from diffex.explainers.responders.scoring import Scored
from diffex.images import Images

_SHOWN = 8


def shown_cells(images: Images, scored: Scored, found: Populations, design: Design) -> dict[str, Any] | None:
    """Read the cells that a report shows.

    Parameters
    ----------
    images : Images
        All cells.
    scored : Scored
        Their values.
    found : Populations
        Who responds.
    design : Design
        Which cells are controls.

    Returns
    -------
    dict or None
        ``name`` of the first value by which cells respond; ``responders`` and ``controls``, ndarrays
        ``(k, c, h, w)`` of up to 8 cells, likeliest first, and of as many controls, evenly over their range;
        ``responder_ids, control_ids``; ``channel_names, value_range, pixel_size_um`` of the images. None
        where nobody is listed.
    """
    if not len(found.cells):
        return None
    name = str(found.cells["name"].iloc[0])
    listed = found.cells[found.cells["name"] == name]
    best = listed.sort_values("probability", ascending=False, kind="stable")["id"].head(_SHOWN)
    at = {cell: row for row, cell in enumerate(images.ids)}
    responders = [at[cell] for cell in best]
    controls = np.flatnonzero(design.control)
    order = controls[np.argsort(scored.table[name].to_numpy()[controls], kind="stable")]
    spread = order[((np.arange(len(best)) + 0.5) / len(best) * len(order)).astype(int)]
    return {
        "name": name,
        "responders": images.subset(np.array(responders)).read().numpy(),
        "controls": images.subset(spread).read().numpy(),
        "responder_ids": tuple(best),
        "control_ids": tuple(images.ids[row] for row in spread),
        "channel_names": images.channel_names,
        "value_range": images.value_range,
        "pixel_size_um": images.pixel_size_um,
    }
