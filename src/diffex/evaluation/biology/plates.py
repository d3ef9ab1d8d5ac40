"""B5: are attributes that a plate moves named, and none where no plate does."""

from collections.abc import Iterator

import numpy as np

from diffex.base.noise import derive_seed
from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.cells import PLAIN, factor_column, planted_cells
from diffex.evaluation.rows import Measured
from diffex.images.planted_factors import FACTORS
from diffex.responses.confounds import Confounds, find_confounds

_PLATES, _WELLS, _CELLS = 4, 6, 8
_CONDITION, _STAIN = "nucleus_area", "cytoplasm_intensity"
_CONDITION_SHIFT = 1.0
_PLATE_SHIFT = 0.8
_WELL_SD = 0.2


def measure_plates(bench: Bench) -> Iterator[Measured]:
    """Measure B5 on planted cells: a stain that differs between plates, beside a condition that moves nuclei.

    Four plates of six wells, half of them treated; wells differ by 0.2 standard deviations of every
    factor. The planted plate effect runs from -0.8 to 0.8 standard deviations of one factor.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Sets with and without a plate effect in which the moved, or any, attribute is flagged.
    """
    sets = bench.size(20, 3)
    for effect, target in ((_PLATE_SHIFT, ">= 0.95"), (0.0, "<= 0.05")):
        found = [planted_plates(derive_seed("plates", bench.seed, effect, k), effect) for k in range(sets)]
        hit = [_STAIN in one.flagged if effect else bool(one.flagged) for one in found]
        others = sum(bool(set(one.flagged) - {_STAIN}) for one in found)
        what = "with a planted plate effect, its attribute flagged" if effect else "without, any flagged"
        yield Measured(
            "B5", f"share of {sets} sets {what}", float(np.mean(hit)), target,
            note=f"another attribute flagged in {others}; measurements stand for attributes",
        )  # fmt: skip


def planted_plates(seed: int, effect: float) -> Confounds:
    """Simulate four plates and ask what separates them.

    Parameters
    ----------
    seed : int
        Of the cells.
    effect : float
        The plate's largest shift of one factor, in standard deviations.

    Returns
    -------
    Confounds
        Over the measurements that follow the planted factors.
    """
    wells = np.repeat(np.arange(_PLATES * _WELLS), _CELLS)
    plates, treated = wells // _WELLS, wells % 2
    random = np.random.default_rng(seed)
    shifts = _WELL_SD * random.standard_normal((_PLATES * _WELLS, len(FACTORS)))[wells]
    shifts[:, factor_column(_CONDITION)] += _CONDITION_SHIFT * treated
    shifts[:, factor_column(_STAIN)] += effect * np.linspace(-1, 1, _PLATES)[plates]
    measured = planted_cells(shifts, seed).table[list(PLAIN.values())]
    return find_confounds(measured, list(PLAIN), treated, plates, wells, seed=seed)
