"""The maps of every peer and of our explanation, for one classifier and the same images; cached."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.hashing import hash_value
from diffex.classifiers import Classifier
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.peers import BASELINES, SALIENCY, Counted, Peer
from diffex.evaluation.peers.edit_maps import EditMaps
from diffex.evaluation.truth.explainers import OURS, Looked, explanation, lookers
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.scene import Scene, scene, summed
from diffex.evaluation.truth.subjects import Subjects
from diffex.generators import DiffusionAutoencoder
from diffex.images import Images
from diffex.runs import Explanation

DEPTH = 2
"""Network evaluations per rendered image of a map."""

_TOP = 5
_PATH = 8


def edit_maps(label: str, generator: DiffusionAutoencoder, pool: Pool, looked: Looked, seed: int) -> EditMaps:
    """Make the class-level map of an explanation: its first five edits, weighted by effect.

    Ours tells what of each edit the classifier answers to; those of peers, as published, what it changes.

    Parameters
    ----------
    label : str
        Name of the explainer.
    generator : DiffusionAutoencoder
        Renders.
    pool : Pool
        Gives directions.
    looked : Looked
        In the explainer's own order.
    seed : int
        Of the noise.

    Returns
    -------
    EditMaps
        Without directions where the explainer found nothing.
    """
    signs = 1.0 - 2.0 * (looked.columns[:_TOP] % 2)
    chosen = [pool.concepts[k].direction.double().numpy() for k in looked.columns[:_TOP] // 2]
    directions = signs[:, None] * np.stack(chosen) if chosen else np.zeros((0, generator.latents))
    editor = LatentEditor(generator, "fresh", DEPTH, seed)
    return EditMaps(label, editor, directions, looked.weights[:_TOP], _PATH if label == OURS else 0)


def explained_maps(explanation: Explanation, generator: DiffusionAutoencoder, seed: int) -> EditMaps:
    """Make the class-level map of a finished explanation: its first five attributes, significant or not.

    Parameters
    ----------
    explanation : Explanation
        Of the attributes of a classifier.
    generator : DiffusionAutoencoder
        That it was made with.
    seed : int
        Of the noise.

    Returns
    -------
    EditMaps
        Of what the classifier answers to.
    """
    table = explanation.effects[explanation.effects["kind"] != "random"]
    good = table.sort_values("rank", kind="stable").drop_duplicates("concept").head(_TOP)
    pairs = zip(good["concept"], good["sign"], strict=True)
    directions = np.stack([sign * explanation.directions[name].double().numpy() for name, sign in pairs])
    editor = LatentEditor(generator, "fresh", DEPTH, seed)
    return EditMaps(OURS, editor, directions, good["effect"].to_numpy(dtype=np.float64), _PATH)


def peer_maps(
    bench: Bench,
    name: str,
    classifier: Classifier,
    images: Images,
    target: int,
    edits: Mapping[str, EditMaps],
    content: Any,
) -> tuple[dict[str, FloatArray], dict[str, int]]:
    """Ask every peer for its maps of the same images.

    Parameters
    ----------
    bench : Bench
        Stages.
    name : str
        Of the classifier, for the stage.
    classifier : Classifier
        The thing explained.
    images : Images
        To be mapped.
    target : int
        Index of the class.
    edits : mapping of str to EditMaps
        Explanations that edit in a generator, ours among them.
    content : object
        What decides these; JSON.

    Returns
    -------
    (dict of str to ndarray of shape (n, h, w), dict of str to int)
        Maps summed over channels, and evaluations per image, of the classifier and of the generator.
    """
    saliency = SALIENCY if classifier.differentiable else ()
    peers: list[Peer] = [*edits.values(), *saliency, *BASELINES]
    hashes = [images.fingerprint(), classifier.state_hash(), target]
    folder = bench.stage(f"maps-{name}", [hashes, [repr(p) for p in (*saliency, *BASELINES)], content,
                                          code_hash((*RUN_ROOMS, "evaluation/peers"))])  # fmt: skip
    if not (folder / "cost.json").exists():
        maps, cost = _asked(peers, classifier, images, target)
        save_tensors(folder / "maps.safetensors", maps)
        write_json(folder / "cost.json", cost)
    kept = load_tensors(folder / "maps.safetensors")
    return {k: v.double().numpy() for k, v in kept.items()}, read_json(folder / "cost.json")


def _asked(
    peers: list[Peer], classifier: Classifier, images: Images, target: int
) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    x, maps, cost = images.read(), {}, {}
    for peer in peers:
        asked = Counted(classifier, images.value_range)
        maps[peer.name] = torch.from_numpy(summed(peer.maps(asked, x, target))).float()
        rendered = peer.evaluations if isinstance(peer, EditMaps) else 0
        cost[peer.name] = rendered + round(asked.evaluations / len(images))
    return maps, cost


def mapped_cells(bench: Bench) -> Scene:
    """Simulate the cells that are mapped; the same for all rows.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Returns
    -------
    Scene
        Cells with their masks.
    """
    return scene(bench, bench.size(32, 6), 17_000)


def maps_of(
    bench: Bench, name: str, made: Subjects, pool: Pool, cells: Scene
) -> tuple[dict[str, FloatArray], dict[str, int]]:
    """Map one classifier of planted cells by ours and by all peers; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages.
    name : str
        Of the classifier.
    made : Subjects
        Classifiers.
    pool : Pool
        What explanations in our generator choose from.
    cells : Scene
        The images.

    Returns
    -------
    (dict of str to ndarray of shape (n, h, w), dict of str to int)
        As of `peer_maps`.
    """
    looked = {label: strongest(one) for label, one in lookers(pool, name, made.target).items()}
    looked[OURS] = explanation(pool, name, made.target, bench.seed)
    edits = {label: edit_maps(label, made.generator, pool, one, bench.seed) for label, one in looked.items()}
    directions = [one.directions.round(4).tolist() for one in edits.values()]
    weights = [one.weights.round(4).tolist() for one in edits.values()]
    content = [made.generator.state_hash(), hash_value(directions), hash_value(weights), bench.seed]
    return peer_maps(bench, name, made.voices[name], cells.images, made.target, edits, content)


def strongest(looked: Looked) -> Looked:
    """Order a peer's edits by their effect toward the target, as its explanation would show them.

    Parameters
    ----------
    looked : Looked
        In any order.

    Returns
    -------
    Looked
        Largest effect first.
    """
    order = np.argsort(-looked.weights, kind="stable")
    return Looked(looked.columns[order], looked.weights[order], looked.note)
