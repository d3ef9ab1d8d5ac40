"""A run as layers: originals, null edits, and edits over strengths, an image per channel."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from napari_diffex.captions import run_captions
from napari_diffex.colours import is_rgb, looks_of
from napari_diffex.concepts import Concept
from napari_diffex.errors import RunError
from napari_diffex.placing import CELL, KEY, Axis, LayerData, placing, strength_axis, strengths_of
from napari_diffex.run import Pixels, Run
from napari_diffex.sheet import Sheet


def run_layers(run: Run) -> list[LayerData]:
    """Lay a run out side by side.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    list of (array, dict, str)
        As a reader of napari gives them: the captions, originals and null edits (cell, y, x), and for each
        concept that has pictures its edits (strength, cell, y, x) with the null edit at strength 0.

    Raises
    ------
    RunError
        If the run keeps no pictures.
    """
    if not run.original.size:
        raise RunError(f"{run.folder} keeps no pictures of cells: there is nothing to show as layers.")
    sheet, named = sheet_of(run), {concept.id: concept for concept in run.concepts}
    made = [
        run_captions(run, sheet),  # the first layer decides what napari shows at the beginning
        *tile(run, run.original, "original", sheet.corner(0), [CELL], {"kind": "original"}),
        *tile(run, run.null, "null edit", sheet.corner(1), [CELL], {"kind": "null"}),
    ]
    for place, (concept_id, edits) in enumerate(zip(run.edited, run.edits, strict=True), start=2):
        concept = named.get(concept_id)
        told = {"kind": "edit", "strengths": strengths_of(run), **_facts(concept_id, concept)}
        name = concept.name if concept else concept_id
        axes = [strength_axis(run), CELL]
        made += tile(run, _with_null(run, edits), name, sheet.corner(place), axes, told)
    return made


def sheet_of(run: Run) -> Sheet:
    """Plan where the pictures of a run lie.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    Sheet
        A tile for originals, one for null edits, one for each concept.
    """
    height, width = run.original.shape[2:]
    return Sheet(height, width, 2 + len(run.edited))


def tile(
    run: Run,
    pixels: Pixels,
    name: str,
    corner: tuple[float, float],
    axes: Sequence[Axis],
    told: dict[str, Any],
) -> list[LayerData]:
    """Make the image layers of one tile, one per channel; photographs are one.

    Parameters
    ----------
    run : Run
        For channels, contrast and pixel size.
    pixels : ndarray, shape (..., c, h, w)
        Grey values.
    name : str
        Of the layers, before the channel's.
    corner : (float, float)
        y and x in pixels.
    axes : sequence of Axis
        What comes before the channels.
    told : dict
        Kept as metadata, with the run and its cells.

    Returns
    -------
    list of (array, dict, str)
        One per channel.
    """
    place = placing(run, corner, axes)
    facts = {"run": str(run.folder), "target": run.summary["target"], "cells": run.shown, **told}
    if is_rgb(run):
        low, high = run.value_range
        colours = np.clip((np.moveaxis(pixels, -3, -1) - low) / (high - low), 0.0, 1.0)
        return [(colours, {**place, "name": name, "rgb": True, "metadata": {KEY: facts}}, "image")]
    single = len(run.channel_names) == 1
    return [
        (
            pixels[..., c, :, :],
            {
                **place,
                "metadata": {KEY: {**facts, "channel": look.name}},
                "name": name if single else f"{name} [{look.name}]",
                "colormap": look.colormap,
                "contrast_limits": look.limits,
                "gamma": look.gamma,
                "blending": "additive",
            },
            "image",
        )
        for c, look in enumerate(looks_of(run))
    ]


def _with_null(run: Run, edits: Pixels) -> Pixels:
    """Put edits in the order of `strengths_of`, the null edit at 0."""
    order = np.argsort(np.append(run.strengths, 0.0), kind="stable")
    return np.concatenate([edits, run.null[None]])[order]


def _facts(concept_id: str, concept: Concept | None) -> dict[str, Any]:
    if concept is None:
        return {"concept": concept_id}
    return {"concept": concept_id, **{key: value for key, value in asdict(concept).items() if key != "id"}}
