"""A6: what the test finds where there is nothing to find, and where there is one thing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.stats import spearmanr

from diffex.base.noise import derive_seed
from diffex.classifiers import Classifier
from diffex.classifiers.blackbox import SmallConvNet
from diffex.concepts import Concept
from diffex.effects.arrays import FloatArray
from diffex.effects.intervals import wilson
from diffex.effects.nulls import random_directions
from diffex.evaluation.attributes.chorus import blinkered
from diffex.evaluation.attributes.null_runs import (
    BANK,
    TESTED,
    dealt,
    discoveries,
    finds_planted,
    planted_screen,
    share_of_runs,
    sign_flipped,
)
from diffex.evaluation.attributes.screens import (
    Ground,
    Screen,
    concept_screen,
    ground_of,
    voiced_screens,
)
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import SHIPPED_RULES, TARGET, shipped_model
from diffex.evaluation.real_fits import real_model, real_side
from diffex.evaluation.resampling import bootstrap_mean
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import FKHR, planted
from diffex.evaluation.stages import attribute_config, black_box
from diffex.explainers.significance import NULL_DIRECTIONS
from diffex.generators import DiffusionAutoencoder
from diffex.generators.model import Model
from diffex.images import Images, sample

_VISIBLE = 0  # the channel that blinkered classifiers see
_QUIET = 0.02
_HARDLY = 0.05
_WITHOUT_SENSE = 20  # by chance alone |Spearman| is 0 to 0.6 here: images move in about ten dimensions


def measure_nulls_planted(bench: Bench) -> Iterator[Measured]:
    """Measure A6 on planted cells with the shipped weights.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    models = {name: shipped_model(name, bench.device) for name in SHIPPED_RULES}
    generator = next(iter(models.values())).generator
    voices = {name: model.classifier for name, model in models.items()}
    target = voices["linear"].card.class_names.index(TARGET)
    cells = planted(bench.size(128, 32), 7000 + bench.seed)
    runs = bench.size(50, 5)
    screens = random_screens(bench, cells, generator, voices, target, runs)
    yield _random_runs(bench, "planted cells", screens, runs)
    yield from _unseen(bench, cells, generator, voices, target)
    pool = _pool_screens(bench, models["linear"], voices, target)
    yield _flipped_runs(bench, "planted cells", pool["linear"])
    yield from _sanity(bench, pool)
    yield _lone_active(bench, screens["linear"])


