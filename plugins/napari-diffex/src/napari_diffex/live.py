"""The app's answer as layers below those of the run; the next answer takes the place of the last."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari.layers import Layer

from napari_diffex.captions import caption_layer, shortened
from napari_diffex.client import Answer
from napari_diffex.layers import sheet_of, tile
from napari_diffex.numbers import signed
from napari_diffex.placing import KEY, LayerData
from napari_diffex.run import Run
from napari_diffex.sheet import Sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel

_NAMES = ("live original", "live null edit", "live edit")


def answer_words(run: Run, answer: Answer) -> str:
    """Say what the classifier makes of an edit.

    Parameters
    ----------
    run : Run
        For the target's name.
    answer : Answer
        Of the app.

    Returns
    -------
    str
        One sentence.
    """
    before, after = answer.margins
    first, second = answer.said
    verdict = f"still says {second}" if first == second else f"now says {second}, no more {first}"
    return (
        f"{answer.name}: logit margin of {run.summary['target']} {signed(before)} \N{RIGHTWARDS ARROW} "
        f"{signed(after)} ({signed(after - before)}); the classifier {verdict}."
    )


def show_answer(viewer: "ViewerModel", run: Run, answer: Answer, strengths: Mapping[str, float]) -> None:
    """Show an answer.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    run : Run
        That the answer is of.
    answer : Answer
        Of the app.
    strengths : mapping of str to float
        That were asked for, by concept.
    """
    old = {_key(layer): layer for layer in viewer.layers if _is_live(layer, run)}
    active, is_first = viewer.layers.selection.active, not old
    for data in _layers(run, answer, strengths):
        new = Layer.create(*data)
        layer = old.pop(_key(new), None)
        if layer is None:
            viewer.add_layer(new)
        else:
            layer.data, layer.metadata = new.data, new.metadata
            if "features" in data[1]:
                layer.features = data[1]["features"]
    for layer in old.values():  # of an original that this cell has not
        viewer.layers.remove(layer)
    if active in viewer.layers:
        viewer.layers.selection.active = active
    if is_first:
        viewer.reset_view()


def _layers(run: Run, answer: Answer, strengths: Mapping[str, float]) -> list[LayerData]:
    pictures = (answer.original, answer.null, answer.edit)
    height, width = answer.edit.shape[1:]
    sheet = Sheet(height, width, sheet_of(run).count)
    corners = [sheet.below(place) for place in range(len(_NAMES))]
    before, after = answer.margins
    told = {
        "cells": (answer.name,),
        "strengths": dict(strengths),
        "margin_null": before,
        "margin_edit": after,
        "said_null": answer.said[0],
        "said_edit": answer.said[1],
    }
    made = [
        layer
        for name, pixels, corner in zip(_NAMES, pictures, corners, strict=True)
        if pixels is not None
        for layer in tile(run, pixels, name, corner, [], {"kind": name, **told})
    ]
    names = {concept.id: concept.name for concept in run.concepts}
    moved = ", ".join(f"{names.get(one, one)} {signed(value)}" for one, value in strengths.items())
    original = "" if answer.original is None else f"live original\n{shortened(answer.name)}"
    captions = [
        original,
        f"live null edit\n{shortened(answer.name)}",
        f"live edit\n{moved}\nmargin {signed(after - before)}",
    ]
    return [caption_layer(run, captions, corners, "live captions", []), *made]


def _is_live(layer: Layer, run: Run) -> bool:
    told = layer.metadata.get(KEY, {})
    return told.get("run") == str(run.folder) and str(told.get("kind")).startswith("live")


def _key(layer: Layer) -> tuple[Any, Any]:
    told = layer.metadata[KEY]
    return told["kind"], told.get("channel")
