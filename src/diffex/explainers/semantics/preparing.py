"""Images, their null edits and gates: what every later step of a semantic explanation stands on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from diffex.base.errors import GateError, InputError
from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier, check_images
from diffex.concepts import ConceptTree
from diffex.editors.text import TextEditor
from diffex.effects.matrix import Judge, margin_of
from diffex.explainers.preparing import shape_channel, target_index
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.edits import Subject
from diffex.generators import Gate, PixelTransform
from diffex.generators.text.model import TextModel
from diffex.images import Images, sample
from diffex.measurements import OwnMeasurement, View, measure, with_own
from diffex.measurements.segmentation import segment

_KEPT_CLASS, _KEPT_ORDER = 0.8, 0.7
_SPREAD_IMAGES = 256
_FEWEST = 12
_SMALLEST = 0.75  # of the model's side
_FIELD_REACH = 0.65


def prepare_subject(
    images: Images,
    classifier: Classifier,
    model: TextModel,
    tree: ConceptTree,
    config: SemanticConfig,
    ledger: CostLedger,
    own: Sequence[OwnMeasurement] = (),
) -> tuple[Subject, Images, tuple[Gate, ...], pd.DataFrame]:
    """Sample images, invert them, render and measure their null edits.

    Parameters
    ----------
    images : Images
        To be explained.
    classifier : Classifier
        The thing explained.
    model : TextModel
        What renders.
    tree : ConceptTree
        Its phrases are what edits are compared among.
    config : SemanticConfig
        Target, sizes, seed.
    ledger : CostLedger
        The account.
    own : sequence of OwnMeasurement
        Columns beside the catalogue's.

    Returns
    -------
    (Subject, Images, tuple of Gate, DataFrame)
        The sample ready for edits, the sample, the gates, and measurements of real images.

    Raises
    ------
    InputError, ClassifierError
        If images, target, classifier or model do not fit.
    GateError
        If a gate failed and `config.force` is False.
    """
    target = target_index(classifier.card.class_names, config.target)
    check_images(classifier, images)
    _check_form(images, model)
    judge = Judge(classifier, images.value_range, ledger)
    editor = TextEditor(
        model, images.value_range, steps=config.steps, reach=_reach(model, config), guidance=config.guidance,
        reference=("", *(n.phrase or n.name for n in tree.phrases())), seed=config.seed, size=images.size,
    )  # fmt: skip
    chosen = sample(images, config.images, config.seed)
    x, channel = chosen.read(), shape_channel(images)
    with ledger.timed("inversion"):
        inversion = editor.invert(x, chosen.ids)
        ledger.count("inversion", len(x) * editor.inversion_evaluations)
        null = editor.null(inversion)
    logits = judge.logits(null)
    gates = _gates(judge.logits(x), logits, target)
    if not config.force and not all(gate.passed for gate in gates):
        failed = "; ".join(str(gate) for gate in gates if not gate.passed)
        raise GateError(
            f"The text model does not keep these images as the classifier sees them ({failed}): fit one to "
            "them with `diffex fit --text`, or use --force."
        )

    def measured(pixels: Tensor, rows: NDArray[np.int64]) -> pd.DataFrame:
        return _measured_afresh(chosen, pixels, rows, channel, config.view, own)

    with ledger.timed("measurement"):
        every = np.arange(len(chosen))
        before = measured(null, every)
        some = sample(images, _SPREAD_IMAGES, config.seed)
        real = _measured_afresh(some, some.read(), np.arange(len(some)), channel, config.view, own)
    subject = Subject(
        editor, judge, inversion, null, logits, before, measured, PixelTransform.fit(images).size
    )
    return subject, chosen, gates, real


def _measured_afresh(
    images: Images,
    x: Tensor,
    rows: NDArray[np.int64],
    channel: int,
    view: View,
    own: Sequence[OwnMeasurement],
) -> pd.DataFrame:
    """Measure rendered images within objects segmented in them: phrases change sizes and shapes a lot."""
    names, scale = images.channel_names, images.pixel_size_um
    if view == "field":
        return with_own(measure(x, names, None, scale, shape_channel=channel, view=view), x, own)
    masks = images.read_masks(rows)
    found, _ = segment(x.double().numpy(), channel, seeds=None if masks is None else masks.numpy())
    return with_own(measure(x, names, torch.from_numpy(found), scale, shape_channel=channel), x, own)


def _reach(model: TextModel, config: SemanticConfig) -> float:
    """How far images are noised: in a field enough to put objects elsewhere."""
    if config.reach is not None:
        return config.reach
    return max(model.reach, _FIELD_REACH) if config.view == "field" else model.reach


def _check_form(images: Images, model: TextModel) -> None:
    """Refuse images that are too few, much smaller than the model renders, or of other channels."""
    if len(images) < _FEWEST:
        raise InputError(f"Got {len(images)} images, the statistics need at least {_FEWEST}: add images.")
    if min(images.size) < _SMALLEST * model.size:
        raise InputError(
            f"images are {images.size[0]} x {images.size[1]} px, the text model renders {model.size} x "
            f"{model.size}: so much smaller ones would be blurred; fit a text model to them."
        )
    if images.channels != model.channels:
        raise InputError(
            f"images have {images.channels} channels, the text model renders {model.channels}: choose "
            "channels with --columns, or fit a text model to these images."
        )


def _gates(real: NDArray[np.float64], null: NDArray[np.float64], target: int) -> tuple[Gate, ...]:
    """Ask whether re-rendering alone changes what the classifier says."""
    same = float((real.argmax(1) == null.argmax(1)).mean())
    order = float(spearmanr(margin_of(real, target), margin_of(null, target)).statistic)
    return (
        Gate("kept_class", "images that keep their class when only rendered again", same, _KEPT_CLASS, True),
        Gate("kept_order", "rank correlation of margins before and after rendering again", order, _KEPT_ORDER,
             True),
    )  # fmt: skip
