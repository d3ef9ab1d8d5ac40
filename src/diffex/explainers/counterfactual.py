"""Why this image: the smallest on-manifold change that flips it, split into what it changes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.files import atomic_path, write_json
from diffex.editors import LatentEditor
from diffex.effects.matrix import margin_of
from diffex.explainers.claims import claim, require_claimable
from diffex.explainers.edit import find_concept
from diffex.explainers.magnification import model_magnification
from diffex.explainers.naming import phrase
from diffex.explainers.preparing import target_index
from diffex.explainers.reach import reach_of
from diffex.explainers.smallest_move import smallest_moves
from diffex.explainers.splitting import Split, split_moves
from diffex.generators import logits_of
from diffex.generators.model import Model
from diffex.images import Images, place, write_image
from diffex.measurements import Quantity, choose_channel, measure, nucleus_channel, quantities
from diffex.runs import Explanation
from diffex.runs.counterfactuals import Counterfactual, Logits, Share, Told, keep_counterfactuals
from diffex.runs.tables import write_csv

_TOLD = 5


@final
@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """The smallest changes found.

    Parameters
    ----------
    out : Path
        Folder with pictures, ``counterfactuals.csv`` and ``counterfactuals.json``.
    table : DataFrame
        A row per image: ``id, flipped, margin_original, margin_null, margin_counterfactual, distance, size,
        changes`` and, with a run, ``parts``. The distance is in standard deviations of the codes, the size is
        of the change from the null edit.
    results : list of dict
        The same image by image, for machines, and ``logits_null``, ``logits_counterfactual`` by class and
        ``shares``: the parts and what is left; None without a run.
    warnings : tuple of str
        What a reader must know.
    """

    out: Path
    table: pd.DataFrame
    results: list[dict[str, Any]]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """Say for every image what has to change."""
        lines = []
        for row in self.table.to_dict("records"):
            verdict = "becomes the target" if row["flipped"] else "could not be flipped on the manifold"
            lines.append(
                f"{row['id']}: {verdict} "
                f"(margin {row['margin_null']:+.2f} to {row['margin_counterfactual']:+.2f}): {row['changes']}"
                + (f" [{row['parts']}]" if row["parts"] else "")
            )
        return "\n".join([*lines, *self.warnings, f"Pictures are in {self.out}."])


@final
@dataclass(frozen=True, eq=False)
class Found:
    """The smallest changes found, before they are written.

    Parameters
    ----------
    table : DataFrame
        As in `Counterfactuals`.
    null, moved : Tensor
        ``(n, c, h, w)`` grey values: null edits and counterfactuals.
    logits : (ndarray, ndarray)
        Of both, ``(n, k)``.
    splits : tuple of Split
        One per image; empty without a run, or where none of its attributes is significant.
    """

    table: pd.DataFrame
    null: Tensor
    moved: Tensor
    logits: tuple[NDArray[np.float64], NDArray[np.float64]]
    splits: tuple[Split, ...]


def counterfactuals(
    images: Images,
    model: Model,
    target: str,
    run: Explanation | None,
    out: Path,
    keep_in: Path | None = None,
) -> Counterfactuals:
    """Find, for each image, the smallest move of its code that makes it the target; write what was found.

    Parameters
    ----------
    images, model, target, run
        As for `find_counterfactuals`.
    out : Path
        Gets ``counterfactual/`` and ``null/`` pictures, a table and JSON.
    keep_in : Path, optional
        Folder of `run`, which then keeps what was found, so that its report can show it.

    Returns
    -------
    Counterfactuals
        One row per image.

    Raises
    ------
    InputError, FolderError, ClassifierError
        If target, folder or images do not fit, or `run` is of another model.
    """
    _require_same_model(run, model)
    request = {"counterfactual": target, "images": list(images.ids), "model": model.state_hash()}
    model.check_images(images)
    target_index(model.classifier.card.class_names, target)
    require_claimable(out, request)
    found = find_counterfactuals(images, model, target, run)
    claim(out, request)
    results = _results(found, model.classifier.card.class_names)
    _write(images, found, results, out)
    if keep_in is not None:
        keep_counterfactuals(keep_in, _kept(images, model, target, found))
    return Counterfactuals(out, found.table, results, model_magnification(model, images))


def find_counterfactuals(images: Images, model: Model, target: str, run: Explanation | None) -> Found:
    """Find, for each image, the smallest move of its code that makes it the target.

    Parameters
    ----------
    images : Images
        A few images of the model's form.
    model : Model
        Generator and classifier; without gradients, the twin's guide the search and the black box decides.
    target : str
        The class wanted.
    run : Explanation or None
        A run of the same model; the move is then split over its attributes, and its concepts guide where the
        classifier gives no gradients.

    Returns
    -------
    Found
        One row per image.

    Raises
    ------
    InputError, ClassifierError
        If target or images do not fit.

    Notes
    -----
    Several ways are tried and the shortest that flips is kept: the difference of the mean codes of two
    classes, gradient descent from 0 and from halfway along it, and, for a classifier without gradients, the
    run's concepts that move it most. Gradient steps in white codes minimise
    ``|u|^2 / 2d + max(0, margin wanted - margin)`` through the one-step renderer (after Wachter et al.
    2017); every move is then shortened at full depth, by bisection, to the least that still flips. No move
    leads farther out than the codes of 99.5 % of the fitting images, or than the image's own code
    (`diffex.explainers.reach`); an image that no such move flips is said to be so.
    """
    model.check_images(images)
    index = target_index(model.classifier.card.class_names, target)
    editor = LatentEditor(model.generator, "inverted")
    x = images.read()
    inversion = editor.invert(x, images.ids)
    moves, moved = smallest_moves(model, editor, inversion, index, _guides(model, run))
    null = editor.null(inversion)
    before, after = _logits(model, null), _logits(model, moved)
    splits = () if run is None else split_moves(model, run, moves)
    table = pd.DataFrame(
        {
            "id": images.ids,
            "flipped": after.argmax(1) == index,
            "margin_original": margin_of(_logits(model, x), index),
            "margin_null": margin_of(before, index),
            "margin_counterfactual": margin_of(after, index),
            "distance": reach_of(model, inversion.codes).length(moves).numpy(),
            "size": model.generator.pixels.size(moved - null).cpu().double().numpy(),
            "changes": _changes(images, null, moved),
            "parts": _told(run, splits, len(images)),
        }
    )
    return Found(table, null, moved, (before, after), splits)


def _require_same_model(run: Explanation | None, model: Model) -> None:
    if run is not None and run.summary["model"]["state_hash"] != model.state_hash():
        raise InputError(
            f"--run got a run of another model ({run.summary['model']['address']}), expected one of "
            f"{model.address}: its attributes are not of this model's code."
        )


def _logits(model: Model, x: Tensor) -> NDArray[np.float64]:
    return logits_of(model.classifier, x, model.generator.pixels.value_range)


def _guides(model: Model, run: Explanation | None) -> Tensor:
    """Directions of the run's concepts, for a classifier without gradients; else none."""
    if run is None or model.classifier.differentiable:
        return torch.zeros(0, model.generator.latents)
    tried = run.effects.loc[run.effects["kind"] != "random", "concept"].unique()
    found = [find_concept(run, str(name)).direction for name in tried]
    return torch.stack(found) if found else torch.zeros(0, model.generator.latents)


