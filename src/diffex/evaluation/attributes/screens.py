"""Cached effect matrices, with what the null of random directions needs beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from diffex.base.files import load_tensors, save_tensors
from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.classifiers import Classifier
from diffex.concepts import Concept, stacked
from diffex.editors import Inversion, LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.linear import image_metric, logit_gradients, main_axes, margin_curvature
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.effects.strengths import calibrate, typical_size
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.stages import explained_content
from diffex.explainers.attributes import calibrated_concepts
from diffex.explainers.config import AttributeConfig
from diffex.explainers.preparing import prepare
from diffex.explainers.significance import curvature_of
from diffex.generators import DiffusionAutoencoder
from diffex.generators.model import Model
from diffex.images import Images

_METRIC_IMAGES = 12
_CALIBRATION_IMAGES = 8


@final
@dataclass(frozen=True, eq=False)
class Screen:
    """An effect matrix of one classifier and target.

    Parameters
    ----------
    effects : ndarray, shape (n, K, 2)
        Change of the target's margin per image, concept and sign.
    gradients : ndarray, shape (n, d)
        Of the margin with respect to the code.
    curvature : ndarray, shape (d, d)
        Mean second derivative of the margin.
    directions : ndarray, shape (K, d)
        Calibrated.
    random : ndarray of bool, shape (K,)
        Which are random directions.
    metric, covariance : ndarray, shape (d, d)
        Of images and of codes.
    size : float
        Common size of the directions.
    """

    effects: FloatArray
    gradients: FloatArray
    curvature: FloatArray
    directions: FloatArray
    random: NDArray[np.bool_]
    metric: FloatArray
    covariance: FloatArray
    size: float

    def save(self, path: Path) -> None:
        """Write all arrays."""
        arrays = {name: value for name, value in vars(self).items() if name != "size"}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}
        save_tensors(path, tensors | {"size": torch.tensor([self.size], dtype=torch.float64)})

    @classmethod
    def load(cls, path: Path) -> "Screen":
        """Read what `save` wrote."""
        arrays = {name: tensor.numpy() for name, tensor in load_tensors(path).items()}
        size = float(arrays.pop("size")[0])
        return cls(size=size, **arrays)


def concept_screen(bench: Bench, images: Images, model: Model, config: AttributeConfig) -> Screen:
    """Render the whole pool of concepts, as an explanation does.

    Parameters
    ----------
    bench : Bench
        Where stages are.
    images : Images
        To be edited.
    model : Model
        Generator and classifier.
    config : AttributeConfig
        Target, sizes, seed.

    Returns
    -------
    Screen
        Of the model's classifier; cached.
    """
    path = bench.stage("screen", explained_content(images, model, config)) / "screen.safetensors"
    if path.exists():
        return Screen.load(path)
    prepared = prepare(images, model, config)
    concepts, size, _ = calibrated_concepts(prepared, config)
    matrix = effect_matrix(
        prepared.screen, prepared.judge, prepared.inversion, concepts, model.generator.pixels.size
    )
    evidence, every = prepared.evidence, np.arange(len(prepared.half))
    made = Screen(
        matrix.effects(prepared.target), prepared.gradients, curvature_of(prepared, every, size),
        stacked(concepts), randoms(concepts), evidence.metric, evidence.covariance, size,
    )  # fmt: skip
    made.save(path)
    return made


def randoms(concepts: list[Concept]) -> NDArray[np.bool_]:
    """Mark random directions.

    Parameters
    ----------
    concepts : list of Concept
        K of them.

    Returns
    -------
    ndarray of bool, shape (K,)
        True for random directions.
    """
    return np.array([concept.kind == "random" for concept in concepts])


@final
@dataclass(frozen=True, eq=False)
class Ground:
    """Images encoded, and how they move with the code: what directions are drawn from.

    Parameters
    ----------
    images : Images
        To be edited.
    generator : DiffusionAutoencoder
        The renderer.
    editor : LatentEditor
        One step, on fresh noise.
    inversion : Inversion
        Of the images.
    metric, covariance : ndarray, shape (d, d)
        Of images and of codes.
    steps : ndarray, shape (m, d, p)
        Change of the pooled image per latent, channel by channel.
    size : float
        The common size.
    """

    images: Images
    generator: DiffusionAutoencoder
    editor: LatentEditor
    inversion: Inversion
    metric: FloatArray
    covariance: FloatArray
    steps: FloatArray
    size: float


def ground_of(images: Images, generator: DiffusionAutoencoder, seed: int) -> Ground:
    """Encode images and measure the metric.

    Parameters
    ----------
    images : Images
        To be edited.
    generator : DiffusionAutoencoder
        The renderer.
    seed : int
        Of the noise.

    Returns
    -------
    Ground
        Ready to draw directions from.
    """
    editor, ledger = LatentEditor(generator, "fresh", 1, seed), CostLedger()
    inversion = editor.invert(images.read(), images.ids)
    some = torch.from_numpy(evenly(len(images), _METRIC_IMAGES))
    spread = generator.code_cov.diagonal().sqrt().cpu()
    found = image_metric(generator, inversion.codes[some], inversion.noise[some], spread, ledger)
    covariance = generator.code_cov.double().cpu().numpy()
    size = typical_size(editor, inversion.rows(0, 48), ledger)
    return Ground(images, generator, editor, inversion, found.metric, covariance, found.feature_steps, size)


def voiced_screens(
    bench: Bench,
    kind: str,
    ground: Callable[[], Ground],
    directions: Callable[[Ground], list[Concept]],
    voices: Mapping[str, Classifier],
    target: int,
    content: Any,
) -> dict[str, Screen]:
    """Render directions once and ask several classifiers; cached.

    Parameters
    ----------
    bench : Bench
        Where stages are.
    kind : str
        Name of the stage.
    ground : callable
        Gives images and metric; called only where nothing is cached.
    directions : callable
        Makes the concepts, of any length; they are calibrated here.
    voices : mapping of str to Classifier
        Differentiable.
    target : int
        Index of the class, in all of them.
    content : object
        What decides images and directions; JSON.

    Returns
    -------
    dict of str to Screen
        One per voice.
    """
    hashes = {name: voice.state_hash() for name, voice in voices.items()}
    folder = bench.stage(kind, [content, hashes, target, code_hash(RUN_ROOMS)])
    paths = {name: folder / f"{name}.safetensors" for name in voices}
    if not all(path.exists() for path in paths.values()):
        made = _render(ground(), directions, voices, target)
        for name, screen in made.items():
            screen.save(paths[name])
    return {name: Screen.load(path) for name, path in paths.items()}


def _render(
    ground: Ground,
    directions: Callable[[Ground], list[Concept]],
    voices: Mapping[str, Classifier],
    target: int,
) -> dict[str, Screen]:
    ledger, pixels = CostLedger(), ground.generator.pixels
    few = ground.inversion.rows(0, _CALIBRATION_IMAGES)
    concepts = calibrate(directions(ground), ground.editor, few, ground.metric, ground.size, ledger)
    together, columns = chorus(voices, pixels.value_range)
    judge = Judge(together, pixels.value_range, ledger)
    matrix = effect_matrix(ground.editor, judge, ground.inversion, concepts, pixels.size)
    axes = main_axes(ground.metric, ground.covariance, ground.size)
    screens = {}
    for name, voice in voices.items():
        before = margin_of(matrix.null[..., columns[name]], target)
        after = margin_of(matrix.edits[..., columns[name]], target)
        codes, noise = ground.inversion.codes, ground.inversion.noise
        gradients = logit_gradients(ground.generator, voice, codes, noise, target, ledger)
        curvature = margin_curvature(
            ground.generator, voice, codes, noise, target, axes, ground.metric, ledger
        )
        screens[name] = Screen(
            after - before[:, None, None], gradients, curvature, stacked(concepts), randoms(concepts),
            ground.metric, ground.covariance, ground.size,
        )  # fmt: skip
    return screens
