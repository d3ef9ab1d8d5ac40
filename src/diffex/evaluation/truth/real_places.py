"""K6: do maps lie on what is known to matter, on real images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import ndimage

from diffex.effects.arrays import BoolArray, FloatArray
from diffex.evaluation.bench import Bench
from diffex.evaluation.localisation import localise
from diffex.evaluation.peers import BASELINES
from diffex.evaluation.peers.random_map import RandomMap
from diffex.evaluation.real_fits import real_model, real_side
from diffex.evaluation.resampling import bootstrap_mean
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import BCCD, FKHR, NUCLEI
from diffex.evaluation.stages import attribute_config, explained, explained_content
from diffex.evaluation.truth.explainers import OURS
from diffex.evaluation.truth.mapping import explained_maps, peer_maps
from diffex.images import Images, sample
from diffex.measurements.segmentation import ring, ring_width

_BAND = 2
_MARGIN = 0.05


@final
@dataclass(frozen=True)
class Place:
    """Where the classes of a real set are known to differ.

    Parameters
    ----------
    target : str
        The class explained.
    masks : callable
        Where that is, ``(n, h, w)``.
    words : str
        For the row.
    """

    target: str
    masks: Callable[[Images], BoolArray]
    words: str


def nucleus_and_ring(images: Images) -> BoolArray:
    """Widen nucleus masks by the ring of cytoplasm around them.

    Parameters
    ----------
    images : Images
        With masks.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        Nucleus and the ring that measurements use.
    """
    masks = images.read_masks()
    assert masks is not None
    nuclei = masks.numpy().astype(bool)
    return nuclei | ring(nuclei, ring_width(*images.size))


def border_band(images: Images) -> BoolArray:
    """Give the band along the border of nucleus masks, where elongation shows.

    Parameters
    ----------
    images : Images
        With masks.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        2 px to either side of the border.
    """
    masks = images.read_masks()
    assert masks is not None
    square = np.ones((1, 3, 3), dtype=bool)
    nuclei = masks.numpy().astype(bool)
    wide = ndimage.binary_dilation(nuclei, square, iterations=_BAND)
    return np.asarray(wide & ~ndimage.binary_erosion(nuclei, square, iterations=_BAND))


def boxes(images: Images) -> BoolArray:
    """Draw the annotated boxes.

    Parameters
    ----------
    images : Images
        With ``box64_x0``, ``box64_y0``, ``box64_x1``, ``box64_y1`` in the table, in pixels of the crop.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        True inside.
    """
    height, width = images.size
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    corners = images.table[["box64_x0", "box64_y0", "box64_x1", "box64_y1"]].to_numpy(dtype=np.float64)
    return np.stack([np.outer((y0 <= y) & (y < y1), (x0 <= x) & (x < x1)) for x0, y0, x1, y1 in corners])


_PLACES = {
    FKHR: Place("positive", nucleus_and_ring, "nucleus and ring"),
    BCCD: Place("wbc", boxes, "annotated box"),
    NUCLEI: Place("elongated", border_band, "border of the nucleus"),
}


def measure_real_places(name: str) -> Callable[[Bench], Iterator[Measured]]:
    """Make the task of one set of K6.

    Parameters
    ----------
    name : str
        Of the set.

    Returns
    -------
    callable
        Explains the model of `real_model`, maps, yields what came out.
    """

    def run(bench: Bench) -> Iterator[Measured]:
        yield from _measured(bench, name, _PLACES[name])

    return run


def _measured(bench: Bench, name: str, place: Place) -> Iterator[Measured]:
    test, model = real_side(bench, name, "test"), real_model(bench, name).model
    settings = attribute_config(bench, place.target)
    explanation = explained(bench, f"{name}-{place.target}", test, model, settings)
    cells = sample(test, bench.size(32, 6), bench.seed)
    masks = place.masks(cells)
    ours = explained_maps(explanation, model.generator, bench.seed)
    target = model.classifier.card.class_names.index(place.target)
    content = explained_content(test, model, settings)
    maps, _ = peer_maps(bench, name, model.classifier, cells, target, {OURS: ours}, content)
    rows = masks.any(axis=(1, 2)) & ~masks.all(axis=(1, 2))
    scores = {
        peer: localise(one[rows], masks[rows], repeats=2).images["mass_accuracy"].to_numpy()
        for peer, one in maps.items()
    }
    failed = [gate.words for gate in model.gates if not gate.passed]
    count = explanation.effects.loc[explanation.effects["significant"], "concept"].nunique()
    said = f"{len(ours.directions)} attributes, {count} significant" + (
        "; gates missed: " + ", ".join(failed) if failed else ""
    )
    what = f"{name}, mass accuracy on {place.words}"
    for peer, values in scores.items():
        value = bootstrap_mean(values, bench.seed)
        note = said if peer == OURS else ""
        yield Measured("K6", f"{what}: {peer}", value[0], REPORTED, *value[1:], note=note)
    plain = [peer.name for peer in BASELINES if not isinstance(peer, RandomMap)]
    yield _paired(what, "every peer", scores, [one for one in scores if one != OURS], -_MARGIN, bench.seed)
    yield _paired(what, "centre prior, edge map and raw intensity", scores, plain, 0.0, bench.seed)


def _paired(
    what: str, words: str, scores: dict[str, FloatArray], peers: list[str], margin: float, seed: int
) -> Measured:
    """Ours minus the best of some peers, by image; it holds where the whole interval is above the margin."""
    best = max(peers, key=lambda peer: float(scores[peer].mean()))
    value = bootstrap_mean(scores[OURS] - scores[best], seed)
    target = "> 0" if margin == 0 else f">= {margin:g}"
    note = f"the best of them is {best}"
    label = f"{what}: ours minus {words}"
    return Measured("K6", label, value[0], target, *value[1:], note=note, holds=value[1] > margin)
