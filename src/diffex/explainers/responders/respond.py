"""The library call behind ``diffex responders``: which cells respond, at which dose, what answers first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from diffex.base.devices import resolve_device
from diffex.classifiers import Classifier
from diffex.explainers.claims import request_about
from diffex.explainers.edit import open_model_of
from diffex.explainers.kept_columns import kept_columns
from diffex.explainers.magnification import magnification
from diffex.explainers.responders.batches import find_batches
from diffex.explainers.responders.config import ResponderConfig
from diffex.explainers.responders.curves import answer_curves
from diffex.explainers.responders.design import Design, read_design
from diffex.explainers.responders.populations import Populations, find_populations
from diffex.explainers.responders.result import Responses
from diffex.explainers.responders.scoring import Scored, followed_attributes, score_cells
from diffex.explainers.responders.showing import shown_cells
from diffex.explainers.responders.wording import sentences
from diffex.images import Images
from diffex.responses.confounds import Confounds
from diffex.responses.scores import require_controls
from diffex.runs import Explanation, read_run

_OWN = ("id", "condition", "dose", "well")


def responders(
    images: Images,
    run: str | Path,
    config: ResponderConfig | None = None,
    device: torch.device | None = None,
    classifier: Classifier | None = None,
    **options: Any,
) -> Responses:
    """Follow the attributes of a run over doses, or from controls to one treated condition.

    Every cell is scored along the run's best attributes, with the classifier, and by the plain measurements
    after which these attributes are named. Side by side: response curve by well, EC50, trend, and the lowest
    dose that departs from controls at a false discovery rate of 0.05. At each dose: are all cells shifted, or
    do some respond, which, and how many. Attributes that follow plates, dates, wells or fields are named.

    Parameters
    ----------
    images : Images
        Of the form that the run's model takes; cells that the run was not made with are best.
    run : str or Path
        Folder of a run of attributes; its model scores.
    config : ResponderConfig, optional
        Columns of dose, control, well; how many attributes.
    device : torch.device, optional
        Where to run; default the best there is.
    classifier : Classifier, optional
        The classifier explained, where it cannot be opened by its address.
    **options : object
        Fields of `ResponderConfig`, in place of `config`.

    Returns
    -------
    Responses
        The answer; `save` writes it.

    Raises
    ------
    InputError
        If a column is unknown, doses are no numbers, controls are missing or fewer than 20, or the run has
        no significant attribute.
    FolderError
        If the run or its model is missing, or not the same.
    ClassifierError
        If the images do not fit the model.
    """
    asked = ResponderConfig(**options) if config is None else config
    explanation, folder = read_run(Path(run)), Path(run)
    attributes = followed_attributes(explanation, asked.top)
    target = str(explanation.summary["target"])
    design = read_design(images, asked, target)
    require_controls(int(design.control.sum()))
    model = open_model_of(explanation, folder, device or resolve_device("auto"), classifier)
    model.check_images(images)
    before = model.classifier.state_hash()
    scored = score_cells(images, model, attributes, target, design.control, design.wells)
    model.classifier.check_unchanged(before)
    curves = answer_curves(scored, design, asked.seed)
    found = find_populations(scored, design, images.ids, asked)
    confounds = find_batches(images, scored, design, asked.seed)
    warnings = (
        *_forced(explanation), *magnification(explanation, images), *design.warnings, *curves.warnings,
        *scored.warnings, *found.warnings,
    )  # fmt: skip
    return Responses(
        {
            **_head(explanation, folder, asked, images),
            "warnings": warnings,
            "first": curves.first,
            "dose": design.dose,
            "controls": design.controls,
            "confounds": [_confound(one) for one in confounds],
        },
        sentences(curves, found, confounds, design),
        _cells(images, design, scored, found),
        curves.answers,
        curves.doses.merge(found.table, on=["name", "condition"], how="left"),
        found.cells,
        scored.codes,
        scored.axes.weights,
        shown_cells(images, scored, found, design),
    )


def _head(explanation: Explanation, run: Path, config: ResponderConfig, images: Images) -> dict[str, Any]:
    summary = explanation.summary
    return {
        "schema": 1,
        "request": request_about("responders", explanation, images, config),
        "run": str(run),
        "target": summary["target"],
        "classifier": summary["classifier"]["state_hash"],
        "cells": len(images),
        "versions": summary["versions"],
    }


def _forced(explanation: Explanation) -> Sequence[str]:
    if explanation.summary["model"]["forced"]:
        return ("The model failed a gate and was used with --force: its attributes cannot be trusted.",)
    return ()


def _confound(found: Confounds) -> dict[str, Any]:
    return {
        "batch": found.batch, "units": found.units, "confounded": found.confounded, "words": found.words,
        "flagged": found.flagged, "table": found.table.to_dict("records"),
    }  # fmt: skip


def _cells(images: Images, design: Design, scored: Scored, found: Populations) -> pd.DataFrame:
    """A row per cell: what it got, the images' own columns, all values, and probabilities to respond."""
    own = pd.DataFrame({"id": list(images.ids), "condition": design.conditions, "dose": design.doses})
    own["well"] = None if design.wells is None else design.wells
    kept = kept_columns(images, {*_OWN, *scored.table.columns})
    likely = found.probability.rename(columns=lambda name: f"responder: {name}")
    return pd.concat([own, kept, scored.table, likely], axis=1)
