"""The library call behind ``diffex score``: any number of cells, scored along the attributes of a run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diffex.base.devices import resolve_device
from diffex.base.errors import FolderError
from diffex.base.files import read_json, write_json
from diffex.classifiers import Classifier
from diffex.explainers.claims import claim, request_about
from diffex.explainers.edit import open_model_of
from diffex.explainers.magnification import magnification
from diffex.explainers.responders.scoring import Followed, followed_attributes
from diffex.explainers.scores.config import ScoreConfig
from diffex.explainers.scores.effects import Calibrated, calibrate, linear_effects, require_enough
from diffex.explainers.scores.parts import drop_parts, fill_parts
from diffex.explainers.scores.tables import CELLS, Columns, write_cells
from diffex.generators import logits_of
from diffex.generators.model import Model
from diffex.images import Images
from diffex.responses.scores import ScoreAxes, stream_scores, strength_axes
from diffex.runs import Explanation, read_run

_HEAD = "summary.json"


@final
@dataclass(frozen=True, eq=False)
class CellScores:
    """What was written.

    Parameters
    ----------
    out : Path
        With ``cells.parquet``, ``summary.json`` and, where the package anndata is installed, ``cells.h5ad``.
    head : dict
        What was asked, of which run, model and images; how effects were computed; what it took.
    summary : tuple of str
        The same in plain words.
    """

    out: Path
    head: Mapping[str, Any]
    summary: tuple[str, ...]

    def __repr__(self) -> str:
        """Print the summary."""
        return "\n".join(self.summary)

    def table(self) -> pd.DataFrame:
        """Read the cells.

        Returns
        -------
        DataFrame
            A row per cell, columns as in a run's ``cells.parquet``: ``id, label, group``, the images' own,
            ``logit_<class>``, ``code_<i>``, ``score_<concept>`` and, where asked, ``effect_<concept>``.
        """
        return pd.read_parquet(self.out / CELLS)


def score(
    images: Images,
    run: str | Path,
    out: str | Path,
    config: ScoreConfig | None = None,
    device: torch.device | None = None,
    classifier: Classifier | None = None,
    **options: Any,
) -> CellScores:
    """Score every cell of a set along the attributes of a run, block by block.

    The score is the cell's coordinate along an attribute, as in the run's own ``cells.parquet``: 0 is the
    mean of the run's images, 1 is its strength 1. The effect, where asked, is how much the attribute would
    move the cell's own logit margin at strength 1: the exact gradient through the one-step renderer, on a
    line fitted to full renders of 48 of the cells. Blocks are kept as they are done: after an interruption
    the same call goes on.

    Parameters
    ----------
    images : Images
        Any number of cells, of the form that the run's model takes.
    run : str or Path
        Folder of a run of attributes; its model scores.
    out : str or Path
        A new or empty folder, or one of the same request.
    config : ScoreConfig, optional
        How many attributes, and whether effects are wanted.
    device : torch.device, optional
        Where to run; default the best there is.
    classifier : Classifier, optional
        The classifier explained, where it cannot be opened by its address.
    **options : object
        Fields of `ScoreConfig`, in place of `config`.

    Returns
    -------
    CellScores
        What was written.

    Raises
    ------
    InputError
        If the run has no significant attribute, or effects are asked of fewer than 12 cells.
    FolderError
        If the run or its model is missing or not the same, or `out` holds something else.
    ClassifierError
        If the images do not fit the model.
    """
    asked, folder = ScoreConfig(**options) if config is None else config, Path(out)
    explanation = read_run(Path(run))
    attributes = followed_attributes(explanation, asked.top)
    model = open_model_of(explanation, Path(run), device or resolve_device("auto"), classifier)
    model.check_images(images)
    if asked.effects:
        require_enough(images)
    request = request_about("score", explanation, images, asked)
    claim(folder, request)
    if (folder / _HEAD).is_file():
        head = read_json(folder / _HEAD)
        return CellScores(folder, head, tuple(head["summary"]))
    before, reader = model.classifier.state_hash(), _reader(model, explanation, attributes, asked)
    began = time.perf_counter()
    kept = fill_parts(folder, len(images), lambda positions: reader.read(images.subset(positions)))
    seconds = time.perf_counter() - began
    effects = reader.calibrated(images, explanation) if asked.effects else ()
    model.classifier.check_unchanged(before)
    counts = {"cells": len(images), "kept": kept, "seconds": seconds}
    head = {"request": request, "run": str(run), **counts, **_head(explanation, attributes, effects)}
    said = _sentences(head, attributes, effects, model)
    head["summary"] = (*said, *magnification(explanation, images))
    classes = model.classifier.card.class_names
    write_cells(folder, images, Columns(classes, reader.axes, effects), head)
    write_json(folder / _HEAD, head)
    drop_parts(folder)
    return CellScores(folder, head, head["summary"])


@final
@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads the numbers of cells, in the order of `Columns`."""

    model: Model
    attributes: Sequence[Followed]
    axes: ScoreAxes
    target: int
    seed: int
    effects: bool

    @torch.no_grad()
    def read(self, images: Images) -> NDArray[np.float32]:
        parts = []
        for batch in stream_scores(images, self.model.generator.encode, self.axes):
            logits = logits_of(self.model.classifier, batch.pixels, images.value_range)
            numbers = [logits, batch.codes.numpy(), batch.scores]
            if self.effects:
                ids = [images.ids[position] for position in batch.positions]
                numbers.append(
                    linear_effects(self.model, self.attributes, batch.codes, ids, self.target, self.seed)
                )
            parts.append(np.concatenate(numbers, axis=1, dtype=np.float32))
        return np.concatenate(parts)

    def calibrated(self, images: Images, explanation: Explanation) -> tuple[Calibrated, ...]:
        depth = explanation.summary["search"].get("verify_depth")
        return calibrate(images, self.model, self.attributes, self.target, depth, self.seed)


