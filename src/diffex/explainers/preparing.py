"""What every later step of an attribute explanation stands on: sample, codes, gradients, metric."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.classifiers import Classifier
from diffex.concepts import Evidence
from diffex.editors import Inversion, LatentEditor
from diffex.effects.linear import image_metric, logit_gradients
from diffex.effects.matrix import Judge, margin_of
from diffex.effects.replication import selection_half
from diffex.explainers.config import AttributeConfig
from diffex.generators.model import Model
from diffex.images import Images, sample
from diffex.measurements import choose_channel, measure, nucleus_channel, quantities

_PROPOSING = 1000
_METRIC_IMAGES = 12
_FEWEST = 24
_SIZING_IMAGES = 8


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """The sample of images that is edited, with what is known of it before any edit.

    Parameters
    ----------
    images : Images
        The sample.
    x : Tensor
        Its pixels, ``(n, c, h, w)``.
    logits : ndarray, shape (n, k)
        What the classifier says of them.
    target : int
        Index of the target class.
    half : ndarray of bool
        True for the images that select; the others estimate.
    screen : LatentEditor
        One-step renderer on shared fresh noise.
    inversion : Inversion
        Of the sample, for `screen`.
    gradients : ndarray, shape (n, d)
        Of the target's margin.
    evidence : Evidence
        For the sources of concepts; no image of the estimating half is in it.
    shape_channel : int
        Where objects are segmented.
    judge : Judge
        The classifier.
    guide : Classifier
        The classifier, or its differentiable twin.
    ledger : CostLedger
        The account.
    labels_are_predictions : bool
        Whether classes had to be taken from the classifier itself.
    """

    images: Images
    x: Tensor
    logits: NDArray[np.float64]
    target: int
    half: NDArray[np.bool_]
    screen: LatentEditor
    inversion: Inversion
    gradients: NDArray[np.float64]
    evidence: Evidence
    shape_channel: int
    judge: Judge
    guide: Classifier
    ledger: CostLedger
    labels_are_predictions: bool

    def rows(self, rows: NDArray[np.int64]) -> Inversion:
        """Pick images of the inversion by position in the sample."""
        return self.inversion.take(rows.tolist())

    @property
    def sizing(self) -> Inversion:
        """A few selecting images of all classes, on which every direction is brought to one size.

        The same ones for concepts and for the null: images of one class alone, or others, would make
        arbitrary directions larger or smaller than the concepts that they are compared with.
        """
        selecting = np.flatnonzero(self.half)
        return self.rows(selecting[evenly(len(selecting), _SIZING_IMAGES)])


def target_index(class_names: tuple[str, ...], target: str) -> int:
    """Find a class by name.

    Parameters
    ----------
    class_names : tuple of str
        Of the classifier.
    target : str
        Wanted.

    Returns
    -------
    int
        Its index.

    Raises
    ------
    InputError
        If the classifier has no such class.
    """
    if target not in class_names:
        raise InputError(f"--target got {target!r}, expected one of the classes {', '.join(class_names)}.")
    return class_names.index(target)


def prepare(
    images: Images, model: Model, config: AttributeConfig, ledger: CostLedger | None = None
) -> Prepared:
    """Sample images, encode them, and look at classifier and generator to first order.

    Parameters
    ----------
    images : Images
        To be explained, of the model's form.
    model : Model
        Generator and classifier.
    config : AttributeConfig
        Target, sample size, seed.
    ledger : CostLedger, optional
        The account; default a new one.

    Returns
    -------
    Prepared
        Everything later steps need.

    Raises
    ------
    InputError
        If the target is unknown or images are too few.
    """
    ledger = ledger or CostLedger()
    target = target_index(model.classifier.card.class_names, config.target)
    if len(images) < _FEWEST:
        raise InputError(f"Got {len(images)} images, the statistics need at least {_FEWEST}: add images.")
    judge = Judge(model.classifier, images.value_range, ledger)
    with ledger.timed("preparation"):
        chosen, half = _halves(images, model.held_out_of(images), config)
        screen = LatentEditor(model.generator, "fresh", 1, config.seed)
        x = chosen.read()
        inversion = screen.invert(x, chosen.ids)
        gradients = logit_gradients(
            model.generator, model.guide, inversion.codes, inversion.noise, target, ledger
        )
        proposing = _proposing(images, chosen, half, config.seed)
        channel = shape_channel(proposing)
        evidence = _evidence(proposing, model, judge, screen, gradients[half], target, channel, config.seed)
        logits = judge.logits(x)
    return Prepared(
        chosen, x, logits, target, half, screen, inversion, gradients, evidence, channel, judge,
        model.guide, ledger, images.labels is None,
    )  # fmt: skip


def _halves(
    images: Images, unseen: NDArray[np.bool_], config: AttributeConfig
) -> tuple[Images, NDArray[np.bool_]]:
    """Sample images and mark those that select; where the model was fitted on this set, others estimate."""
    if unseen.sum() < _FEWEST / 2:
        chosen = sample(images, config.images, config.seed)
        return chosen, selection_half(len(chosen), chosen.groups, config.seed)
    estimating = sample(images.subset(np.flatnonzero(unseen)), config.images // 2, config.seed)
    selecting = sample(images.subset(np.flatnonzero(~unseen)), config.images - len(estimating), config.seed)
    taken = {*estimating.ids, *selecting.ids}
    chosen = images.subset([i for i, name in enumerate(images.ids) if name in taken])
    judging = frozenset(estimating.ids)
    return chosen, np.array([name not in judging for name in chosen.ids])


def _proposing(images: Images, chosen: Images, half: NDArray[np.bool_], seed: int) -> Images:
    """All images but the estimating half, at most a thousand."""
    estimating = {name for name, selects in zip(chosen.ids, half, strict=True) if not selects}
    others = images.subset([i for i, name in enumerate(images.ids) if name not in estimating])
    return sample(others, _PROPOSING, seed)


def shape_channel(images: Images) -> int:
    """Choose where objects are segmented: the nucleus by name, else where they stand out best.

    Parameters
    ----------
    images : Images
        Up to 64 are looked at.

    Returns
    -------
    int
        Position of the channel.
    """
    named = nucleus_channel(images.channel_names)
    if named is not None:
        return named
    some = evenly(len(images), 64)
    masks = images.read_masks(some)
    return choose_channel(images.read(some).numpy(), None if masks is None else masks.numpy())


def _evidence(
    images: Images,
    model: Model,
    judge: Judge,
    screen: LatentEditor,
    gradients: NDArray[np.float64],
    target: int,
    channel: int,
    seed: int,
) -> Evidence:
    x = images.read()
    codes = model.generator.encode(x)
    logits = judge.logits(x)
    spread = model.generator.code_cov.diagonal().sqrt().cpu()
    some = evenly(len(images), _METRIC_IMAGES)
    noise = screen.invert(x[some], tuple(images.ids[i] for i in some)).noise
    metric = image_metric(model.generator, codes[some], noise, spread, judge.ledger)
    labels = logits.argmax(1) if images.labels is None else images.labels
    return Evidence(
        codes=codes.double().numpy(),
        covariance=model.generator.code_cov.double().cpu().numpy(),
        margin=margin_of(logits, target),
        is_target=np.asarray(labels == target),
        gradients=gradients,
        metric=metric.metric,
        feature_steps=metric.feature_steps,
        measured=measure(
            x, images.channel_names, images.read_masks(), images.pixel_size_um, shape_channel=channel
        ),
        quantities=quantities(images.channel_names, images.pixel_size_um),
        seed=seed,
    )
