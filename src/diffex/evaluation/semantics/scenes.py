"""S2: are the planted semantics of a scene, not of a single cell, ranked first."""

from collections.abc import Iterator

import numpy as np

from diffex.base.noise import derive_seed
from diffex.concepts import ConceptTree, Node
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import Measured
from diffex.evaluation.semantics.cached import Cached, render_tree
from diffex.evaluation.semantics.oracle import fit_reader
from diffex.images.planted_captions import SCENE_WORDS
from diffex.images.planted_scenes import SCENE_FACTORS, PlantedScenes
from diffex.training import TrainConfig

_SCENES, _STEPS = 2500, 500
_SEEDS = 20
_MEASURED = {
    "crowding": "object_count",
    "dividing": "brightest_cytoplasm",
    "debris": "speck_contrast_nucleus",
}
_OTHERS = {
    "large nucleus": ("object_area", True),
    "elongated nucleus": ("object_eccentricity", True),
    "bright nucleus": ("object_mean_nucleus", True),
    "grainy chromatin": ("granularity_nucleus", True),
    "many puncta": ("puncta_count_organelle", True),
    "bright cytoplasm": ("object_mean_cytoplasm", True),
    "uneven background": ("background_gradient_cytoplasm", True),
    "dim nucleus": ("object_mean_nucleus", False),
}


def measure_scenes(bench: Bench) -> Iterator[Measured]:
    """Rank phrases for classifiers of scenes, each with one planted cause (S2).

    Parameters
    ----------
    bench : Bench
        Seed and sizes.

    Yields
    ------
    Measured
        Seeds in which the planted cause is called and ranked first.
    """
    cached = _edits(bench)
    seeds, first = bench.size(_SEEDS, 4), 0
    for seed in range(seeds):
        rng = np.random.default_rng(derive_seed("scenes", bench.seed, seed))
        cause = int(rng.integers(len(SCENE_FACTORS)))
        weights = rng.normal(0, 0.15, len(SCENE_FACTORS))
        weights[cause] = rng.choice([-1, 1]) * rng.uniform(1, 2)
        best = cached.assessed(cached.judged(weights), seed).iloc[0]
        own = SCENE_WORDS[SCENE_FACTORS[cause]]
        phrase = cached.tree.node(str(best["concept"])).phrase
        raises = (best["effect"] > 0) == (best["sign"] * (1 if phrase == own[0] else -1) * weights[cause] > 0)
        first += bool(best["significant"] and phrase in own and raises)
    share = wilson(first, seeds)
    yield Measured(
        "S2", "seeds in which the planted cause of a scene ranks first, right sign", share[0], ">= 0.95",
        share[1], share[2], note=f"{first} of {seeds}; {len(cached.tree.phrases())} phrases",
    )  # fmt: skip


def _tree() -> ConceptTree:
    nodes = [Node("scene", "scene"), Node("cell", "cell")]
    for name, pair in SCENE_WORDS.items():
        nodes += [
            Node(f"scene/{word.replace(' ', '-')}", word, "scene", word, _MEASURED[name], rises)
            for word, rises in zip(pair, (True, False), strict=True)
        ]
    nodes += [
        Node(f"cell/{word.replace(' ', '-')}", word, "cell", word, measurement, rises)
        for word, (measurement, rises) in _OTHERS.items()
    ]
    return ConceptTree(tuple(nodes))


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
    return render_tree(bench, "scene-edits", _tree(), images, oracle, "field")
