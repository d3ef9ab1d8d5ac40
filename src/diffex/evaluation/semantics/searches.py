"""S3 and S5: what searches lose, and what they cost."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit

from diffex.base.noise import derive_seed
from diffex.concepts import ConceptTree, Node
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.beam import beam_as_released, leditspp_evaluations, released_evaluations
from diffex.effects.intervals import wilson
from diffex.effects.matrix import margin_of
from diffex.effects.tree_race import RANK_ALONE, RaceSettings, race_tree
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import Measured
from diffex.evaluation.semantics.cached import Cached, cached_edits
from diffex.evaluation.semantics.planted import random_rule
from diffex.evaluation.semantics.words import factor_of
from diffex.explainers.semantics.checking import columns_named
from diffex.explainers.semantics.edits import PhraseEdits, pilot_edits
from diffex.explainers.semantics.searching import parents_of
from diffex.images.planted_factors import FACTORS, factor_index

_SEEDS, _TOP, _WIDTH = 20, 10, 8
_SAMPLES, _PUBLISHED_STEPS = 4, 50
_ITEM, _UP, _DOWN = "puncta", "many puncta", "few puncta"
_CROWD = ("nucleus_area", "nucleus_eccentricity", "nucleus_intensity", "cytoplasm_intensity", "debris")


def measure_cancelling(bench: Bench) -> Iterator[Measured]:
    """Find two phrases that cancel in their parent, among others that crowd it (S3).

    Parameters
    ----------
    bench : Bench
        Seed and sizes.

    Yields
    ------
    Measured
        Seeds in which ours and the published beam find both.
    """
    cached, seeds = cached_edits(bench), bench.size(_SEEDS, 4)
    tree, places = _crowded_tree(cached)
    ours = beam = 0
    for seed in range(seeds):
        rng = np.random.default_rng(derive_seed("cancelling", bench.seed, seed))
        weights = np.zeros(len(FACTORS))
        weights[[factor_index(name) for name in _CROWD]] = rng.uniform(1.5, 2.5, len(_CROWD))
        weights[factor_index("puncta_number")] = rng.uniform(1.0, 1.5)
        edits = _picked(cached.judged(weights), places, rng.integers(0, cached.count, cached.count))
        ours += _both_called(tree, edits, cached, seed)
        beam += _both_reported(tree, edits, int(rng.integers(cached.count)))
    for what, found, target in (
        ("cancelling children: seeds in which ours finds both", ours, ">= 0.95"),
        ("the same, published beam of width 8", beam, "reported"),
    ):
        share = wilson(found, seeds)
        yield Measured("S3", what, share[0], target, share[1], share[2], note=f"{found} of {seeds}")


def measure_evaluations(bench: Bench) -> Iterator[Measured]:
    """Count network evaluations per image of our search and of the published procedure (S5).

    Parameters
    ----------
    bench : Bench
        Seed and sizes.

    Yields
    ------
    Measured
        Agreement with the exhaustive ranking, and how many times fewer evaluations.
    """
    cached = cached_edits(bench)
    images, phrases = cached.count, len(cached.tree.phrases())
    agreement, shares = _orders(bench, cached)
    steps = cached.edits.subject.editor.inversion_evaluations
    nodes = cached.tree.phrases()
    pilot = pilot_edits(columns_named(nodes, cached.known), np.array([node.rises for node in nodes]))
    published = released_evaluations(_SAMPLES * phrases, _PUBLISHED_STEPS)
    for kind, target in (("rank", ">= 0.95"), ("race", "reported")):
        found = agreement[kind]
        yield Measured(
            "S5", f"nDCG of our pooled top 10 to exhaustive, {kind}", float(found.mean()), target,
            float(found.min()), float(found.max()), note="low and high: extremes over rules",
        )  # fmt: skip
    for kind, own, target in (
        ("rank", _PUBLISHED_STEPS, ">= 8"), ("rank", steps, ">= 15"),
        ("race", _PUBLISHED_STEPS, "reported"), ("race", steps, "reported"),
    ):  # fmt: skip
        share = float(shares[kind].mean())
        calibration = 2 * pilot * own / images  # two evaluations a step
        ours = leditspp_evaluations(2 * phrases, 1, own) - 4 * phrases * own * (1 - share) + calibration
        said = "equal" if own == _PUBLISHED_STEPS else "our"
        yield Measured(
            "S5", f"published over ours, evaluations per image, {said} steps, {kind}", published / ours,
            target,
            note=f"{published} against {ours:.0f}; {phrases} phrases, both signs, {share:.0%} of the edits "
            f"of {images} images, {calibration:.0f} for calibration",
        )  # fmt: skip


def _orders(bench: Bench, cached: Cached) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Agreement with the exhaustive order, and share of edits used, by kind of search; a value per rule."""
    rng = np.random.default_rng(derive_seed("evaluations", bench.seed))
    agreement: dict[str, list[float]] = {"race": [], "rank": []}
    shares: dict[str, list[float]] = {"race": [], "rank": []}
    for seed in range(bench.size(_SEEDS, 4)):
        edits = cached.judged(random_rule(rng))
        effects = edits.effects(1)
        scale = float(margin_of(edits.subject.null_logits, 1).std())
        for kind, how in (("race", RaceSettings(matter=0.2 * scale)), ("rank", RANK_ALONE)):
            order, share = _raced(cached.tree, edits, replace(how, top=_TOP, seed=seed))
            agreement[kind].append(ndcg(np.abs(effects.mean(1)).max(1), order))
            shares[kind].append(share)
    return (
        {kind: np.array(values) for kind, values in agreement.items()},
        {kind: np.array(values) for kind, values in shares.items()},
    )


