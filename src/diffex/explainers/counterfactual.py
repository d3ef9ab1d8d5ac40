"""Why this image: the smallest on-manifold change that flips it, split into what it changes."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.files import atomic_path, write_json
from diffex.base.noise import noise_for
from diffex.base.progress import progress
from diffex.classifiers import margin
from diffex.editors import Inversion, LatentEditor
from diffex.explainers.claims import claim, require_claimable
from diffex.explainers.naming import phrase
from diffex.explainers.preparing import target_index
from diffex.explainers.splitting import Split, split_moves
from diffex.generators.model import Model
from diffex.images import Images, place, write_image
from diffex.measurements import Quantity, choose_channel, measure, nucleus_channel, quantities
from diffex.runs import Explanation
from diffex.runs.counterfactuals import Counterfactual, Logits, Share, Told, keep_counterfactuals
from diffex.runs.tables import write_csv

_STEPS = 40
_RATE = 0.15
_MARGIN = 0.5
_HALVINGS = 6
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
    splits : tuple of Split
        Each move over the attributes of the run; none without a run.
    """

    table: pd.DataFrame
    null: Tensor
    moved: Tensor
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
    _write(images, found.null, found.moved, found.table, out)
    if keep_in is not None:
        keep_counterfactuals(keep_in, _kept(images, model, target, found))
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
        A run of the same model; the move is then split over its attributes.

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
    Three ways are tried and the shortest that flips is kept: the difference of the mean codes of two
    classes, and gradient descent from 0 and from halfway along it. Gradient steps in white codes minimise
    ``|u|^2 / 2d + max(0, margin wanted - margin)`` through the one-step renderer (after Wachter et al.
    2017); every move is then shortened at full depth, by bisection, to the least that still flips. Codes
    farther out than 99.5 % of the fitting images' are pulled back.
    """
    model.check_images(images)
    index = target_index(model.classifier.card.class_names, target)
    editor = LatentEditor(model.generator, "inverted")
    x = images.read()
    inversion = editor.invert(x, images.ids)
    moves, moved = _shortest(model, editor, inversion, index)
    null = editor.null(inversion)
    splits = () if run is None else split_moves(model, run, moves)
    table = pd.DataFrame(
        {
            "id": images.ids,
            "flipped": _classes(model, moved) == index,
            "margin_original": _margins(model, x, index),
            "margin_null": _margins(model, null, index),
            "margin_counterfactual": _margins(model, moved, index),
            "distance": _length(model, moves),
            "changes": _changes(images, null, moved),
            "parts": [str(split) for split in splits] or [""] * len(moves),
        }
    )
    return Found(table, null, moved, splits)


def _require_same_model(run: Explanation | None, model: Model) -> None:
    if run is not None and run.summary["model"]["state_hash"] != model.state_hash():
        raise InputError(
            f"--run got a run of another model ({run.summary['model']['address']}), expected one of "
            f"{model.address}: its attributes are not of this model's code."
        )


def _spread(model: Model) -> Tensor:
    values, vectors = torch.linalg.eigh(model.generator.code_cov.cpu())
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root


def _shortest(model: Model, editor: LatentEditor, inversion: Inversion, target: int) -> tuple[Tensor, Tensor]:
    """Try three ways to the other class, and keep for each image the shortest that flips it."""
    codes, ids = inversion.codes, inversion.ids
    across = _to_class(model, codes, target)
    starts = (torch.zeros_like(codes), 0.5 * across)
    ways = [across, *(_search(model, ids, codes, start, target) for start in starts)]
    best_move, best_image = across, editor.null(inversion)
    best_length = torch.full((len(codes),), torch.inf, dtype=torch.float64)
    for way in ways:
        scale, image = _shorten(model, editor, inversion, way, target)
        length = torch.from_numpy(_length(model, way * scale)).double()
        missed = torch.from_numpy(_classes(model, image) != target)
        length = torch.where(missed, 1e6 + length, length)
        better = length < best_length
        best_move = torch.where(better.unsqueeze(1), way * scale, best_move)
        best_image = torch.where(better.view(-1, 1, 1, 1), image, best_image)
        best_length = torch.minimum(best_length, length)
    return best_move, best_image


def _to_class(model: Model, codes: Tensor, target: int) -> Tensor:
    """From the mean code of the nearest class that is not the target to the mean code of the target."""
    means = model.class_codes
    others = torch.tensor([k for k in range(len(means)) if k != target])
    nearest = others[torch.cdist(codes, means[others]).argmin(1)]
    return means[target] - means[nearest]


def _search(model: Model, ids: tuple[str, ...], codes: Tensor, start: Tensor, target: int) -> Tensor:
    """Descend in white codes; each image keeps its move from when it first passed the wanted margin."""
    generator, spread = model.generator, _spread(model)
    noise = noise_for(ids, generator.image_shape, "counterfactual")
    white: Tensor = torch.linalg.lstsq(spread, start.T).solution.T
    done = torch.zeros(len(codes), dtype=torch.bool)
    for _ in progress(range(_STEPS), "Searching the smallest change"):
        with torch.enable_grad():
            u = white.clone().requires_grad_(True)
            image = generator.one_step(codes + u @ spread, noise)
            reached = margin(model.guide.logits(image, generator.pixels.value_range), target).cpu()
            lacking = (_MARGIN - reached).clamp_min(0) + u.square().sum(1) / (2 * u.shape[1])
            (gradient,) = torch.autograd.grad(lacking.sum(), u)
        done |= reached >= _MARGIN
        if bool(done.all()):
            break
        step = _RATE * gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-9)
        white = torch.where(done.unsqueeze(1), white, _pulled_back(model, codes, white - step, spread))
    moves: Tensor = white @ spread
    return moves


def _pulled_back(model: Model, codes: Tensor, white: Tensor, spread: Tensor) -> Tensor:
    """Shorten moves whose code is farther out than the codes of real images."""
    cov, mean = model.generator.code_cov.cpu(), model.generator.code_mean.cpu()
    offset = codes + white @ spread - mean
    distance = (offset @ torch.linalg.pinv(cov) * offset).sum(1).clamp_min(0).sqrt()
    own = ((codes - mean) @ torch.linalg.pinv(cov) * (codes - mean)).sum(1).clamp_min(0).sqrt()
    size = codes.shape[1]
    limit = torch.maximum(own, torch.tensor((size + 2.6 * (2 * size) ** 0.5) ** 0.5))
    kept: Tensor = (limit / distance.clamp_min(1e-9)).clamp_max(1.0)
    return white * kept.unsqueeze(1)


def _shorten(
    model: Model, editor: LatentEditor, inversion: Inversion, moves: Tensor, target: int
) -> tuple[Tensor, Tensor]:
    """Bisect the length of each move between 0 and twice, at full depth, with the classifier itself."""
    low, high = torch.zeros(len(moves), 1), torch.full((len(moves), 1), 2.0)
    for _ in progress(range(_HALVINGS), "Shortening it"):
        middle = (low + high) / 2
        image = editor.render(inversion, inversion.codes + middle * moves)
        flips = torch.from_numpy(_classes(model, image) == target).unsqueeze(1)
        low, high = torch.where(flips, low, middle), torch.where(flips, middle, high)
    return high, editor.render(inversion, inversion.codes + high * moves)


@torch.no_grad()
def _classes(model: Model, x: Tensor) -> NDArray[np.int64]:
    return np.asarray(model.classifier.logits(x, model.generator.pixels.value_range).argmax(1).cpu().numpy())


@torch.no_grad()
def _margins(model: Model, x: Tensor, target: int) -> NDArray[np.float64]:
    logits = model.classifier.logits(x, model.generator.pixels.value_range)
    return np.asarray(margin(logits, target).cpu().numpy(), dtype=np.float64)


def _length(model: Model, moves: Tensor) -> NDArray[np.float64]:
    inverse = torch.linalg.pinv(model.generator.code_cov.cpu())
    return np.asarray((moves @ inverse * moves).sum(1).clamp_min(0).sqrt().numpy())


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


def _kept(images: Images, model: Model, target: str, found: Found) -> list[Counterfactual]:
    """What a run keeps of each image."""
    x, rows = images.read(), found.table.to_dict("records")
    pictures, scale = (x, found.null, found.moved), model.generator.pixels.value_range
    three = [model.classifier.logits(one, scale).detach().cpu().tolist() for one in pictures]

    return [
        Counterfactual(
            Told(
                id=row["id"],
                target=target,
                class_names=list(model.classifier.card.class_names),
                flipped=row["flipped"],
                distance=row["distance"],
                logits=Logits(original=three[0][k], null=three[1][k], counterfactual=three[2][k]),
                shares=[Share(**vars(part)) for part in split.parts],
                rest=split.rest,
                changes=row["changes"],
            ),
            *(one[k].cpu().numpy() for one in pictures),
        )
        for k, (row, split) in enumerate(zip(rows, found.splits, strict=True))
    ]


def _write(images: Images, null: Tensor, moved: Tensor, table: pd.DataFrame, out: Path) -> None:
    for row, name in enumerate(images.ids):
        write_image(place(out / "counterfactual", name), moved[row], images.dtype, images.value_range)
        write_image(place(out / "null", name), null[row], images.dtype, images.value_range)
    with atomic_path(out / "counterfactuals.csv") as temporary:
        write_csv(temporary, table)
    write_json(out / "counterfactuals.json", table.to_dict("records"))
