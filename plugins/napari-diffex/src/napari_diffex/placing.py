"""Axes, scale and place of a layer, in micrometres where the run knows the size of a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from napari_diffex.run import Run

LayerData = tuple[Any, dict[str, Any], str]
KEY = "diffex"
"""Under which a layer's metadata hold what the run says."""


@final
@dataclass(frozen=True)
class Axis:
    """An axis before y and x.

    Parameters
    ----------
    name : str
        Shown at its slider.
    step, start : float
        From an index to the value that the slider shows.
    """

    name: str
    step: float = 1.0
    start: float = 0.0


CELL = Axis("cell")


def strengths_of(run: Run) -> list[float]:
    """List the strengths that are shown: those of the edits, and 0, which is the null edit.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    list of float
        Ascending.
    """
    return sorted([*run.strengths.tolist(), 0.0])


def strength_axis(run: Run) -> Axis:
    """Let the slider show the strength where strengths are evenly spaced, else count them.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    Axis
        Of the edits.
    """
    strengths = strengths_of(run)
    steps = np.diff(strengths)
    if len(steps) and steps[0] > 0 and np.allclose(steps, steps[0]):
        return Axis("strength", float(steps[0]), strengths[0])
    return Axis("number of the strength")


def placing(run: Run, corner: tuple[float, float], axes: Sequence[Axis]) -> dict[str, Any]:
    """Say where a layer lies.

    Parameters
    ----------
    run : Run
        For the pixel size.
    corner : (float, float)
        y and x in pixels.
    axes : sequence of Axis
        Before y and x.

    Returns
    -------
    dict
        Arguments of a layer of napari.
    """
    side = run.pixel_size or 1.0
    unit = "um" if run.pixel_size else "pixel"
    return {
        "scale": [*(axis.step for axis in axes), side, side],
        "translate": [*(axis.start for axis in axes), *(side * value for value in corner)],
        "axis_labels": [*(axis.name for axis in axes), "y", "x"],
        "units": [*("pixel" for _ in axes), unit, unit],
    }
