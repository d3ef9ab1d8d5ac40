"""C4 and C5: all evaluations of an explanation over those of its matrix, and how cost grows."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import get_args

import numpy as np

from diffex.base.ledger import CostLedger
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, effect_matrix
from diffex.evaluation.bench import Bench
from diffex.evaluation.cost.formula import expected_nfe, exponent
from diffex.evaluation.cost.ground import Ground, asked, make_ground
from diffex.evaluation.demo import TARGET
from diffex.evaluation.rows import Measured
from diffex.explainers.config import AttributeConfig, Search
from diffex.explainers.searching import search_effects
from diffex.explainers.significance import ranked_table
from diffex.explainers.verifying import make_verifier

_GROWING = (1, 2, 4, 8, 16)


def measure_share(bench: Bench) -> Iterator[Measured]:
    """Count everything an explanation evaluates, over the exact one-step matrix ``2 N K + N``.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Per search; ``exact`` by the formula that the tests hold the ledger to.
    """
    images, concepts = bench.size((256, 100), (24, 10))
    ground = make_ground(bench, images, concepts)
    matrix = 2 * images * concepts + images
    gates = _gates(bench, ground)
    for search in get_args(Search):
        nfe = _exact(ground) if search == "exact" else _counted(ground, search)
        total = sum(nfe.values()) + gates
        parts = ", ".join(f"{purpose} {count:,}" for purpose, count in nfe.items())
        yield Measured(
            "C4", f"{search}: evaluations over 2NK + N", total / matrix,
            "<= 1.2" if search == "exact" else "<= 0.5",
            note=f"N={images}, K={concepts}; {parts}, gates {gates:,}; verification is apart",
        )  # fmt: skip


def _gates(bench: Bench, ground: Ground) -> int:
    """Evaluations of the reconstructions that edits are compared with."""
    prepared = asked(ground, ground.model, TARGET)
    config = AttributeConfig(target=TARGET, seed=bench.seed, verify_images=8)
    make_verifier(prepared, ground.cells, ground.model.generator, config)
    return prepared.ledger.nfe["gates"]


def _exact(ground: Ground) -> dict[str, int]:
    half = ground.prepared.half
    return expected_nfe(len(half), len(ground.concepts), int(half.sum()), ground.model.generator.latents)


def _counted(ground: Ground, search: Search) -> dict[str, int]:
    """Search and test; preparation and calibration are those of the ground."""
    config = AttributeConfig(target=TARGET, search=search)
    prepared = asked(ground, ground.model, TARGET)
    matrix, searched = search_effects(prepared, ground.concepts, search, config.top)
    ranked_table(prepared, matrix, searched, ground.concepts, ground.size, config)
    return dict(prepared.ledger.nfe + Counter(calibration=ground.ledger.nfe["calibration"]))


def measure_growth(bench: Bench) -> Iterator[Measured]:
    """Render matrices of growing N, and of growing K, and fit the exponent of their cost.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Of evaluations, against the formula's own, and of CPU seconds.
    """
    top, fixed, repeats = bench.size((64, 4, 3), (32, 1, 1))
    ground = make_ground(bench, top, int(_GROWING[-1]))
    for name, shapes in (
        ("N", [(top // int(_GROWING[-1]) * n, fixed) for n in _GROWING]),
        ("K", [(top // 4, k) for k in _GROWING]),
    ):
        runs = np.array([_cost(ground, n, k, repeats) for n, k in shapes])  # (5, 2)
        grown = np.array([n if name == "N" else k for n, k in shapes], dtype=np.float64)
        formula = np.array([2 * n * k + n for n, k in shapes], dtype=np.float64)
        nfe, expected = exponent(grown, runs[:, 0])[0], exponent(grown, formula)[0]
        yield Measured(
            "C5", f"exponent of evaluations in {name}, less the formula's", abs(nfe - expected), "<= 1e-09",
            note=f"{expected:.3f} by 2NK + N",
        )  # fmt: skip
        slope, width = exponent(grown, runs[:, 1])
        yield Measured(
            "C5", f"exponent of CPU seconds in {name}", slope, "<= 1.05", slope - width, slope + width,
            note=f"{len(grown)} points from {grown[0]:g} to {grown[-1]:g}; "
            f"{1000 * runs[-1, 1] / runs[-1, 0]:.1f} CPU ms per evaluation",
        )  # fmt: skip


def _cost(ground: Ground, images: int, concepts: int, repeats: int) -> FloatArray:
    """Evaluations and CPU seconds of one matrix: the least of some runs."""
    prepared, seconds = ground.prepared, []
    for _ in range(repeats):
        ledger = CostLedger()
        judge = Judge(ground.model.classifier, ground.cells.value_range, ledger)
        started = time.process_time()
        effect_matrix(
            prepared.screen, judge, prepared.rows(np.arange(images)), ground.concepts[:concepts],
            ground.model.generator.pixels.size,
        )  # fmt: skip
        seconds.append(time.process_time() - started)
    return np.array([sum(ledger.nfe.values()), min(seconds)])
