"""S2: are the planted semantics of a scene, not of a single cell, ranked first."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.files import load_tensors, save_tensors
from diffex.base.ledger import CostLedger
from diffex.base.noise import derive_seed
from diffex.classifiers import Classifier, ClassifierCard
from diffex.classifiers.blackbox import SmallConvNet, standardise
from diffex.classifiers.fitting import card_of
from diffex.concepts import ConceptTree, Node
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import Measured
from diffex.evaluation.semantics.cached import fill_or_open, two_logits
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.edits import PhraseEdits
from diffex.explainers.semantics.explain import assess
from diffex.explainers.semantics.preparing import prepare_subject
from diffex.generators.text.model import open_text_model, shipped_text_model
from diffex.images import images_from_arrays
from diffex.images.planted_captions import SCENE_WORDS
from diffex.images.planted_factors import CHANNEL_NAMES
from diffex.images.planted_scenes import SCENE_FACTORS, PlantedScenes
from diffex.measurements import quantities
from diffex.training import TrainConfig, train

_SCENES, _STEPS, _BATCH = 2500, 500, 48
_SEEDS = 20
_MEASURED = {
    "crowding": "rest_mean_cytoplasm",
    "dividing": "nucleus_mean_cytoplasm",
    "debris": "puncta_count_cytoplasm",
}
_OTHERS = {
    "large nucleus": ("area", True),
    "elongated nucleus": ("eccentricity", True),
    "bright nucleus": ("nucleus_mean_nucleus", True),
    "grainy chromatin": ("granularity_nucleus", True),
    "many puncta": ("puncta_count_organelle", True),
    "bright cytoplasm": ("ring_mean_cytoplasm", True),
    "uneven background": ("background_gradient_cytoplasm", True),
    "dim nucleus": ("nucleus_mean_nucleus", False),
}


class _SceneTask(nn.Module):
    """Regress the three factors of a scene."""

    def __init__(self, network: nn.Module, card: ClassifierCard) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, step: int, generator: torch.Generator, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        read = self.network(standardise(x, self.card, (0.0, 1.0))).float()
        return {"loss": functional.smooth_l1_loss(read, y)}


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
    tree, edits, spread = _edits(bench)
    known = quantities(CHANNEL_NAMES, None)
    seeds, first = bench.size(_SEEDS, 4), 0
    count = edits.sizes.shape[1]
    for seed in range(seeds):
        rng = np.random.default_rng(derive_seed("scenes", bench.seed, seed))
        cause = int(rng.integers(len(SCENE_FACTORS)))
        weights = rng.normal(0, 0.15, len(SCENE_FACTORS))
        weights[cause] = rng.choice([-1, 1]) * rng.uniform(1, 2)
        judged = edits.judged_by(partial(two_logits, weights=weights))
        config = SemanticConfig(target="treated", images=count, seed=seed)
        best = assess(tree, judged, known, spread, None, 1, config).iloc[0]
        own = SCENE_WORDS[SCENE_FACTORS[cause]]
        phrase = tree.node(str(best["concept"])).phrase
        raises = (best["effect"] > 0) == (best["sign"] * (1 if phrase == own[0] else -1) * weights[cause] > 0)
        first += bool(best["significant"] and phrase in own and raises)
    share = wilson(first, seeds)
    yield Measured(
        "S2", "seeds in which the planted cause of a scene ranks first, right sign", share[0], ">= 0.95",
        share[1], share[2], note=f"{first} of {seeds}; {len(tree.phrases())} phrases",
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


def _edits(bench: Bench) -> tuple[ConceptTree, PhraseEdits, np.ndarray]:
    """All phrases in 32 scenes, with the three factors read off every rendering."""
    tree, count = _tree(), bench.size(32, 12)
    images = PlantedScenes().images(count, 40 + bench.seed)
    model = open_text_model(str(shipped_text_model()), bench.device)
    config = SemanticConfig(target=SCENE_FACTORS[0], images=count, seed=bench.seed, force=True)
    subject, _, _, real = prepare_subject(images, _reader(bench), model, config, CostLedger())
    concepts = [subject.editor.concept(n.id, n.phrase or n.name, n.name, n.parent) for n in tree.phrases()]
    edits = PhraseEdits(subject, concepts)
    stage = bench.stage("scene-edits", [model.state_hash(), tree.as_dict(), config.model_dump(), count])
    fill_or_open(edits, stage / "edits.npz")
    return tree, edits, real.std(axis=0).to_numpy()


def _reader(bench: Bench) -> Classifier:
    """Train a network that reads the factors of scenes, or open it."""
    count, steps = bench.size(_SCENES, 200), bench.size(_STEPS, 40)
    stage = bench.stage("scene-reader", [count, steps, _BATCH, bench.seed])
    scenes = PlantedScenes()
    factors = scenes.sample_factors(count, 600 + bench.seed)
    x = scenes.render(factors, list(range(count)))
    images = images_from_arrays(x, channel_names=CHANNEL_NAMES)
    card = card_of(images, SCENE_FACTORS)
    torch.manual_seed(bench.seed)
    network = SmallConvNet(len(CHANNEL_NAMES), len(SCENE_FACTORS))
    goal = factors.copy()
    goal[:, 1] = np.sign(factors[:, 1])  # a division is there or not
    target = torch.from_numpy(goal.astype(np.float32))
    kept = stage / "reader.safetensors"
    if not kept.is_file():
        train(
            _SceneTask(network, card),
            lambda rows, g: {"x": images.read(rows), "y": target[torch.from_numpy(rows)]},
            count,
            TrainConfig(steps=steps, batch_size=_BATCH, lr=2e-3, ema=0.99, seed=bench.seed),
            stage / "training",
            device=torch.device("cpu"),
            what="scene reader",
        )
        save_tensors(kept, network.state_dict())
    network.load_state_dict(load_tensors(kept))
    return Classifier(network.eval(), card, differentiable=True, address="scene reader")