def ndcg(influence: FloatArray, order: IntArray, top: int = _TOP) -> float:
    """Normalised discounted cumulative gain of a ranking's top.

    Parameters
    ----------
    influence : ndarray, shape (K,)
        What is ranked, exhaustive.
    order : ndarray of int
        Positions, best first.
    top : int, default 10
        How many count.

    Returns
    -------
    float
        1 for the best order.

    Examples
    --------
    >>> ndcg(np.array([3.0, 2.0, 1.0]), np.array([0, 1, 2]))
    1.0
    """
    worth = 1 / np.log2(np.arange(2, top + 2))
    best, got = np.sort(influence)[::-1][:top], influence[order[:top]]
    return float((got * worth[: len(got)]).sum() / (best * worth[: len(best)]).sum())


def _raced(tree: ConceptTree, edits: PhraseEdits, how: RaceSettings) -> tuple[IntArray, float]:
    """Race on the cached matrix: phrases by rank, and the share of edits rendered, once for opposites."""
    effects, opposite = edits.effects(1), edits.opposite
    editable = np.array([node.phrase is not None for node in tree.nodes])
    place = np.cumsum(editable) - 1
    race = race_tree(
        parents_of(tree), editable, lambda nodes, rows: effects[np.ix_(place[nodes], rows)], effects.shape[1],
        how,
    )  # fmt: skip
    images = race.images[editable]
    rendered = np.where(opposite >= 0, np.maximum(images, images[opposite]) / 2, images)
    return place[race.ranking()], float(rendered.sum() / effects[..., 0].size)


def _crowded_tree(cached: Cached) -> tuple[ConceptTree, list[int]]:
    """A tree with one item over two cancelling phrases, and items that crowd it; where their edits are."""
    phrases = cached.tree.phrases()
    place = {node.phrase: k for k, node in enumerate(phrases)}
    crowd = [n for n in phrases if (f := factor_of(n.phrase)) is not None and FACTORS[f[0]] in _CROWD]
    nodes = [Node("all", "all"), Node(f"all/{_ITEM}", _ITEM, "all", _ITEM)]
    nodes += [
        Node(f"all/{_ITEM}/{word.replace(' ', '-')}", word, f"all/{_ITEM}", word, one.measurement, one.rises)
        for word in (_UP, _DOWN)
        for one in [phrases[place[word]]]
    ]
    nodes += [
        Node(f"all/{n.name.replace(' ', '-')}", n.name, "all", n.phrase, n.measurement, n.rises)
        for n in crowd
    ]
    tree = ConceptTree(tuple(nodes))
    return tree, [place[node.phrase] for node in tree.phrases()]


def _picked(edits: PhraseEdits, places: Sequence[int], rows: IntArray) -> PhraseEdits:
    """Some of the phrases, on resampled images."""
    subject = replace(
        edits.subject,
        inversion=edits.subject.inversion.take(rows.tolist()),
        null_logits=edits.subject.null_logits[rows],
        null_measured=edits.subject.null_measured.iloc[rows],
    )
    alone = np.full(len(places), -1)
    part = PhraseEdits(subject, [edits.concepts[k] for k in places], alone)
    some = np.ix_(np.array(places), rows)
    part.logits, part.changes, part.sizes = edits.logits[some], edits.changes[some], edits.sizes[some]
    return part


def _both_called(tree: ConceptTree, edits: PhraseEdits, cached: Cached, seed: int) -> bool:
    table = replace(cached, tree=tree).assessed(edits, seed)
    called = set(table.loc[table["significant"], "words"])
    return _UP in called and _DOWN in called


def _both_reported(tree: ConceptTree, edits: PhraseEdits, image: int) -> bool:
    """Run the published beam on one image, as it was released."""
    names = [node.phrase for node in tree.nodes]
    place = {node.phrase: k for k, node in enumerate(tree.phrases())}
    null = expit(margin_of(edits.subject.null_logits, 1)[image])
    effects = expit(margin_of(edits.logits, 1)[:, image, 0])
    ranking = beam_as_released(
        parents_of(tree), lambda nodes: np.array([effects[place[names[nodes[0]]]]]), null, width=_WIDTH
    )
    reported = {names[node] for (node,) in ranking.reported}
    return {_UP, _DOWN} <= reported
