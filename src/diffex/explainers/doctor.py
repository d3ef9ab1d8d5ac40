"""A check-up before a fit: sample cells, which measurements differ between classes, what will fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.files import atomic_path, write_json
from diffex.classifiers import Classifier, align_labels, balanced_accuracy_interval, check_images
from diffex.explainers.claims import claim
from diffex.explainers.contact_sheet import contact_sheet
from diffex.explainers.problems import (
    Problem,
    classifier_problems,
    duplicate_problems,
    pixel_problems,
    set_problems,
    shortcut_problems,
)
from diffex.images import Images, sample
from diffex.measurements import class_differences, measure, quantities

# Both bound the time: about 10 s of measuring and 5 s of reading on one core.
_MEASURED = (60, 400, 16_000_000)
_COMPARED = (500, 20_000, 60_000_000)
_COLUMNS = ("quantity", "words", "unit", "target", "difference", "low", "high", "auroc", "p", "q", "over")


@final
@dataclass(frozen=True, eq=False)
class Agreement:
    """What the classifier says of a sample of the images.

    Parameters
    ----------
    predicted : dict of str to int
        Images by predicted class.
    balanced_accuracy : (float, float, float) or None
        With a 95 % interval; None without labels of at least two classes.
    images : int
        How many were classified.
    """

    predicted: dict[str, int]
    balanced_accuracy: tuple[float, float, float] | None
    images: int


@final
@dataclass(frozen=True, eq=False)
class Checkup:
    """What `examine` found.

    Parameters
    ----------
    images : str
        The set in one line.
    counts : dict of str to int
        Images by class; empty where there are no labels.
    groups : int or None
        How many groups; None where none are given.
    looked_at : int
        How many images were measured.
    rows : tuple of str
        Class of each row of the sheet.
    sheet : ndarray of uint8, shape (height, width, 3)
        Sample cells, a row per class.
    differences : DataFrame
        Which measurements differ between classes: `class_differences` with ``words`` and ``unit``. Empty
        where there are fewer than two classes.
    labels_are_predictions : bool
        Whether classes had to be taken from the classifier.
    agreement : Agreement or None
        None without a classifier.
    problems : tuple of Problem
        The ones that stop a fit first.
    """

    images: str
    counts: dict[str, int]
    groups: int | None
    looked_at: int
    rows: tuple[str, ...]
    sheet: NDArray[np.uint8]
    differences: pd.DataFrame
    labels_are_predictions: bool
    agreement: Agreement | None
    problems: tuple[Problem, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing will stop a fit."""
        return all(problem.severity != "stop" for problem in self.problems)

    def require_healthy(self) -> None:
        """Refuse what will stop a fit.

        Raises
        ------
        InputError
            With the first such problem.
        """
        for problem in self.problems:
            if problem.severity == "stop":
                raise InputError(problem.sentence)

    def as_dict(self) -> dict[str, Any]:
        """Give everything but the sheet, for JSON."""
        return {
            "images": self.images,
            "counts": self.counts,
            "groups": self.groups,
            "looked_at": self.looked_at,
            "labels_are_predictions": self.labels_are_predictions,
            "agreement": None if self.agreement is None else vars(self.agreement),
            "differences": self.differences.to_dict("records"),
            "problems": [vars(problem) for problem in self.problems],
            "healthy": self.healthy,
        }


