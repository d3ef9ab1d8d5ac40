"""Why this image: the smallest on-manifold change that flips it, split into what it changes."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.files import atomic_path, write_json
from diffex.classifiers import margin
from diffex.editors import LatentEditor
from diffex.explainers.claims import claim, require_claimable
from diffex.explainers.edit import find_concept
from diffex.explainers.naming import phrase
from diffex.explainers.preparing import target_index
from diffex.explainers.reach import reach_of
from diffex.explainers.smallest_move import smallest_moves
from diffex.generators.model import Model
from diffex.images import Images, place, write_image
from diffex.measurements import Quantity, choose_channel, measure, nucleus_channel, quantities
from diffex.runs import Explanation
from diffex.runs.tables import write_csv

_PARTS = 4
_LEAST = 0.02
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
        A row per image: ``id, flipped, margin_original, margin_null, margin_counterfactual, distance,
        changes`` and, with a run, ``parts``. The distance is in standard deviations of the codes.
    """

    out: Path
    table: pd.DataFrame

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
        return "\n".join([*lines, f"Pictures are in {self.out}."])


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
    """

    table: pd.DataFrame
    null: Tensor
    moved: Tensor


def counterfactuals(
    images: Images, model: Model, target: str, run: Explanation | None, out: Path
) -> Counterfactuals:
    """Find, for each image, the smallest move of its code that makes it the target; write what was found.

    Parameters
    ----------
    images, model, target, run
        As for `find_counterfactuals`.
    out : Path
        Gets ``counterfactual/`` and ``null/`` pictures, a table and JSON.

    Returns
    -------
    Counterfactuals
        One row per image.

    Raises
    ------
    InputError, FolderError, ClassifierError
        If target, folder or images do not fit.
    """
    request = {"counterfactual": target, "images": list(images.ids), "model": model.state_hash()}
    model.check_images(images)
    target_index(model.classifier.card.class_names, target)
    require_claimable(out, request)
    found = find_counterfactuals(images, model, target, run)
    claim(out, request)
    _write(images, found.null, found.moved, found.table, out)
    return Counterfactuals(out, found.table)


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
    table = pd.DataFrame(
        {
            "id": images.ids,
            "flipped": _classes(model, moved) == index,
            "margin_original": _margins(model, x, index),
            "margin_null": _margins(model, null, index),
            "margin_counterfactual": _margins(model, moved, index),
            "distance": reach_of(model, inversion.codes).length(moves).numpy(),
            "changes": _changes(images, null, moved),
            "parts": _parts(model, run, moves),
        }
    )
    return Found(table, null, moved)


@torch.no_grad()
def _classes(model: Model, x: Tensor) -> NDArray[np.int64]:
    return np.asarray(model.classifier.logits(x, model.generator.pixels.value_range).argmax(1).cpu().numpy())


@torch.no_grad()
def _margins(model: Model, x: Tensor, target: int) -> NDArray[np.float64]:
    logits = model.classifier.logits(x, model.generator.pixels.value_range)
    return np.asarray(margin(logits, target).cpu().numpy(), dtype=np.float64)


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


def _parts(model: Model, run: Explanation | None, moves: Tensor) -> list[str]:
    """Split each move over the run's significant attributes, greedily, in the codes' own metric."""
    if run is None:
        return [""] * len(moves)
    good = run.effects[run.effects["significant"] & (run.effects["kind"] != "random")]
    words = dict(zip(good["concept"], good["words"], strict=True))
    if not words:
        return ["no attribute of the run is significant"] * len(moves)
    inverse = torch.linalg.pinv(model.generator.code_cov.cpu())
    directions = torch.stack([find_concept(run, name).direction for name in words])
    names = [f"{str(told).partition(', ')[0]} ({name})" for name, told in words.items()]
    return [_split(move, directions, inverse, names) for move in moves]


def _split(move: Tensor, directions: Tensor, inverse: Tensor, names: list[str]) -> str:
    """Take the attribute that explains most of what is left, fit all taken again, and so on."""
    total = float(move @ inverse @ move)
    if total == 0:
        return "no move is needed"
    metric, left = directions @ inverse, move
    norms = (metric * directions).sum(1)
    taken: list[int] = []
    amounts: list[float] = []
    while len(taken) < min(_PARTS, len(names)):
        gains = (metric @ left).square() / norms
        if float(gains.max()) < _LEAST * total:
            break
        taken.append(int(gains.argmax()))
        gram = metric[taken] @ directions[taken].T
        solution = torch.linalg.lstsq(gram, (metric[taken] @ move).unsqueeze(1)).solution.squeeze(1)
        amounts, left = solution.tolist(), move - solution @ directions[taken]
    parts = [f"{amount:+.2f} x {names[one]}" for one, amount in zip(taken, amounts, strict=True)]
    rest = float(left @ inverse @ left) / total
    return ", ".join([*parts, f"{100 * rest:.0f} % of the move is none of these"])


def _write(images: Images, null: Tensor, moved: Tensor, table: pd.DataFrame, out: Path) -> None:
    for row, name in enumerate(images.ids):
        write_image(place(out / "counterfactual", name), moved[row], images.dtype, images.value_range)
        write_image(place(out / "null", name), null[row], images.dtype, images.value_range)
    with atomic_path(out / "counterfactuals.csv") as temporary:
        write_csv(temporary, table)
    write_json(out / "counterfactuals.json", table.to_dict("records"))
