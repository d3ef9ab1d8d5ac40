"""S3 and S5: what searches lose, and what they cost."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.special import expit

from diffex.base.noise import derive_seed
from diffex.concepts import ConceptTree, Node, read_tree
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.beam import beam_as_released, leditspp_evaluations, released_evaluations
from diffex.effects.intervals import wilson
from diffex.effects.matrix import margin_of
from diffex.effects.tree_race import RANK_ALONE, RaceSettings, race_tree
from diffex.evaluation.bench import Bench
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.semantics.cached import TREE, Cached, cached_edits, edits_of_cells
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
        Seeds in which ours and the published beam find both; how much of the whole tree, all of which
        matters, is called with and without controls.
    """
    cached, seeds = edits_of_cells(bench, "cancelling-edits", crowded_tree()), bench.size(_SEEDS, 4)
    ours = beam = 0
    called = list[tuple[int, int]]()
    for seed in range(seeds):
        rng = np.random.default_rng(derive_seed("cancelling", bench.seed, seed))
        weights = np.zeros(len(FACTORS))
        weights[[factor_index(name) for name in _CROWD]] = rng.uniform(1.5, 2.5, len(_CROWD))
        weights[factor_index("puncta_number")] = rng.uniform(1.0, 1.5)
        edits = _resampled(cached.judged(weights), rng.integers(0, cached.count, cached.count))
        found, alone = (
            _called(cached, one, weights, seed) for one in (edits, _without_controls(cached, edits))
        )
        ours += {_UP, _DOWN} <= found
        called.append((len(found), len(alone)))
        beam += _both_reported(cached.tree, edits, int(rng.integers(cached.count)))
    for what, count, target in (
        ("cancelling children: seeds in which ours finds both", ours, ">= 0.95"),
        ("the same, published beam of width 8", beam, REPORTED),
    ):
        share = wilson(count, seeds)
        yield Measured("S3", what, share[0], target, *share[1:], note=f"{count} of {seeds}")
    heeded = sum(factor_of(node.phrase) is not None for node in cached.tree.phrases())
    note = f"{heeded} phrases, {len(cached.edits.concepts) - len(cached.tree.phrases())} controls"
    whole, part = np.sum(called, axis=0).tolist()
    what = "phrases of this tree that are called, all of which matter"
    for said, count in ((what, whole), (f"{what}, controls left out of the statistics", part)):
        share = wilson(count, heeded * seeds)
        yield Measured("S3", said, share[0], REPORTED, *share[1:], note=note)


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


def crowded_tree() -> ConceptTree:
    """Make a tree of one item over two phrases that cancel, and items that crowd it.

    Returns
    -------
    ConceptTree
        Phrases of the frozen tree.
    """
    phrases = read_tree(TREE).phrases()
    below = [node for node in phrases if node.phrase in (_UP, _DOWN)]
    crowd = [n for n in phrases if (f := factor_of(n.phrase)) is not None and FACTORS[f[0]] in _CROWD]
    item = f"all/{_ITEM}"
    nodes = [Node("all", "all"), Node(item, _ITEM, "all", _ITEM)]
    nodes += [
        replace(node, id=f"{parent}/{node.name.replace(' ', '-')}", parent=parent)
        for parent, some in ((item, below), ("all", crowd))
        for node in some
    ]
    return ConceptTree(tuple(nodes))


def _resampled(edits: PhraseEdits, rows: IntArray) -> PhraseEdits:
    """The same phrases on images drawn with replacement."""
    subject = replace(
        edits.subject,
        inversion=edits.subject.inversion.take(rows.tolist()),
        null_logits=edits.subject.null_logits[rows],
        null_measured=edits.subject.null_measured.iloc[rows],
    )
    part = PhraseEdits(subject, edits.concepts, edits.opposite)
    part.logits, part.changes = edits.logits[:, rows], edits.changes[:, rows]
    part.sizes = edits.sizes[:, rows]
    return part


def _without_controls(cached: Cached, edits: PhraseEdits) -> PhraseEdits:
    some = len(cached.tree.phrases())
    part = PhraseEdits(edits.subject, edits.concepts[:some], edits.opposite[:some])
    part.logits, part.changes, part.sizes = edits.logits[:some], edits.changes[:some], edits.sizes[:some]
    return part


def _called(cached: Cached, edits: PhraseEdits, weights: FloatArray, seed: int) -> set[str]:
    """Phrases called with the right sign."""
    table = cached.assessed(edits, seed)
    return {
        row["words"]
        for row in table[table["significant"]].to_dict("records")
        if (named := factor_of(row["words"])) and row["effect"] * named[1] * weights[named[0]] > 0
    }


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
