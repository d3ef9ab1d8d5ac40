"""What will fail or mislead, each with how to mend it: pure functions of a set of images and a classifier."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.hashing import hash_tensors
from diffex.images import Images
from diffex.images.naming import shown

_FEWEST_TO_FIT = 40
_FEW = 200
_FEW_PER_CLASS = 50
_FEWEST_GROUPS = 6
_UNBALANCED = 5.0
_USUAL_SIZES = (32, 128)
_SATURATED = 0.01
_LITTLE_CONTRAST = 0.02
_SHORTCUTS = ("background_", "corner_")
_SHORTCUT_SD = 0.3
_SATURATED_MARGIN = 12.0


@final
@dataclass(frozen=True)
class Problem:
    """One thing that will stop an explanation, or mislead it.

    Parameters
    ----------
    severity : {"stop", "warn"}
        Whether a fit will refuse, or go on with this caveat.
    sentence : str
        What was found, what is expected, and how to mend it.
    """

    severity: Literal["stop", "warn"]
    sentence: str


def set_problems(images: Images, *, classified: bool) -> Iterator[Problem]:
    """Look at counts, classes, groups and size; no pixel is read.

    Parameters
    ----------
    images : Images
        The set.
    classified : bool
        Whether there is a classifier.

    Yields
    ------
    Problem
        In order of importance.
    """
    yield from _count_problems(len(images))
    yield from _class_problems(images, classified)
    yield from _group_problems(images)
    yield from _size_problems(images.size)


def _count_problems(count: int) -> Iterator[Problem]:
    if count < _FEWEST_TO_FIT:
        yield Problem(
            "stop",
            f"There are {count} images, a fit needs at least {_FEWEST_TO_FIT}, better 1,000: add images.",
        )
    elif count < _FEW:
        yield Problem(
            "warn",
            f"There are {count} images, fewer than {_FEW}: the generator's gates will hardly pass; add "
            "images, better 1,000 or more.",
        )


def _class_problems(images: Images, classified: bool) -> Iterator[Problem]:
    counts = {name: count for name, count in images.class_counts().items() if count}
    if images.labels is None:
        yield _unlabelled(classified)
        return
    if len(counts) < 2:
        yield Problem(
            "warn" if classified else "stop",
            f"There is one class only ({', '.join(map(shown, counts))}), expected at least two: add a "
            "sub-folder of another class, or widen --where.",
        )
        return
    few, many = (pick(counts, key=lambda name: counts[name]) for pick in (min, max))
    if counts[few] < _FEW_PER_CLASS:
        yield Problem(
            "warn",
            f"Class {shown(few)} has {counts[few]} images, fewer than {_FEW_PER_CLASS}: add images of it.",
        )
    if counts[many] > _UNBALANCED * counts[few]:
        yield Problem(
            "warn",
            f"Classes are unbalanced ({shown(many)} {counts[many]}, {shown(few)} {counts[few]}): samples are "
            "balanced, so the small class limits every interval; add images of it.",
        )


def _unlabelled(classified: bool) -> Problem:
    if classified:
        return Problem(
            "warn",
            "The images have no labels, so classes are the classifier's own predictions and its accuracy is "
            "unknown: give labels with one sub-folder per class or --columns label=COLUMN.",
        )
    return Problem(
        "stop",
        "The images have no labels and there is no classifier, so there is nothing to explain: give one "
        "sub-folder per class, a table with --columns label=COLUMN, or --classifier.",
    )


def _group_problems(images: Images) -> Iterator[Problem]:
    if images.groups is None:
        yield Problem(
            "warn",
            "No groups are given, so intervals are over images and a difference between wells or fields "
            "passes for one between classes: give a table with --columns group=COLUMN.",
        )
        return
    groups = images.groups.astype(str)
    if len(np.unique(groups)) < _FEWEST_GROUPS:
        yield Problem(
            "warn",
            f"There are {len(np.unique(groups))} groups, fewer than {_FEWEST_GROUPS}: intervals hold "
            "within these groups only; add wells, fields or donors.",
        )
    if images.labels is not None:
        yield from _confounded(images.labels, groups, images.class_names)


def _confounded(
    labels: NDArray[np.int64], groups: NDArray[np.str_], class_names: tuple[str, ...]
) -> Iterator[Problem]:
    for label in np.unique(labels):
        own = np.unique(groups[labels == label])
        if len(own) == 1:
            yield Problem(
                "warn",
                f"All images of class {shown(class_names[label])} come from one group ({shown(own[0])}), "
                "so the class cannot be told from that group: add images of it from other groups.",
            )


def _size_problems(size: tuple[int, int]) -> Iterator[Problem]:
    height, width = size
    if height != width:
        yield Problem("warn", f"Images are {width}x{height} px, not square: crop or pad them to a square.")
    if max(size) > _USUAL_SIZES[1] or min(size) < _USUAL_SIZES[0]:
        yield Problem(
            "warn",
            f"Images are {width}x{height} px, outside the usual {_USUAL_SIZES[0]} to {_USUAL_SIZES[1]} px: "
            "larger ones are slow to fit, smaller ones hold little; 64 px crops with one cell each work "
            "best.",
        )


def pixel_problems(pixels: Tensor, images: Images) -> Iterator[Problem]:
    """Look for saturation, little contrast and blank images in a sample.

    Parameters
    ----------
    pixels : Tensor
        ``(n, c, h, w)`` of some images.
    images : Images
        Gives channel names and value range.

    Yields
    ------
    Problem
        At most three for each channel.
    """
    low, high = images.value_range
    for channel, name in enumerate(images.channel_names):
        plane = pixels[:, channel].flatten(1).numpy()  # (n, h w)
        saturated = float(((plane >= high).mean(axis=1) > _SATURATED).mean())
        bottom, top = np.percentile(plane, (0.1, 99.9))
        blank = int((plane.max(axis=1) == plane.min(axis=1)).sum())
        if saturated > 0.1:
            yield Problem(
                "warn",
                f"Channel {shown(name)} is saturated at {high:g} in {saturated:.0%} of the images: what is "
                "brighter is lost; use images of shorter exposure, or stored with more bits.",
            )
        if top - bottom < _LITTLE_CONTRAST * (high - low):
            yield Problem(
                "warn",
                f"Channel {shown(name)} spans {bottom:g} to {top:g} of the range {low:g} to {high:g}: "
                "check that a classifier of yours was trained on this range, and rescale the images if not.",
            )
        if blank:
            yield Problem(
                "warn",
                f"Channel {shown(name)} is blank in {blank} of {len(plane)} images looked at: leave these "
                "images out.",
            )


def duplicate_problems(images: Images) -> Iterator[Problem]:
    """Look for the same pixels in two groups, or in two classes.

    Parameters
    ----------
    images : Images
        All of them are read.

    Yields
    ------
    Problem
        At most one for groups and one for classes.
    """
    by_hash: dict[str, list[int]] = {}
    for positions, pixels in images.batches(256):
        for position, one in zip(positions.tolist(), pixels, strict=True):
            by_hash.setdefault(hash_tensors({"pixels": one}), []).append(position)
    same = [rows for rows in by_hash.values() if len(rows) > 1]
    for what, names in (("groups", images.groups), ("classes", images.labels)):
        crossing = [] if names is None else [rows for rows in same if len(set(names[rows].tolist())) > 1]
        if crossing:
            first, second = (shown(images.ids[row]) for row in crossing[0][:2])
            yield Problem(
                "warn",
                f"{len(crossing)} images occur in two {what} with the same pixels (first: {first} and "
                f"{second}), so held-out images are not new: remove the duplicates.",
            )


def shortcut_problems(differences: pd.DataFrame) -> Iterator[Problem]:
    """Look for differences between classes outside the object.

    Parameters
    ----------
    differences : DataFrame
        As from `class_differences`, with ``words``.

    Yields
    ------
    Problem
        The clearest such difference of each target.
    """
    outside = differences["quantity"].str.startswith(_SHORTCUTS)
    clear = differences[
        outside & (differences["q"] < 0.05) & (differences["difference"].abs() > _SHORTCUT_SD)
    ]
    for target, rows in clear.groupby("target", sort=False):
        row = rows.iloc[0]
        yield Problem(
            "warn",
            f"Class {shown(str(target))} differs in the {row.words} by "
            f"{row.difference:+.1f} standard deviations [{row.low:+.1f}, {row.high:+.1f}], which a "
            "classifier can use as a shortcut: correct the background, or compare classes from the same "
            "plates.",
        )


def classifier_problems(
    logits: NDArray[np.float64], accuracy: tuple[float, float, float] | None, class_names: tuple[str, ...]
) -> Iterator[Problem]:
    """Look for a classifier that knows nothing, says one class only, or saturates.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Of a sample of the images.
    accuracy : (float, float, float) or None
        Balanced accuracy with its interval, where there are labels.
    class_names : tuple of str
        Of the classifier.

    Yields
    ------
    Problem
        At most three.
    """
    chance = 1 / len(class_names)
    if accuracy is not None and accuracy[1] <= chance + 0.05:
        yield Problem(
            "warn",
            f"The classifier's balanced accuracy on these images is {accuracy[0]:.2f} [{accuracy[1]:.2f}, "
            f"{accuracy[2]:.2f}], hardly above chance ({chance:.2f}): check range, channels and class "
            "order of its card, or train it better.",
        )
    predicted = np.unique(logits.argmax(axis=1))
    if len(predicted) == 1:
        yield Problem(
            "warn",
            f"The classifier says {shown(class_names[predicted[0]])} to all of {len(logits)} images: check "
            "range, channels and mean of its card.",
        )
    top_two = np.sort(logits, axis=1)[:, -2:]
    if float(np.median(top_two[:, 1] - top_two[:, 0])) > _SATURATED_MARGIN:
        yield Problem(
            "warn",
            "The classifier's logits are saturated (its median margin is "
            f"{float(np.median(top_two[:, 1] - top_two[:, 0])):.0f}), so edits will rarely flip a class: "
            "calibrate it with a temperature in its card.",
        )
