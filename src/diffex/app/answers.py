"""What the worker answers: pictures or pixels, logits and measurements, as JSON can hold them."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from diffex.app.painting import paint, paint_change
from diffex.app.questions import EditQuestion
from diffex.app.studio import Edited, Look, Studio
from diffex.effects.matrix import margin_of
from diffex.measurements import Quantity
from diffex.report.numbers import compact, percent, signed, signed_compact, unit


def answer_of(studio: Studio, edited: Edited, question: EditQuestion) -> dict[str, Any]:
    """Describe an edit in the form that was asked for.

    Parameters
    ----------
    studio : Studio
        The run.
    edited : Edited
        The cell before and after.
    question : EditQuestion
        What was asked.

    Returns
    -------
    dict
        As `edit_answer` or `pixel_answer`.
    """
    if question.form == "pixels":
        return pixel_answer(studio, edited)
    return edit_answer(studio, edited, question.channel)


def pixel_answer(studio: Studio, edited: Edited) -> dict[str, Any]:
    """Describe an edit for a program that shows grey values itself, such as napari.

    Parameters
    ----------
    studio : Studio
        The run, for names.
    edited : Edited
        The cell before and after.

    Returns
    -------
    dict
        As `edit_answer`, with ``pixels`` in place of pictures and maps: each a ``shape`` (c, h, w) and
        ``float32``, its little-endian values in base 64; null where the run keeps no original.
    """
    picture = edited.cell.picture
    return {
        "name": edited.cell.name,
        "depth": edited.depth,
        "pixels": {
            "original": None if picture is None else _grey_values(picture.numpy()),
            "null": _grey_values(edited.null.pixels),
            "edit": _grey_values(edited.edit.pixels),
        },
        **numbers(studio, edited.null, edited.edit),
    }


def edit_answer(studio: Studio, edited: Edited, channel: int | None) -> dict[str, Any]:
    """Describe an edit for a page.

    Parameters
    ----------
    studio : Studio
        The run, for names and contrast.
    edited : Edited
        The cell before and after.
    channel : int or None
        Shown in grey; None for all in colour.

    Returns
    -------
    dict
        Pictures as ``data:`` addresses, numbers as text, and the target's probability as a number for bars.
    """
    if channel is not None and channel >= len(studio.channel_names):
        channel = None
    picture = edited.cell.picture
    pictures = {
        "original": None if picture is None else paint(picture.numpy(), studio.contrast, channel),
        "null": paint(edited.null.pixels, studio.contrast, channel),
        "edit": paint(edited.edit.pixels, studio.contrast, channel),
    }
    change = edited.edit.pixels - edited.null.pixels
    maps = paint_change(change, studio.contrast, studio.channel_names, channel)
    return {
        "name": edited.cell.name,
        "depth": edited.depth,
        "pictures": pictures,
        "maps": [{"name": one.name, "source": one.source} for one in maps],
        **numbers(studio, edited.null, edited.edit),
    }


def numbers(studio: Studio, null: Look, edit: Look) -> dict[str, Any]:
    """Write what classifier and measurements say before and after.

    Parameters
    ----------
    studio : Studio
        The run.
    null, edit : Look
        Before and after.

    Returns
    -------
    dict
        ``classes``, ``margin`` and ``measured``.
    """
    before, after = (softmax(look.logits) for look in (null, edit))
    names = studio.model.classifier.card.class_names
    margins = [float(margin_of(look.logits[None], studio.target)[0]) for look in (null, edit)]
    return {
        "classes": [
            {
                "name": name,
                "target": k == studio.target,
                "logits": [signed(float(null.logits[k])), signed(float(edit.logits[k]))],
                "shares": [float(before[k]), float(after[k])],
                "percents": [percent(float(before[k])), percent(float(after[k]))],
            }
            for k, name in enumerate(names)
        ],
        "said": [names[int(look.logits.argmax())] for look in (null, edit)],
        "margin": {"null": margins[0], "edit": margins[1], "change": signed(margins[1] - margins[0])},
        "measured": [
            _row(q, float(null.measured[q.name]), float(edit.measured[q.name])) for q in studio.told
        ],
    }


def _grey_values(pixels: NDArray[np.float32]) -> dict[str, Any]:
    content = np.ascontiguousarray(pixels, dtype="<f4").tobytes()
    return {"shape": list(pixels.shape), "float32": base64.b64encode(content).decode()}


def _row(quantity: Quantity, before: float, after: float) -> dict[str, str]:
    return {
        "words": quantity.words,
        "unit": unit(quantity.unit),
        "before": compact(before),
        "after": compact(after),
        "change": signed_compact(after - before),
    }
