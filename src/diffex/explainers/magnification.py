"""Whether cells are as large in pixels as those that a run or a model was made with."""

import math

from diffex.generators.model import Model
from diffex.images import Images
from diffex.runs import Explanation

_ALIKE = 0.01


def magnification(explanation: Explanation, images: Images) -> tuple[str, ...]:
    """Compare pixel sizes: networks know cells by their size in pixels.

    Parameters
    ----------
    explanation : Explanation
        The run.
    images : Images
        For its model.

    Returns
    -------
    tuple of str
        A sentence where both sizes are known and differ by more than 1 %.
    """
    return _compared("run's", explanation.summary["images"]["pixel_size_um"], images.pixel_size_um)


def model_magnification(model: Model, images: Images) -> tuple[str, ...]:
    """Compare pixel sizes, where there is no run yet.

    Parameters
    ----------
    model : Model
        That is to explain.
    images : Images
        For it.

    Returns
    -------
    tuple of str
        A sentence where both sizes are known and differ by more than 1 %; models of earlier versions do not
        know theirs.
    """
    return _compared("model's", model.pixel_size_um, images.pixel_size_um)


def _compared(whose: str, known: float | None, own: float | None) -> tuple[str, ...]:
    if known is None or own is None or math.isclose(known, own, rel_tol=_ALIKE):
        return ()
    return (
        f"The {whose} images have {known:g} um per pixel and these {own:g}: the model sees cells "
        f"{known / own:.2g} times as large as those it knows; resample them, or give the true "
        "--pixel-size.",
    )
