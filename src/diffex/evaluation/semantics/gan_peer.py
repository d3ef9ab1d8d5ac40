"""The GAN peer of S6: a StylEx of the shipped generator's own images, and how good it is beside it."""

import time
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from diffex.classifiers import Classifier
from diffex.editors import LatentEditor
from diffex.evaluation.attributes.recovery import spearman
from diffex.evaluation.bench import FIT_ROOMS, Bench, code_hash
from diffex.evaluation.peers.stylex_training import StylexConfig, TrainedStylex, kept_stylex
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.subjects import Subjects
from diffex.generators import DiffusionAutoencoder, logits_of
from diffex.generators.duration import step_seconds
from diffex.generators.losses import AutoencoderTask, LogitScale
from diffex.images import Images, PlantedCells

STEPS = 7000
"""Of 32 images: on one core at least the CPU-seconds of the shipped generator's 2,400 of 48."""

_SHIPPED_SEED, _SHIPPED_CELLS = 2025, 16_000  # as of scripts/train_shipped.py
_TIMED = 3  # steps of `step_seconds`


def fitting_images(bench: Bench) -> Images:
    """Give the cells that the shipped generator was trained on, rendered when read.

    Parameters
    ----------
    bench : Bench
        Size of the run: a quick one takes the first few.

    Returns
    -------
    Images
        Without labels.
    """
    cells, count = PlantedCells(), bench.size(_SHIPPED_CELLS, 48)
    factors = cells.sample_factors(_SHIPPED_CELLS, _SHIPPED_SEED)[:count]
    return cells.images_of(factors, np.arange(count) + 1_000_000 * _SHIPPED_SEED, prefix="shipped")


def trained_peer(bench: Bench, made: Subjects) -> TrainedStylex:
    """Train the StylEx for all classifiers at once, or open it; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    made : Subjects
        Classifiers.

    Returns
    -------
    TrainedStylex
        With its CPU-seconds.
    """
    images = fitting_images(bench)
    config = StylexConfig(steps=bench.size(STEPS, 3), seed=bench.seed)
    content = [vars(config), images.fingerprint(), made.hashes(), code_hash((*FIT_ROOMS, "evaluation/peers"))]
    return kept_stylex(images, made.voices, config, bench.stage("stylex", content), device=bench.device)


@final
@dataclass(frozen=True)
class Fidelity:
    """How well a generator gives images back.

    Parameters
    ----------
    error : float
        Root mean square error, channels in units of their spread; median over images.
    agreement : float
        Share of reconstructions with the class of the image, mean over classifiers.
    correlation : float
        Rank correlation of the margin on image and reconstruction, mean over classifiers.
    shown : Tensor
        The reconstructions, ``(n, c, h, w)``.
    """

    error: float
    agreement: float
    correlation: float
    shown: Tensor


def fidelity(shown: Tensor, made: Subjects, cells: Images) -> Fidelity:
    """Compare reconstructions with their images.

    Parameters
    ----------
    shown : Tensor, shape (n, c, h, w)
        Grey values.
    made : Subjects
        Classifiers.
    cells : Images
        The n images.

    Returns
    -------
    Fidelity
        Over all classifiers.
    """
    x = cells.read()
    agreed, ranked = [], []
    for voice in made.voices.values():
        before, after = (logits_of(voice, one, cells.value_range) for one in (x, shown))
        agreed.append(float((before.argmax(1) == after.argmax(1)).mean()))
        ranked.append(spearman(before[:, 1] - before[:, 0], after[:, 1] - after[:, 0]))
    error = float(made.generator.pixels.size(shown - x).median())
    return Fidelity(error, float(np.mean(agreed)), float(np.mean(ranked)), shown)


def both_fidelities(
    bench: Bench, made: Subjects, trained: TrainedStylex, pool: Pool
) -> tuple[Fidelity, Fidelity]:
    """Give the pool's cells back by the peer, and by ours as it was searched: one step from fresh noise.

    Parameters
    ----------
    bench : Bench
        Seed.
    made : Subjects
        Generator and classifiers.
    trained : TrainedStylex
        The peer.
    pool : Pool
        Its cells were in no training.

    Returns
    -------
    (Fidelity, Fidelity)
        Of the peer, and of ours.
    """
    cells = pool.cells
    w = trained.encode(cells.read(), cells.value_range)
    with torch.no_grad():
        theirs = trained.model.render(w, trained.model.styles(w)).cpu()
    editor = LatentEditor(made.generator, "fresh", 1, bench.seed)
    ours = editor.null(editor.invert(cells.read(), cells.ids)).cpu()
    return fidelity(theirs, made, cells), fidelity(ours, made, cells)


def shipped_cpu_seconds(made: Subjects, voices: list[Classifier], cells: Images) -> float:
    """Estimate the CPU-seconds of the shipped generator's training from a few of its steps.

    Parameters
    ----------
    made : Subjects
        The generator, and the oracle, which stands for the network of factors that guided it.
    voices : list of Classifier
        Those that guided it.
    cells : Images
        A batch is read from them, again and again where they are fewer.

    Returns
    -------
    float
        Of its own steps; its guides' trainings are left out.
    """
    guides, config = [*voices, made.oracle.reader], made.generator.config

    def guide(x: Tensor) -> tuple[Tensor, list[Tensor]]:
        heard = [one.margins_and_features(x, cells.value_range) for one in guides]
        margins = [found if found.shape[1] > 2 else found[:, 1:] for found, _ in heard]
        return torch.cat(margins, dim=1), [m for _, maps in heard for m in maps]

    fresh = DiffusionAutoencoder(config, made.generator.form, made.generator.pixels)
    batch = cells.read(np.arange(config.batch_size) % len(cells))
    count = guide(batch[:1])[0].shape[1]
    task = AutoencoderTask(fresh, guide, LogitScale(torch.zeros(count), torch.ones(count)))
    step_seconds(task, {"x": batch}, made.generator.device)
    started = time.process_time()
    step_seconds(task, {"x": batch}, made.generator.device)
    return (time.process_time() - started) / _TIMED * config.steps
