"""C1: the published ranking from a matrix that is rendered once."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from diffex.effects.search import Found, attfind
from diffex.evaluation.bench import Bench
from diffex.evaluation.cost.ground import BLIND_KINDS, make_ground, probability_of, published_steps
from diffex.evaluation.peers.attfind import DECAY, THRESHOLD
from diffex.evaluation.peers.attfind_rendered import Rendering, looked_up, published_attfind
from diffex.evaluation.rows import REPORTED, Measured


def measure_cached(bench: Bench) -> Iterator[Measured]:
    """Run the published procedure with all that it renders, and our search on a cached matrix.

    Both invert with 50 and render with 20 evaluations, compare probabilities with the original image, and
    remove explained images; the release's value range and class index are mended in both.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Whether the rankings agree, by how much effects differ, and the ratio of evaluations.
    """
    images, concepts, most = bench.size((16, 10, 10), (4, 3, 2))
    ground = make_ground(bench, images, concepts, BLIND_KINDS)
    steps, prepared = published_steps(bench), ground.prepared
    rendering = Rendering(
        ground.model.generator, ground.model.classifier, ground.cells.value_range,
        prepared.x[:images], ground.concepts, steps,
    )  # fmt: skip
    shifts = rendering.shifts(partial(probability_of, target=prepared.target))
    published = published_attfind(shifts, images, concepts, most, steps)
    matrix = shifts(np.arange(images), np.ones((concepts, 2), dtype=bool))
    nfe = steps.evaluations(images, 2 * concepts)
    cached = attfind(matrix, most, THRESHOLD, DECAY)
    same, apart = agreement(published.found, cached)
    note = f"N={images}, K={concepts}, M={most}, {steps.invert} and {steps.render} steps; "
    yield Measured(
        "C1", "cached matrix: same directions, signs and removals, as a share", same, ">= 1",
        note=f"{note}{len(cached)} directions found",
    )  # fmt: skip
    yield Measured(
        "C1", "cached matrix: largest difference of an effect", apart, "<= 0.001", note="of probability"
    )
    kept = published_attfind(looked_up(matrix), images, concepts, most, steps, removing=False)
    yield Measured(
        "C1", "published over cached, network evaluations as run", published.nfe / nfe, "2 to 10",
        note=f"{note}{published.nfe:,} against {nfe:,}; {published.passes} passes",
    )  # fmt: skip
    yield Measured(
        "C1", "published over cached, no image ever removed", kept.nfe / nfe, REPORTED,
        note=f"{kept.nfe:,} against {nfe:,}",
    )  # fmt: skip


def agreement(a: tuple[Found, ...], b: tuple[Found, ...]) -> tuple[float, float]:
    """Compare two rankings.

    Parameters
    ----------
    a, b : tuple of Found
        In the order accepted.

    Returns
    -------
    (float, float)
        Share of places with the same direction, sign and images removed; largest difference of an effect
        over those places, NaN where there are none.
    """
    pairs = list(zip(a, b, strict=False))
    equal = [(p, q) for p, q in pairs if (p.concept, p.sign, p.explained) == (q.concept, q.sign, q.explained)]
    apart = max((abs(p.effect - q.effect) for p, q in equal), default=float("nan"))
    return len(equal) / max(len(a), len(b), 1), apart
