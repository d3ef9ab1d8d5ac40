"""C5: how the cost of a matrix grows with images, concepts and the size of an image."""

import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from diffex.base.ledger import CostLedger
from diffex.base.noise import noise_for
from diffex.editors import Inversion, LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, effect_matrix
from diffex.evaluation.bench import Bench
from diffex.evaluation.charts import Growth, save_growths
from diffex.evaluation.cost.formula import exponent
from diffex.evaluation.cost.ground import Ground, make_ground
from diffex.evaluation.rows import REPORTED, Measured
from diffex.generators import DiffusionAutoencoder

_GROWING = (1, 2, 4, 8, 16)
_SIDES = (32, 48, 64, 96, 128)
_SIZED_WORDS = (
    "the shipped decoder at 32 to 128 px, where only its cost means something; the classifier takes 64 px"
)
_WORDS = {"N": "images N", "K": "concepts K", "pixels": "pixels of an image"}


@final
@dataclass(frozen=True, eq=False)
class Grown:
    """What matrices of growing size took.

    Parameters
    ----------
    name : {"N", "K", "pixels"}
        What grew.
    sizes : ndarray, shape (5,)
        How large.
    nfe, formula : ndarray, shape (5,)
        Network evaluations, and what they should be.
    cpu : ndarray, shape (5,)
        CPU seconds.
    """

    name: str
    sizes: FloatArray
    nfe: FloatArray
    formula: FloatArray
    cpu: FloatArray

    def panels(self) -> tuple[Growth, Growth]:
        """Draw evaluations and CPU seconds, with their exponents."""
        made = []
        for up, values in (("network evaluations", self.nfe), ("CPU seconds", self.cpu)):
            slope, width = exponent(self.sizes, values)
            title = f"exponent {slope:.2f} ± {width:.2f}"
            made.append(Growth(title, _WORDS[self.name], up, self.sizes, values, slope))
        return made[0], made[1]


def measure_growth(bench: Bench) -> Iterator[Measured]:
    """Render matrices of growing N, K and image size, and fit the exponents of their cost.

    Parameters
    ----------
    bench : Bench
        Seed, size and device. ``figures/cost.png`` shows points and laws.

    Yields
    ------
    Measured
        Of evaluations, against the formula's own, and of CPU seconds.
    """
    top, fixed, repeats, sized = bench.size((64, 4, 3, (16, 4)), (32, 1, 1, (8, 2)))
    ground = make_ground(bench, top, int(_GROWING[-1]))
    step = top // int(_GROWING[-1])
    runs = (
        grown(ground, "N", [(step * n, fixed, 64) for n in _GROWING], repeats),
        grown(ground, "K", [(top // 4, k, 64) for k in _GROWING], repeats),
        grown(ground, "pixels", [(*sized, side) for side in _SIDES], repeats),
    )
    for run in runs:
        yield from _rows(run)
    save_growths(list(zip(*(run.panels() for run in runs), strict=True)), bench.figure("cost.png"))


def _rows(run: Grown) -> Iterator[Measured]:
    nfe, expected = exponent(run.sizes, run.nfe)[0], exponent(run.sizes, run.formula)[0]
    yield Measured(
        "C5", f"exponent of evaluations in {run.name}, less the formula's", abs(nfe - expected), "<= 1e-09",
        note=f"{expected:.3f} by 2NK + N",
    )  # fmt: skip
    slope, width = exponent(run.sizes, run.cpu)
    sized, each = run.name == "pixels", 1000 * run.cpu / run.nfe
    yield Measured(
        "C5", f"exponent of CPU seconds in {run.name}", slope, REPORTED if sized else "<= 1.05",
        slope - width, slope + width,
        note=f"{len(run.sizes)} points from {run.sizes[0]:g} to {run.sizes[-1]:g}; {each[0]:.1f} to "
        f"{each[-1]:.1f} CPU ms per evaluation" + (f"; {_SIZED_WORDS}" if sized else ""),
    )  # fmt: skip


def grown(ground: Ground, name: str, shapes: list[tuple[int, int, int]], repeats: int) -> Grown:
    """Render matrices of several shapes.

    Parameters
    ----------
    ground : Ground
        Model, images and concepts.
    name : {"N", "K", "pixels"}
        What grows.
    shapes : list of (int, int, int)
        Images, concepts, and pixels per side.
    repeats : int
        Of each; the quickest counts.

    Returns
    -------
    Grown
        What they took.
    """
    runs = np.array([_cost(ground, *shape, repeats) for shape in shapes])  # (5, 2)
    grew = {
        "N": [n for n, _, _ in shapes],
        "K": [k for _, k, _ in shapes],
        "pixels": [s * s for *_, s in shapes],
    }
    formula = [2 * n * k + n for n, k, _ in shapes]
    return Grown(name, np.array(grew[name], float), runs[:, 0], np.array(formula, float), runs[:, 1])


def resized(generator: DiffusionAutoencoder, side: int) -> DiffusionAutoencoder:
    """Give the same networks for images of another size: they are convolutions.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Fitted at its own size; at another one its pictures mean nothing.
    side : int
        Pixels per side.

    Returns
    -------
    DiffusionAutoencoder
        A copy.
    """
    made = deepcopy(generator)
    made.form = replace(generator.form, size=(side, side))
    return made


def _cost(ground: Ground, images: int, concepts: int, side: int, repeats: int) -> FloatArray:
    """Evaluations and CPU seconds of one matrix: the least of some runs."""
    editor = LatentEditor(resized(ground.model.generator, side), "fresh", 1)
    ids, codes = ground.prepared.images.ids[:images], ground.prepared.inversion.codes[:images]
    inversion = Inversion(ids, codes, noise_for(ids, editor.generator.image_shape, "edit"))
    seconds = []
    for _ in range(repeats):
        ledger = CostLedger()
        judge = Judge(ground.model.classifier, ground.cells.value_range, ledger)
        started = time.process_time()
        effect_matrix(editor, judge, inversion, ground.concepts[:concepts], editor.generator.pixels.size)
        seconds.append(time.process_time() - started)
    return np.array([sum(ledger.nfe.values()), min(seconds)])
