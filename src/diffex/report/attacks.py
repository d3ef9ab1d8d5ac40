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
        ``words``, ``rows``, ``attacked``, ``moves`` and ``moved`` for the template; None where nothing was
        attacked.
    """
    told = (explanation.rules or {}).get("attacks")
    if told is None:
        return None
    pixels = told["pixels"]
    return {
        "words": _words(pixels),
        "rows": [_row(one) for one in pixels["models"]],
        "attacked": _attacked(explanation, [one["name"] for one in pixels["models"]]),
        "moves": [_move(one) for one in told["moves"]],
        "moved": _moved(explanation, told["moves"]),
    }


def _words(pixels: Mapping[str, Any]) -> str:
    return (
        f"{pixels['images']} held-out images, each pixel changed by at most {compact(pixels['grey_levels'])} "
        f"grey values ({compact(100 * pixels['budget'])} % of the range): so much that the classifier keeps "
        f"about half of its accuracy. Of each image the strongest attack counts; intervals over "
        f"{pixels['unit']}."
    )


def _row(one: Mapping[str, Any]) -> dict[str, str]:
    alone = ", ".join(f"{name} {_whole(share)}" for name, share in one["by_attack"].items())
    more = one["kept_more"]
    return {
        "name": one["name"],
        "gradients": one["gradients"],
        "accuracy": _whole(one["accuracy"]),
        "kept": _percent(one["kept"]),
        "more": "" if more is None else _percent(more),
        "alone": alone,
        "half": f"{compact(100 * one['half_kept_at'])} %",
    }


def _move(one: Mapping[str, Any]) -> str:
    told = (
        f"By {compact(one['beyond'])} logits beyond 0: a move was found for {_whole(one['flipped'])} of "
        f"{one['images']} images"
    )
    if one["confirmed"] is None:
        return f"{told}."
    unit = f" {one['unit']}" if one["unit"] else ""
    return (
        f"{told}; of the pictures, measured anew, {_percent(one['confirmed'])} pass "
        f"{compact(one['threshold'])}{unit} of {one['measurement']}, and the classifier says the other class "
        f"of {_percent(one['classifier'])}."
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


def _percent(value: list[float]) -> str:
    return f"{100 * value[0]:.0f} % ({100 * value[1]:.0f} to {100 * value[2]:.0f})"
