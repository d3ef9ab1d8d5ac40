"""Parts of a set: by group, or a balanced sample; never by the order of the images."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.noise import derive_seed
from diffex.images.images import Images


def split_by_group(images: Images, fraction: float, seed: int) -> tuple[Images, Images]:
    """Divide a set in two, groups whole, classes in proportion.

    Groups are visited in an order that depends on their names and the seed alone; each goes to the
    second part if that brings the part's class counts closer to `fraction` of the set's.

    Parameters
    ----------
    images : Images
        The set; without groups, every image is its own group.
    fraction : float
        About how much the second part gets, between 0 and 1; with few groups it can only be near.
    seed : int
        Another seed, another split.

    Returns
    -------
    (Images, Images)
        Both keep every class that has at least two groups of its own, and the images' order.

    Raises
    ------
    InputError
        If `fraction` is not between 0 and 1, or there are fewer than two groups.
    """
    if not 0 < fraction < 1:
        raise InputError(f"fraction got {fraction}, expected between 0 and 1: give the second part's share.")
    counts = _counts_by_group(images)
    if len(counts) < 2:
        raise InputError(
            f"Got {len(counts)} group, expected at least 2, since a split never divides a group: add images "
            "of another group, or leave out --columns group=... to split by image."
        )
    order = sorted(counts, key=lambda group: (derive_seed("split", group, seed), group))
    second = _mended(counts, order, fraction, _greedy(counts, order, fraction))
    in_second = np.array([group in second for group in _group_names(images)])
    return images.subset(np.flatnonzero(~in_second)), images.subset(np.flatnonzero(in_second))


def sample(images: Images, n: int, seed: int, *, balanced: bool = True) -> Images:
    """Take some images, the same ones whatever their order.

    Parameters
    ----------
    images : Images
        The set.
    n : int
        How many to take; the whole set where it has no more.
    seed : int
        Another seed, another sample.
    balanced : bool, default True
        Whether classes get equal shares, as far as they have images; False keeps their proportions
        on average.

    Returns
    -------
    Images
        In the set's order.

    Raises
    ------
    InputError
        If `n` is below 1.
    """
    if n < 1:
        raise InputError(f"n got {n}, expected at least 1: ask for more images.")
    if n >= len(images):
        return images
    seeds = [derive_seed("sample", name, seed) for name in images.ids]
    turns = _turns(images, seeds) if balanced and images.labels is not None else [0] * len(images)
    chosen = sorted(range(len(images)), key=lambda i: (turns[i], seeds[i], images.ids[i]))[:n]
    return images.subset(sorted(chosen))


def _turns(images: Images, seeds: Sequence[int]) -> list[int]:
    # Each class sends its images in turn, one a round: equal shares until a class runs out.
    assert images.labels is not None
    taken: dict[int, int] = defaultdict(int)
    turns = [0] * len(images)
    for i in sorted(range(len(images)), key=lambda i: (seeds[i], images.ids[i])):
        label = int(images.labels[i])
        turns[i] = taken[label]
        taken[label] += 1
    return turns


def _group_names(images: Images) -> list[str]:
    return list(images.ids) if images.groups is None else [str(group) for group in images.groups]


def _counts_by_group(images: Images) -> dict[str, NDArray[np.int64]]:
    labels = np.zeros(len(images), dtype=np.int64) if images.labels is None else images.labels
    classes = max(1, len(images.class_names))
    counts: dict[str, NDArray[np.int64]] = {}
    for group, label in zip(_group_names(images), labels, strict=True):
        counts.setdefault(group, np.zeros(classes, dtype=np.int64))[label] += 1
    return counts


def _greedy(counts: Mapping[str, NDArray[np.int64]], order: Sequence[str], fraction: float) -> frozenset[str]:
    total = np.sum([counts[group] for group in order], axis=0)
    held = np.zeros_like(total)
    second = set()
    for group in order:
        if _distance(held + counts[group], total, fraction) < _distance(held, total, fraction):
            second.add(group)
            held = held + counts[group]
    return frozenset(second)


def _mended(
    counts: Mapping[str, NDArray[np.int64]], order: Sequence[str], fraction: float, second: frozenset[str]
) -> frozenset[str]:
    # A class that greed left out of one part gets the group that disturbs the proportions least.
    total = np.sum([counts[group] for group in order], axis=0)
    for label in np.flatnonzero(total):
        for wanting in (second, frozenset(order) - second):
            giving = frozenset(order) - wanting
            if not any(counts[group][label] for group in wanting):
                moves = [group for group in order if _may_leave(counts, giving, group, int(label))]
                options = [second ^ {group} for group in moves]
                second = min(options, key=lambda part: _loss(counts, part, total, fraction), default=second)
    return second


def _may_leave(
    counts: Mapping[str, NDArray[np.int64]], giving: frozenset[str], group: str, label: int
) -> bool:
    if group not in giving or not counts[group][label]:
        return False
    left = sum((counts[other] for other in giving if other != group), np.zeros_like(counts[group]))
    return bool((left[counts[group] > 0] > 0).all())


def _loss(
    counts: Mapping[str, NDArray[np.int64]], part: frozenset[str], total: NDArray[np.int64], fraction: float
) -> float:
    held = sum((counts[group] for group in part), np.zeros_like(total))
    return _distance(held, total, fraction)


def _distance(held: NDArray[np.int64], total: NDArray[np.int64], fraction: float) -> float:
    # Squared error of each class's share; absent classes count nothing.
    return float((((held - fraction * total) / np.maximum(total, 1)) ** 2).sum())
