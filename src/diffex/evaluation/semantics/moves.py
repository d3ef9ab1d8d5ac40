"""Coordinates of a generator moved one by one, and what classifiers and oracle say of it."""

from dataclasses import dataclass
from typing import final

import torch

from diffex.base.files import load_tensors, save_tensors
from diffex.base.hashing import hash_tensors
from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.classifiers import Classifier
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, effect_matrix
from diffex.effects.strengths import calibrate
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.bench import FIT_ROOMS, RUN_ROOMS, Bench, code_hash
from diffex.evaluation.peers.style_search import StyleEdits, style_matrix, style_range
from diffex.evaluation.peers.stylex_training import TrainedStylex
from diffex.evaluation.semantics.gan_peer import fitting_images
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.subjects import Subjects
from diffex.images import Images

_RANGED = 2000  # images that give the ends of a coordinate


@final
@dataclass(frozen=True, eq=False)
class Moved:
    """What edits did to every classifier and to the factors.

    Parameters
    ----------
    factors : ndarray, shape (n, m, 2, 12)
        Change of every factor as the oracle reads it, corrected.
    logits : dict of str to ndarray of shape (n, m, 2, k)
        Of the edits, by classifier.
    plain : dict of str to ndarray of shape (n, k)
        Of the null edits.
    """

    factors: FloatArray
    logits: dict[str, FloatArray]
    plain: dict[str, FloatArray]


def style_moves(bench: Bench, made: Subjects, trained: TrainedStylex, cells: Images) -> Moved:
    """Move every style coordinate to both ends and ask all classifiers and the oracle; cached.

    Parameters
    ----------
    bench : Bench
        Stages, size of the run: a quick one takes a few coordinates.
    made : Subjects
        Classifiers and oracle.
    trained : TrainedStylex
        The peer.
    cells : Images
        To be edited.

    Returns
    -------
    Moved
        By coordinate and end.
    """
    count = trained.model.coordinates
    coordinates = evenly(count, bench.size(count, 12))
    weights = hash_tensors(trained.model.state_dict())
    content = [
        weights,
        cells.fingerprint(),
        made.hashes(),
        made.oracle.reader.state_hash(),
        coordinates.tolist(),
    ]
    folder = bench.stage("styles", [*content, code_hash((*FIT_ROOMS, "evaluation/peers"))])
    images = fitting_images(bench)
    high, low = style_range(trained, images.subset(evenly(len(images), _RANGED)))
    edits = StyleEdits(trained, cells, high.to(bench.device), low.to(bench.device))
    together, columns = chorus(heard_by(made), cells.value_range)
    judge = Judge(together, cells.value_range, CostLedger())
    return moved(made, judge.logits(edits.null()), style_matrix(edits, coordinates, judge, folder), columns)


def latent_moves(bench: Bench, made: Subjects, pool: Pool, cells: Images) -> Moved:
    """Move every latent of the autoencoder by the common size, both ways; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run: a quick one takes a few latents.
    made : Subjects
        Generator, classifiers, oracle.
    pool : Pool
        Gives metric and common size.
    cells : Images
        To be edited.

    Returns
    -------
    Moved
        By latent and sign.
    """
    generator = made.generator
    axes = torch.eye(generator.latents)[: bench.size(generator.latents, 6)]
    concepts = [Concept(f"latent:{k}", "latent", f"latent {k}", axis) for k, axis in enumerate(axes)]
    content = [made.hashes(), generator.state_hash(), made.oracle.reader.state_hash(), cells.fingerprint()]
    path = bench.stage("latents", [*content, len(axes), bench.seed, code_hash(RUN_ROOMS)])
    together, columns = chorus(heard_by(made), cells.value_range)
    if not (path / "outputs.safetensors").exists():
        ledger, editor = CostLedger(), LatentEditor(generator, "fresh", 1, bench.seed)
        inversion = editor.invert(cells.read(), cells.ids)
        few = inversion.rows(0, min(8, len(cells)))
        scaled = calibrate(concepts, editor, few, pool.metric, pool.size, ledger)
        judge = Judge(together, cells.value_range, ledger)
        matrix = effect_matrix(editor, judge, inversion, scaled, generator.pixels.size)
        outputs = {"plain": torch.from_numpy(matrix.null), "edits": torch.from_numpy(matrix.edits)}
        save_tensors(path / "outputs.safetensors", outputs)
    kept = load_tensors(path / "outputs.safetensors")
    return moved(made, kept["plain"].numpy(), kept["edits"].numpy(), columns)


def heard_by(made: Subjects) -> dict[str, Classifier]:
    """List what is asked of edits.

    Parameters
    ----------
    made : Subjects
        Classifiers and oracle.

    Returns
    -------
    dict of str to Classifier
        The classifiers by name, and ``"oracle"``.
    """
    return {**made.voices, "oracle": made.oracle.reader}


def moved(made: Subjects, plain: FloatArray, outputs: FloatArray, columns: dict[str, slice]) -> Moved:
    """Sort outputs by network.

    Parameters
    ----------
    made : Subjects
        Its oracle corrects the factors.
    plain : ndarray, shape (n, k)
        Outputs on null edits.
    outputs : ndarray, shape (n, m, 2, k)
        On edits.
    columns : dict of str to slice
        From `chorus`.

    Returns
    -------
    Moved
        By classifier, and the factors.
    """
    own = columns["oracle"]
    factors = made.oracle.corrected(outputs[..., own] - plain[:, None, None, own])
    names = list(made.voices)
    return Moved(
        factors, {n: outputs[..., columns[n]] for n in names}, {n: plain[:, columns[n]] for n in names}
    )