def measure_nulls_fkhr(bench: Bench) -> Iterator[Measured]:
    """Measure A6 on bbbc013_fkhr.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    model = real_model(bench, FKHR).model
    test = real_side(bench, FKHR, "test")
    target = model.classifier.card.class_names.index("positive")
    runs = bench.size(50, 5)
    screens = random_screens(bench, test, model.generator, {"fkhr": model.guide}, target, runs)
    yield _random_runs(bench, FKHR, screens, runs)
    screen = concept_screen(bench, test, model, attribute_config(bench, "positive"))
    yield _flipped_runs(bench, FKHR, screen)


def random_screens(
    bench: Bench,
    cells: Images,
    generator: DiffusionAutoencoder,
    voices: Mapping[str, Classifier],
    target: int,
    runs: int,
) -> dict[str, Screen]:
    """Render random directions once, for null runs that share no tested direction; ask every classifier.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    cells : Images
        A few of them are edited.
    generator : DiffusionAutoencoder
        The renderer.
    voices : mapping of str to Classifier
        Differentiable.
    target : int
        Index of the class.
    runs : int
        Runs that each classifier will have; `dealt` says which directions are whose.

    Returns
    -------
    dict of str to Screen
        One per classifier.
    """
    count, some = BANK + runs * TESTED, sample(cells, bench.size(24, 16), bench.seed)

    def directions(ground: Ground) -> list[Concept]:
        drawn = random_directions(ground.metric, ground.covariance, ground.size, count, bench.seed + 77)
        return as_concepts(drawn, "random")

    content = [some.fingerprint(), generator.state_hash(), count, bench.seed]
    return voiced_screens(
        bench, "randoms", lambda: ground_of(some, generator, bench.seed), directions, voices, target, content
    )


def as_concepts(directions: FloatArray, kind: str) -> list[Concept]:
    """Make concepts of directions.

    Parameters
    ----------
    directions : ndarray, shape (K, d)
        Changes of the code.
    kind : str
        Their source.

    Returns
    -------
    list of Concept
        Numbered.
    """
    return [
        Concept(f"{kind}:{k}", kind, f"{kind} {k}", torch.from_numpy(np.asarray(v, dtype=np.float32)))
        for k, v in enumerate(directions)
    ]


def _random_runs(bench: Bench, where: str, screens: Mapping[str, Screen], runs: int) -> Measured:
    found = []
    for name, screen in screens.items():
        for run in range(runs):
            seed = derive_seed("random runs", name, run, bench.seed) % 2**31
            found.append(len(discoveries(screen, *dealt(run, seed), seed)) > 0)
    value, low, high, target = share_of_runs(np.array(found))
    note = f"{len(found)} runs of {len(screens)} classifiers, each with {TESTED} directions of its own"
    what = f"random directions called concepts, {where}: share of runs with a discovery"
    return Measured("A6", what, value, target, low, high, note=note)


def _flipped_runs(bench: Bench, where: str, screen: Screen) -> Measured:
    positions = np.arange(len(screen.directions))
    parts = positions[~screen.random], positions[screen.random]
    found = []
    for run in range(bench.size(200, 20)):
        seed = derive_seed("sign flips", where, run, bench.seed) % 2**31
        flipped = sign_flipped(screen, seed)
        found.append(len(discoveries(flipped, *parts, positions[:0], seed)) > 0)
    value, low, high, target = share_of_runs(np.array(found))
    what = f"sign-flipped matrices, {where}: share of runs with a discovery"
    return Measured("A6", what, value, target, low, high, note=f"{len(found)} runs")


def quiet_directions(ground: Ground, channel: int, count: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Find directions that leave one channel alone.

    Generalised eigenvectors of the channel's part of the image metric, relative to the whole of it: those
    whose squared change falls into the channel by at most a fiftieth (the two quietest at least) span the
    space that directions are drawn from.

    Parameters
    ----------
    ground : Ground
        Images and their pooled steps.
    channel : int
        The channel to leave alone.
    count : int
        How many.
    seed : int
        Of the mixtures.

    Returns
    -------
    (ndarray of shape (count, d), ndarray of shape (count,))
        Directions of the common size, and the share of their squared change that falls in the channel.
    """
    channels = len(ground.images.channel_names)
    part = ground.steps.shape[2] // channels
    steps = ground.steps[:, :, channel * part : (channel + 1) * part]
    within = np.einsum("mdp,mep->de", steps, steps) / (len(steps) * part * channels)
    every = np.einsum("mdp,mep->de", ground.steps, ground.steps) / (len(steps) * part * channels)
    ridge = 1e-6 * np.trace(every) / len(every) * np.eye(len(every))
    parts, vectors = eigh(within, every + ridge)
    basis = vectors[:, : max(2, int((parts <= _QUIET).sum()))]
    random = np.random.default_rng(seed)
    mixed = random.standard_normal((count, basis.shape[1])) @ basis.T
    lengths = np.sqrt(np.einsum("kd,de,ke->k", mixed, ground.metric, mixed))
    mixed *= (ground.size / lengths)[:, None]
    shares = np.einsum("kd,de,ke->k", mixed, within, mixed) / np.einsum("kd,de,ke->k", mixed, every, mixed)
    return mixed, shares


