"""What another program than a browser has to know before it asks: which run this is, and its sliders."""

from dataclasses import asdict
from typing import Any

from diffex.app.sliders import sliders_of
from diffex.runs import Explanation


def about_run(explanation: Explanation) -> dict[str, Any]:
    """Tell which run the app was started on, and what can be moved.

    Parameters
    ----------
    explanation : Explanation
        The run.

    Returns
    -------
    dict
        ``method``, ``target``, ``created`` and ``model`` (its state hash), which tell runs apart; ``cells``,
        how many there are; ``sliders``, in the order in which `EditQuestion` wants their strengths.
    """
    summary = explanation.summary
    return {
        **{key: str(summary[key]) for key in ("method", "target", "created")},
        "model": str(summary["model"]["state_hash"]),
        "cells": len(explanation.cells),
        "sliders": [asdict(slider) for slider in sliders_of(explanation)],
    }
