"""How rules and classifier stood attacks, ready to show."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.report.numbers import compact
from diffex.report.pictures import Figure, Strip, plain_strips, scale_words
from diffex.runs import Explanation


def attack_panel(explanation: Explanation) -> dict[str, Any] | None:
    """Prepare the attacks of a run of the rule method.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    dict or None
        ``words``, ``rows``, ``attacked``, ``yardstick``, ``moves`` and ``moved`` for the template; None where
        nothing was attacked.
    """
    told = (explanation.rules or {}).get("attacks")
    if told is None:
        return None
    pixels = told["pixels"]
    return {
        "words": _words(pixels),
        "rows": [_row(one) for one in pixels["models"]],
        "attacked": _attacked(explanation, [one["name"] for one in pixels["models"]]),
        "yardstick": _yardstick(told["moves"][0], explanation.summary["target"]),
        "moves": [_move(one) for one in told["moves"]],
        "moved": _moved(explanation, told["moves"]),
    }


def _words(pixels: Mapping[str, Any]) -> str:
    found = "so much that the classifier keeps half of its accuracy under PGD of ten steps"
    if pixels["budget"] >= 1:
        found = "no change was large enough that PGD leaves the classifier half of its accuracy"
    return (
        f"{pixels['images']} held-out images, each pixel changed by at most {compact(pixels['grey_levels'])} "
        f"grey values ({compact(100 * pixels['budget'])} % of the range): {found}. Of each image the "
        f"strongest attack counts; intervals over {pixels['unit']}. Sparse network and rules read these "
        "pixels alone, without masks that came with the images. Without gradients of its own, a model is "
        "attacked through a network taught to do the same, and better attacks may leave it less."
    )


def _row(one: Mapping[str, Any]) -> dict[str, str]:
    alone = ", ".join(f"{name} {_whole(share)}" for name, share in one["by_attack"].items())
    more = one["kept_more"]
    return {
        "name": one["name"],
        "gradients": _gradients(one),
        "accuracy": _whole(one["accuracy"]),
        "kept": _percent(one["kept"]),
        "more": "" if more is None else _points(more),
        "alone": alone,
        "half": "not reached" if one["half_kept_at"] >= 1 else f"{compact(100 * one['half_kept_at'])} %",
    }


def _gradients(one: Mapping[str, Any]) -> str:
    agrees = one["guide_agrees"]
    return str(one["gradients"]) + ("" if agrees is None else f", which agrees in {_whole(agrees)}")


def _yardstick(one: Mapping[str, Any], target: str) -> str:
    return (
        f"Pictures are told by {one['measurement']}, above or below {_threshold(one)}: by itself it tells "
        f"{target} on held-out images with a balanced accuracy of {_whole(one['accuracy'])}."
    )


def _threshold(one: Mapping[str, Any]) -> str:
    return f"{compact(one['threshold'])} {one['unit'] or ''}".rstrip()


def _move(one: Mapping[str, Any]) -> str:
    told = (
        f"By {compact(one['beyond'])} logits beyond 0: a move was found for {_whole(one['flipped'])} of "
        f"{one['images']} images"
    )
    if one["confirmed"] is None:
        return f"{told}."
    told += f"; of the pictures, measured anew, {_percent(one['confirmed'])} pass {_threshold(one)}"
    if one["classifier"] is None:
        return f"{told}."
    return (
        f"{told}; of the {one['agreed']} that the classifier puts where the rule does before the move, it "
        f"puts {_percent(one['classifier'])} on the other side after it."
    )


def _attacked(explanation: Explanation, names: list[str]) -> Figure | None:
    caption = f"Images, and what the strongest attack on each made of them. {scale_words(explanation)}"
    return _figure(explanation, "attacked", ["as they are", *(f"against the {n}" for n in names)], caption)


def _moved(explanation: Explanation, moves: list[dict[str, Any]]) -> Figure | None:
    beyond = compact(moves[-1]["beyond"])
    caption = (
        f"Re-rendered, and with the factors moved by the least that flips the rule by {beyond} logits. "
        f"{scale_words(explanation)}"
    )
    return _figure(explanation, "moved", ["null edit", "moved"], caption)


def _figure(explanation: Explanation, key: str, labels: list[str], caption: str) -> Figure | None:
    pictures: NDArray[np.float32] | None = explanation.examples.get(key)
    if pictures is None or not pictures.size or len(pictures) != len(labels):
        return None
    columns = tuple((str(k + 1), "") for k in range(pictures.shape[1]))
    strips = tuple(
        Strip(label, address, f"{label}: {pictures.shape[1]} cells")
        for label, address in zip(labels, plain_strips(explanation, pictures), strict=True)
    )
    return Figure(caption, columns, strips)


def _whole(share: float) -> str:
    return f"{100 * share:.0f} %"


def _points(value: list[float]) -> str:
    return f"{100 * value[0]:.0f} ({100 * value[1]:.0f} to {100 * value[2]:.0f})"


def _percent(value: list[float]) -> str:
    return f"{100 * value[0]:.0f} % ({100 * value[1]:.0f} to {100 * value[2]:.0f})"