def _unseen(
    bench: Bench,
    cells: Images,
    generator: DiffusionAutoencoder,
    voices: Mapping[str, Classifier],
    target: int,
) -> Iterator[Measured]:
    """Classifiers that get one channel alone, concepts that act on the others alone."""
    blind = {f"blinkered-{name}": blinkered(voice, _VISIBLE) for name, voice in voices.items()}
    quiet, arbitrary = bench.size(80, 12), bench.size(80, 12)
    ground = ground_of(cells, generator, bench.seed)
    silent, shares = quiet_directions(ground, _VISIBLE, quiet, bench.seed)
    drawn = random_directions(ground.metric, ground.covariance, ground.size, arbitrary, bench.seed + 78)
    concepts = [*as_concepts(silent, "unseen"), *as_concepts(drawn, "random")]
    content = [cells.fingerprint(), generator.state_hash(), quiet, arbitrary, bench.seed]
    screens = voiced_screens(bench, "unseen", lambda: ground, lambda _: concepts, blind, target, content)
    found = []
    each = max(1, bench.size(200, 20) // len(screens))
    for name, screen in screens.items():
        for run in range(each):
            seed = derive_seed("unseen", name, run, bench.seed) % 2**31
            random = np.random.default_rng(seed)
            tested = random.choice(np.flatnonzero(~screen.random), max(1, 3 * quiet // 4), replace=False)
            dealt = random.permutation(np.flatnonzero(screen.random))
            calibrating, beside = np.split(dealt, [max(8, arbitrary // 4)])
            hits = discoveries(screen, tested, calibrating, beside[:NULL_DIRECTIONS], seed)
            found.append(bool(np.isin(hits, tested).any()))
    value, low, high, limit = share_of_runs(np.array(found))
    note = (
        f"{len(found)} runs; classifiers that get channel {cells.channel_names[_VISIBLE]} alone, directions "
        f"with {shares.mean():.1%} of their squared change in it"
    )
    what = "factors the classifier cannot see: share of runs with a discovery"
    hardly = bool(shares.mean() <= _HARDLY)
    yield Measured("A6", what, value, limit, low, high, note=note, holds=hardly)


def random_network(like: Classifier, seed: int) -> Classifier:
    """Make a classifier with the same card and weights that never saw an image.

    Parameters
    ----------
    like : Classifier
        Gives the card.
    seed : int
        Of the weights.

    Returns
    -------
    Classifier
        Untrained.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SmallConvNet(like.card.channels, len(like.card.class_names))
    return Classifier(network.to(like.device), like.card, differentiable=True, address="random weights")


def _pool_screens(
    bench: Bench, model: Model, voices: Mapping[str, Classifier], target: int
) -> dict[str, Screen]:
    """Concepts proposed for the linear classifier, seen by it, by untrained and by mistaught ones."""
    cells = planted(bench.size(256, 32), 8000 + bench.seed, SHIPPED_RULES["linear"])
    taught = planted(bench.size(1500, 120), 9000 + bench.seed, SHIPPED_RULES["linear"])
    config = attribute_config(bench, TARGET)
    own = concept_screen(bench, cells, model, config)
    every = {"linear": voices["linear"]}
    for k in range(bench.size(_WITHOUT_SENSE, 2)):
        every[f"random-{k}"] = random_network(voices["linear"], derive_seed("weights", k, bench.seed) % 2**31)
    for k in range(bench.size(_WITHOUT_SENSE, 2)):
        assert taught.labels is not None
        order = np.random.default_rng([bench.seed, k]).permutation(len(taught))
        wrong = replace(taught, labels=taught.labels[order])
        every[f"permuted-{k}"] = black_box(
            bench, "permuted", wrong, steps=bench.size(200, 10), seed=bench.seed + k
        )
    concepts = as_concepts(own.directions, "pool")
    chosen = sample(cells, bench.size(128, 24), bench.seed)
    content = [chosen.fingerprint(), model.state_hash(), own.directions.round(5).tolist()]
    others = voiced_screens(
        bench, "pool", lambda: ground_of(chosen, model.generator, bench.seed), lambda _: concepts, every,
        target, content,
    )  # fmt: skip
    return {**others, "linear": own, "same": others["linear"]}


def _sanity(bench: Bench, pool: Mapping[str, Screen]) -> Iterator[Measured]:
    trained = odd_effects(pool["same"])
    for kind, words in (("random", "random-weight"), ("permuted", "permuted-label")):
        values = np.array(
            [
                abs(float(spearmanr(trained, odd_effects(screen)).statistic))
                for name, screen in pool.items()
                if name.startswith(f"{kind}-")
            ]
        )
        value = bootstrap_mean(np.nan_to_num(values, nan=1.0), bench.seed)
        note = f"mean of {len(values)} classifiers, {values.min():.2f} to {values.max():.2f}"
        what = f"|Spearman| of effects, {words} classifiers with the trained one"
        yield Measured("A6", what, value[0], "< 0.3", *value[1:], note=note)


def odd_effects(screen: Screen) -> NDArray[np.float64]:
    """Mean signed effect of every concept: half the difference between its two signs.

    Parameters
    ----------
    screen : Screen
        The matrix.

    Returns
    -------
    ndarray, shape (K,)
        In logits.
    """
    mean = screen.effects.mean(0)
    return np.asarray((mean[:, 0] - mean[:, 1]) / 2)


def _lone_active(bench: Bench, screen: Screen) -> Measured:
    runs = bench.size(100, 10)
    found = 0
    for run in range(runs):
        seed = derive_seed("lone", run, bench.seed) % 2**31
        made = planted_screen(screen.metric, screen.covariance, screen.size, seed)
        found += finds_planted(made, seed)
    value, low, high = wilson(found, runs)
    note = f"{runs} runs; linear classifier in the shipped code, the other 99 without effect or random"
    what = "share of runs that find the single active concept among 100"
    return Measured("A6", what, value, ">= 0.95", low, high, note=note)
