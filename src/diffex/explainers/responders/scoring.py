"""Numbers per cell: how far along each attribute, the classifier's score, the plain measurements."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diffex.base.errors import FolderError, InputError
from diffex.base.progress import progress
from diffex.classifiers import margin
from diffex.concepts import Concept
from diffex.effects.arrays import FloatArray
from diffex.explainers.edit import find_concept
from diffex.explainers.naming import naming_rows
from diffex.generators.model import Model
from diffex.images import Images
from diffex.measurements import measure, quantities
from diffex.responses.scores import ScoreAxes, scores_from_controls
from diffex.runs import Explanation

ValueKind = Literal["attribute", "classifier", "measurement"]
CLASSIFIER = "classifier score"
_CHUNK = 256


@final
@dataclass(frozen=True)
class Value:
    """One number per cell.

    Parameters
    ----------
    name : str
        Its column: the concept's id, ``classifier score``, or a quantity.
    kind : {"attribute", "classifier", "measurement"}
        What it is.
    words : str
        The same in a sentence.
    unit : str
        Of the number.
    """

    name: str
    kind: ValueKind
    words: str
    unit: str


@final
@dataclass(frozen=True)
class Followed:
    """An attribute of the run that is followed.

    Parameters
    ----------
    concept : Concept
        With its direction.
    sign : int
        Which way of it is up: that of its best row.
    words : str
        What it changes, measured.
    named_after : tuple of str
        Quantities in its name.
    """

    concept: Concept
    sign: int
    words: str
    named_after: tuple[str, ...]


@final
@dataclass(frozen=True, eq=False)
class Scored:
    """What was read off the cells.

    Parameters
    ----------
    values : tuple of Value
        Attributes in the run's order, the classifier's score, measurements that name an attribute.
    table : DataFrame
        A row per cell, a column per value.
    codes : ndarray, shape (n, d)
        Of the cells, float32.
    axes : ScoreAxes
        By which the attributes were read off the codes.
    warnings : tuple of str
        Such as a measurement that needs a pixel size.
    """

    values: tuple[Value, ...]
    table: pd.DataFrame
    codes: NDArray[np.float32]
    axes: ScoreAxes
    warnings: tuple[str, ...]

    def of(self, *kinds: ValueKind) -> tuple[Value, ...]:
        """Values of some kinds, in order.

        Parameters
        ----------
        *kinds : {"attribute", "classifier", "measurement"}
            Which.

        Returns
        -------
        tuple of Value
            Those.
        """
        return tuple(value for value in self.values if value.kind in kinds)


def followed_attributes(explanation: Explanation, top: int) -> tuple[Followed, ...]:
    """Choose the attributes of a run that are followed: the best of those that are significant.

    Parameters
    ----------
    explanation : Explanation
        A run of the attribute method.
    top : int
        How many at most.

    Returns
    -------
    tuple of Followed
        At least one, by rank.

    Raises
    ------
    FolderError
        If the run is of another method.
    InputError
        If it has no significant attribute.
    """
    method = explanation.summary["method"]
    if method != "attributes":
        raise FolderError(
            f"--run holds a run of {method}, expected one of diffex attributes or explain: give that."
        )
    effects = explanation.effects
    good = effects[effects["significant"] & (effects["kind"] != "random")].sort_values("rank", kind="stable")
    if not len(good):
        raise InputError(
            "The run has no significant attribute, expected one or more: there is nothing to follow; "
            "explain more images first."
        )
    return tuple(
        _followed(explanation, row) for row in good.drop_duplicates("concept").head(top).to_dict("records")
    )


def _followed(explanation: Explanation, row: dict[Any, Any]) -> Followed:
    name, sign, measured = str(row["concept"]), int(row["sign"]), explanation.measured
    own = measured[(measured["concept"] == name) & (measured["sign"] == sign)]
    named = tuple(str(one["quantity"]) for one in naming_rows(own, name))
    return Followed(find_concept(explanation, name), sign, str(row["words"] or row["name"]), named)


def score_cells(
    images: Images,
    model: Model,
    attributes: tuple[Followed, ...],
    target: str,
    control: NDArray[np.bool_],
    groups: NDArray[np.str_] | None = None,
) -> Scored:
    """Read every cell, chunk by chunk: only codes and numbers stay in memory.

    Parameters
    ----------
    images : Images
        Any number of cells, of the model's form.
    model : Model
        Encodes and classifies.
    attributes : tuple of Followed
        Along which cells are scored, in control standard deviations.
    target : str
        Class whose logit margin is the classifier's score.
    control : ndarray of bool, shape (n,)
        Cells that fix zero and unit of the scores.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.

    Returns
    -------
    Scored
        All values of all cells.

    Raises
    ------
    InputError
        If there are fewer than 20 controls, or a file is damaged.
    """
    known = {one.name: one for one in quantities(images.channel_names, images.pixel_size_um)}
    wanted = list(dict.fromkeys(name for one in attributes for name in one.named_after))
    measured = [name for name in wanted if name in known]
    position = model.classifier.card.class_names.index(target)
    parts = list(_read(images, model, position, measured))
    codes, margins, numbers = (np.concatenate([part[k] for part in parts]) for k in range(3))
    axes, scores = scores_from_controls(
        codes, control, [one.concept for one in attributes], [one.sign for one in attributes], groups
    )
    values = (
        *(Value(one.concept.id, "attribute", one.words, "control s.d.") for one in attributes),
        Value(CLASSIFIER, "classifier", f"logit margin of {target}", "logits"),
        *(Value(name, "measurement", known[name].words, known[name].unit) for name in measured),
    )
    columns = [scores, margins[:, None], numbers]
    table = pd.DataFrame(np.concatenate(columns, axis=1), columns=[value.name for value in values])
    return Scored(values, table, codes, axes, tuple(_lost(wanted, measured)))


@torch.no_grad()
def _read(
    images: Images, model: Model, target: int, measured: list[str]
) -> Iterator[tuple[NDArray[np.float32], FloatArray, FloatArray]]:
    starts = range(0, len(images), _CHUNK)
    for start in progress(starts, "Reading batches of cells"):
        some = images.subset(np.arange(start, min(start + _CHUNK, len(images))))
        x = some.read()
        table = measure(x, images.channel_names, some.read_masks(), images.pixel_size_um)
        yield (
            model.generator.encode(x).float().cpu().numpy(),
            margin(model.classifier.logits(x, images.value_range), target).double().cpu().numpy(),
            table[measured].to_numpy(dtype=np.float64),
        )


def _lost(wanted: list[str], measured: list[str]) -> Iterator[str]:
    lost = [name for name in wanted if name not in measured]
    if lost:
        yield (
            f"{', '.join(lost)}, after which the run names attributes, cannot be measured here: the run's "
            "images had another pixel size setting; give --pixel-size as there."
        )
