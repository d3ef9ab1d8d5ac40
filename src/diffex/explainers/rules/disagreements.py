"""Cells in which the rule says another class than the classifier."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.effects.arrays import FloatArray, IntArray
from diffex.images import Images

_MOST = 8


def widest_disagreements(predicted: FloatArray, margins: FloatArray, most: int = _MOST) -> IntArray:
    """Find the cells in which the rules contradict the classifier most.

    Parameters
    ----------
    predicted, margins : ndarray, shape (n, k)
        Of the rules, of the classifier, in logits.
    most : int, default 8
        At most so many.

    Returns
    -------
    ndarray of int
        Positions of cells given different classes; first where the margin of the class that the classifier
        says differs most.

    Examples
    --------
    >>> margins = np.array([[2.0, -2.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> widest_disagreements(np.array([[-1.0, 1.0], [-4.0, 4.0], [-1.0, 1.0]]), margins)
    array([1, 0])
    """
    said = margins.argmax(axis=1)
    gap = np.take_along_axis(margins - predicted, said[:, None], axis=1)[:, 0]
    apart = np.flatnonzero(predicted.argmax(axis=1) != said)
    return apart[np.argsort(-gap[apart], kind="stable")][:most]


def disagreements(
    images: Images, predicted: FloatArray, margins: FloatArray, names: tuple[str, ...]
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """List these cells, with their pictures.

    Parameters
    ----------
    images : Images
        Cells that neither the rules nor, where it can be helped, the classifier's generator was fitted on.
    predicted, margins : ndarray, shape (n, k)
        Of the rules, of the classifier, on these cells.
    names : tuple of str
        The classes.

    Returns
    -------
    (dict, ndarray of shape (m, c, h, w))
        ``count`` of ``images``, and ``cells`` with ``id``, ``label``, what either says and its margin; pixels
        of those cells.
    """
    said, ruled = margins.argmax(axis=1), predicted.argmax(axis=1)
    rows = widest_disagreements(predicted, margins)
    labels = images.labels
    cells = [
        {
            "id": images.ids[i],
            "label": "" if labels is None else images.class_names[labels[i]],
            "classifier": names[said[i]],
            "classifier_margin": float(margins[i, said[i]]),
            "rule": names[ruled[i]],
            "rule_margin": float(predicted[i, ruled[i]]),
        }
        for i in rows
    ]
    found = {"count": int((said != ruled).sum()), "images": len(images), "cells": cells}
    return found, images.read(rows).numpy()