def _reader(
    model: Model, explanation: Explanation, attributes: Sequence[Followed], config: ScoreConfig
) -> _Reader:
    names = [f"code_{k}" for k in range(model.generator.latents)]
    if not set(names) <= set(explanation.cells.columns):
        raise FolderError("The run lacks the codes of its images in cells.parquet: make the run again.")
    codes = explanation.cells[names]
    covariance = model.generator.code_cov.double().cpu().numpy()
    axes = strength_axes(
        codes, covariance, [one.concept for one in attributes], [one.sign for one in attributes]
    )
    target = model.classifier.card.class_names.index(explanation.summary["target"])
    return _Reader(model, attributes, axes, target, int(explanation.summary["seed"]), config.effects)


def _head(
    explanation: Explanation, attributes: Sequence[Followed], effects: Sequence[Calibrated]
) -> dict[str, Any]:
    return {
        "schema": 1,
        "target": explanation.summary["target"],
        "attributes": [
            {"concept": one.concept.id, "sign": one.sign, "words": one.words} for one in attributes
        ],
        "effects": [asdict(one) for one in effects],
        "versions": explanation.summary["versions"],
    }


def _sentences(
    head: Mapping[str, Any], attributes: Sequence[Followed], effects: Sequence[Calibrated], model: Model
) -> Iterator[str]:
    done, seconds = head["cells"] - head["kept"], head["seconds"]
    kept = f"; {head['kept']} were there from an earlier try" if head["kept"] else ""
    yield (
        f"{head['cells']} cells scored along {len(attributes)} attributes of the run: 0 is the mean of its "
        f"images, 1 an attribute's strength 1. {done / max(seconds, 1e-9):.0f} cells/s{kept}."
    )
    yield from (f"{one.concept.id}: {one.words}." for one in attributes)
    if effects:
        yield (
            f"Effects are changes of each cell's logit margin of {head['target']} at strength 1, from exact "
            "gradients" + ("" if model.classifier.differentiable else " of the classifier's twin") + "."
        )
    yield from (one.words for one in effects)
    if not model.passed:
        yield "Mind: the model failed a gate and was used with --force: its attributes cannot be trusted."
