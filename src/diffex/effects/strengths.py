"""Strength 1 is the same perceptual size for all concepts."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import GateError
from diffex.base.ledger import CostLedger
from diffex.concepts import Concept
from diffex.editors import Inversion, LatentEditor
from diffex.effects.arrays import SIGNS

FloatArray = NDArray[np.float64]
_SHARE = 0.3
_BATCH = 64
_LEAST_SIZE = 1e-4


def typical_size(editor: LatentEditor, inversion: Inversion, ledger: CostLedger) -> float:
    """The common size: a fraction of how much two images of the set differ.

    Parameters
    ----------
    editor : LatentEditor
        The renderer.
    inversion : Inversion
        Of a few dozen images.
    ledger : CostLedger
        One evaluation per image and step is counted.

    Returns
    -------
    float
        0.3 of the root mean square size of the difference of two rendered images, in channel units.
    """
    x = editor.null(inversion)
    ledger.count("calibration", len(inversion) * editor.evaluations)
    return _SHARE * difference_size(x, editor.generator.pixels.size)


def difference_size(x: Tensor, size_of: Callable[[Tensor], Tensor]) -> float:
    """How much two images of a set differ.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)`` images.
    size_of : callable
        Gives the size ``(n,)`` of changes ``(n, c, h, w)``.

    Returns
    -------
    float
        Root mean square size of the difference of each image and the one before it.
    """
    return float(size_of(x - x.roll(1, 0)).square().mean().sqrt())


def calibrate(
    concepts: list[Concept],
    editor: LatentEditor,
    inversion: Inversion,
    metric: FloatArray,
    size: float,
    ledger: CostLedger,
) -> list[Concept]:
    """Scale every direction to the common size: by the metric, then by one measurement.

    Parameters
    ----------
    concepts : list of Concept
        With directions of any length.
    editor : LatentEditor
        The renderer.
    inversion : Inversion
        Of a few images to measure on.
    metric : ndarray, shape (d, d)
        From `image_metric`.
    size : float
        From `typical_size`.
    ledger : CostLedger
        Two evaluations per concept, image and step are counted.

    Returns
    -------
    list of Concept
        The same concepts, scaled.

    Raises
    ------
    GateError
        If pictures do not change with the code, so that no size can be given.
    """
    if not size > _LEAST_SIZE:
        raise GateError(
            "The generator renders the same picture for every image, so its code explains nothing: "
            "fit it longer (--steps)."
        )
    plain = editor.null(inversion)
    ledger.count("calibration", len(inversion) * editor.evaluations)
    scaled = []
    together = max(1, _BATCH // (2 * len(inversion)))
    for start in range(0, len(concepts), together):
        first = [_by_metric(concept, metric, size) for concept in concepts[start : start + together]]
        x = editor.edits(inversion, [(concept, sign) for concept in first for sign in SIGNS])
        ledger.count("calibration", len(x) * len(inversion) * editor.evaluations)
        found = editor.generator.pixels.size((x - plain).flatten(0, 1)).reshape(len(first), -1).mean(1)
        scaled += [
            concept.scaled(float(np.clip(size / max(one, 1e-9), 0.5, 2.0)))
            for concept, one in zip(first, found.tolist(), strict=True)
        ]
    return scaled


def _by_metric(concept: Concept, metric: FloatArray, size: float) -> Concept:
    v = concept.direction.double().numpy()
    return concept.scaled(size / max(float(np.sqrt(v @ metric @ v)), 1e-9))