def _changes(images: Images, null: Tensor, moved: Tensor) -> list[str]:
    """Per image, the largest measured changes in units of their spread over the null edits and edits."""
    named = nucleus_channel(images.channel_names)
    masks = images.read_masks()
    channel = (
        choose_channel(null.numpy(), None if masks is None else masks.numpy()) if named is None else named
    )
    tables = [
        measure(
            x, images.channel_names, masks, images.pixel_size_um, shape_from="pixels", shape_channel=channel
        )
        for x in (null, moved)
    ]
    spread = pd.concat(tables).std().clip(lower=1e-9)
    known = quantities(images.channel_names, images.pixel_size_um)
    told = []
    for before, after in zip(tables[0].to_dict("records"), tables[1].to_dict("records"), strict=True):
        order = sorted(known, key=lambda q: -abs(after[q.name] - before[q.name]) / float(spread[q.name]))
        told.append(", ".join(_said(q, before[q.name], after[q.name]) for q in order[:_TOLD]))
    return told


def _said(quantity: Quantity, before: float, after: float) -> str:
    percent = quantity.log and quantity.unit != "log2" and abs(before) > 1e-6
    change = 100 * (after - before) / abs(before) if percent else after - before
    return phrase({"words": quantity.words, "unit": quantity.unit, "log": percent, "change": change})


def _told(run: Explanation | None, splits: tuple[Split, ...], count: int) -> list[str]:
    if run is None:
        return [""] * count
    return [str(split) for split in splits] or ["no attribute of the run is significant"] * count


def _results(found: Found, class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """What was found, image by image, for machines."""
    splits: list[dict[str, Any] | None] = [asdict(split) for split in found.splits]
    rows = [{str(name): value for name, value in row.items()} for row in found.table.to_dict("records")]
    return [
        {
            **row,
            "logits_null": dict(zip(class_names, before.tolist(), strict=True)),
            "logits_counterfactual": dict(zip(class_names, after.tolist(), strict=True)),
            "shares": split,
        }
        for row, before, after, split in zip(rows, *found.logits, splits or [None] * len(rows), strict=True)
    ]


def _kept(images: Images, model: Model, target: str, found: Found) -> list[Counterfactual]:
    """What a run keeps of each image."""
    x, rows = images.read(), found.table.to_dict("records")
    pictures, logits = (x, found.null, found.moved), (_logits(model, x), *found.logits)
    splits = found.splits or (Split((), 1.0),) * len(rows)
    return [
        Counterfactual(
            Told(
                id=row["id"],
                target=target,
                class_names=list(model.classifier.card.class_names),
                flipped=row["flipped"],
                distance=row["distance"],
                logits=Logits(
                    **{name: one[k].tolist() for name, one in zip(Logits.model_fields, logits, strict=True)}
                ),
                shares=[Share(**vars(part)) for part in split.parts],
                rest=split.rest,
                changes=row["changes"],
            ),
            *(one[k].cpu().numpy() for one in pictures),
        )
        for k, (row, split) in enumerate(zip(rows, splits, strict=True))
    ]


def _write(images: Images, found: Found, results: list[dict[str, Any]], out: Path) -> None:
    about = (images.dtype, images.value_range, images.channel_names, images.pixel_size_um)
    for row, name in enumerate(images.ids):
        write_image(place(out / "counterfactual", name), found.moved[row], *about)
        write_image(place(out / "null", name), found.null[row], *about)
    with atomic_path(out / "counterfactuals.csv") as temporary:
        write_csv(temporary, found.table)
    write_json(out / "counterfactuals.json", results)
