"""C4: all evaluations of an explanation over those of its matrix."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from diffex.evaluation.bench import Bench
from diffex.evaluation.cost.formula import expected_nfe
from diffex.evaluation.cost.ground import Ground, asked, make_ground
from diffex.evaluation.demo import TARGET
from diffex.evaluation.rows import Measured
from diffex.explainers.config import AttributeConfig, Search
from diffex.explainers.driving import driven
from diffex.explainers.searching import search_effects
from diffex.explainers.significance import ranked_table
from diffex.explainers.verifying import make_verifier


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
    driven(prepared, config.q, config.seed)
    return dict(prepared.ledger.nfe + Counter(calibration=ground.ledger.nfe["calibration"]))