@torch.no_grad()
def examine(images: Images, classifier: Classifier | None = None, seed: int = 0) -> Checkup:
    """Check images, and a classifier where there is one, before anything is fitted.

    Parameters
    ----------
    images : Images
        To be explained. Up to 400 are measured, balanced over classes; fewer where they are large.
    classifier : Classifier, optional
        The thing to be explained.
    seed : int
        Of the sample.

    Returns
    -------
    Checkup
        What there is, what differs, and what will fail.

    Raises
    ------
    InputError
        If an image cannot be read.
    ClassifierError
        If the images do not fit the classifier.
    """
    if classifier is not None:
        check_images(classifier, images)
        images = align_labels(images, classifier.card)
    looked = sample(images, _affordable(images, *_MEASURED), seed)
    x = looked.read()
    logits = None if classifier is None else _logits(classifier, x, images.value_range)
    names = images.class_names if classifier is None else classifier.card.class_names
    labels = looked.labels
    if labels is None and logits is not None:
        labels = logits.argmax(axis=1)
    differences = _differences(looked, x, labels, names)
    agreement = None if logits is None else _agreement(logits, looked, names, seed)
    found = [
        *set_problems(images, classified=classifier is not None),
        *_problems(images, looked, x, differences),
        *_of_classifier(logits, agreement, names),
    ]
    return Checkup(
        images=repr(images),
        counts={name: count for name, count in images.class_counts().items() if count},
        groups=None if images.groups is None else len(np.unique(images.groups)),
        looked_at=len(looked),
        rows=() if labels is None else tuple(names[label] for label in np.unique(labels)),
        sheet=contact_sheet(x, labels),
        differences=differences,
        labels_are_predictions=images.labels is None and labels is not None,
        agreement=agreement,
        problems=tuple(sorted(found, key=lambda problem: problem.severity != "stop")),
    )


def _affordable(images: Images, fewest: int, most: int, values: int) -> int:
    each = images.channels * images.size[0] * images.size[1]
    return int(min(most, max(fewest, values // each)))


def _logits(classifier: Classifier, x: Tensor, value_range: tuple[float, float]) -> NDArray[np.float64]:
    parts = [classifier.logits(part, value_range).double().cpu().numpy() for part in torch.split(x, 64)]
    return np.concatenate(parts)


def _differences(
    looked: Images, x: Tensor, labels: NDArray[np.int64] | None, names: tuple[str, ...]
) -> pd.DataFrame:
    present = [] if labels is None else [k for k, count in enumerate(np.bincount(labels)) if count >= 2]
    if labels is None or len(present) < 2:
        return pd.DataFrame(columns=list(_COLUMNS))
    rows = np.flatnonzero(np.isin(labels, present))
    kept = looked.subset(rows)
    table = measure(x[rows], kept.channel_names, kept.read_masks(), kept.pixel_size_um)
    numbers = np.searchsorted(present, labels[rows])
    found = class_differences(table, numbers, [names[k] for k in present], kept.groups)
    known = {quantity.name: quantity for quantity in quantities(kept.channel_names, kept.pixel_size_um)}
    found["words"] = [known[name].words for name in found["quantity"]]
    found["unit"] = [known[name].unit for name in found["quantity"]]
    return found[list(_COLUMNS)]


def _agreement(logits: NDArray[np.float64], looked: Images, names: tuple[str, ...], seed: int) -> Agreement:
    predictions = logits.argmax(axis=1)
    counts = np.bincount(predictions, minlength=len(names)).tolist()
    several = looked.labels is not None and len(np.unique(looked.labels)) > 1
    accuracy = None
    if looked.labels is not None and several:
        accuracy = balanced_accuracy_interval(looked.labels, predictions, looked.groups, seed)
    return Agreement(dict(zip(names, counts, strict=True)), accuracy, len(looked))


def _problems(images: Images, looked: Images, x: Tensor, differences: pd.DataFrame) -> Iterator[Problem]:
    yield from pixel_problems(x, looked)
    compared = sample(images, _affordable(images, *_COMPARED), seed=0, balanced=False)
    yield from duplicate_problems(compared)
    yield from shortcut_problems(differences)


def _of_classifier(
    logits: NDArray[np.float64] | None, agreement: Agreement | None, names: tuple[str, ...]
) -> Iterator[Problem]:
    if logits is not None and agreement is not None:
        yield from classifier_problems(logits, agreement.balanced_accuracy, names)


def write_checkup(checkup: Checkup, folder: Path, request: Mapping[str, Any]) -> None:
    """Write the sample cells (``cells.png``) and the rest (``checkup.json``).

    Parameters
    ----------
    checkup : Checkup
        As from `examine`.
    folder : Path
        New, empty, or of the same request.
    request : mapping
        What the folder is for, as for `diffex.explainers.claims.claim`.

    Raises
    ------
    FolderError
        If the folder holds something else or cannot be written.
    """
    claim(folder, request)
    with atomic_path(folder / "cells.png") as temporary:
        Image.fromarray(checkup.sheet).save(temporary, format="PNG")
    write_json(folder / "checkup.json", checkup.as_dict())
