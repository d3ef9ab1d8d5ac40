"""S2: are the planted semantics of a scene, not of a single cell, ranked first."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from diffex.base.noise import derive_seed
from diffex.concepts import ConceptTree
from diffex.concepts.describers import OfflineDescriber
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.semantics.cached import Cached, render_tree
from diffex.evaluation.semantics.oracle import fit_reader
from diffex.explainers.semantics.checking import DONE
from diffex.images import Images
from diffex.images.planted_captions import SCENE_WORDS
from diffex.images.planted_scenes import SCENE_FACTORS, PlantedScenes
from diffex.training import TrainConfig

_SCENES, _STEPS = 2500, 500
_SEEDS = 20
_DIVIDING = "brightest_cytoplasm"  # a dividing cell's nucleus is no brighter here, what surrounds it is


def measure_scenes(bench: Bench) -> Iterator[Measured]:
    """Rank phrases for classifiers of scenes, each with one planted cause (S2).

    Parameters
    ----------
    bench : Bench
        Seed and sizes.

    Yields
    ------
    Measured
        Seeds in which the planted cause is ranked first, and called.
    """
    cached = _edits(bench)
    seeds, first, called = bench.size(_SEEDS, 4), 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng(derive_seed("scenes", bench.seed, seed))
        cause = int(rng.integers(len(SCENE_FACTORS)))
        weights = rng.normal(0, 0.15, len(SCENE_FACTORS))
        weights[cause] = rng.choice([-1, 1]) * rng.uniform(1, 2)
        best = cached.assessed(cached.judged(weights), seed).iloc[0]
        own = SCENE_WORDS[SCENE_FACTORS[cause]]
        phrase = cached.tree.node(str(best["concept"])).phrase
        raises = (best["effect"] > 0) == (best["sign"] * (1 if phrase == own[0] else -1) * weights[cause] > 0)
        right = bool(best["edit"] == DONE and phrase in own and raises)
        first, called = first + right, called + (right and bool(best["significant"]))
    what = "seeds in which the planted cause of a scene ranks first, right sign"
    note = f"{len(cached.tree.phrases())} phrases"
    share = wilson(first, seeds)
    yield Measured("S2", what, share[0], ">= 0.95", *share[1:], note=f"{first} of {seeds}; {note}")
    share = wilson(called, seeds)
    yield Measured("S2", f"{what}, and is called", share[0], REPORTED, *share[1:], note=note)


def _tree(images: Images) -> ConceptTree:
    """What the offline describer says of fields, the causes among it."""
    measured = dict.fromkeys(SCENE_WORDS["dividing"], _DIVIDING)
    proposed = OfflineDescriber(view="field").describe(images, None)
    return ConceptTree(
        tuple(replace(n, measurement=measured.get(n.name, n.measurement)) for n in proposed.nodes)
    )


def _edits(bench: Bench) -> Cached:
    """All phrases in 32 scenes, with the three factors read off every rendering."""
    count, steps = bench.size(_SCENES, 200), bench.size(_STEPS, 40)
    scenes = PlantedScenes()
    factors = scenes.sample_factors(count, 600 + bench.seed)
    goals = factors.copy()
    goals[:, 1] = np.sign(factors[:, 1])  # a division is there or not
    oracle = fit_reader(
        bench, "scene-reader", lambda m: scenes.render(factors[:m], list(range(m))), goals, SCENE_FACTORS,
        TrainConfig(steps=steps, batch_size=48, lr=2e-3, ema=0.99, seed=bench.seed),
    )  # fmt: skip
    images = scenes.images(bench.size(32, 12), 40 + bench.seed)
    return render_tree(bench, "scene-edits", _tree(images), images, oracle, "field")
