"""The library call behind ``diffex edit``: any images, changed along a concept of a run, as files."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import FolderError, InputError
from diffex.base.files import atomic_path
from diffex.base.progress import progress
from diffex.classifiers import Classifier, margin
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.explainers.claims import claim, require_claimable
from diffex.explainers.magnification import magnification
from diffex.explainers.strengths import strength_warning
from diffex.generators.model import FILE, Model, open_model
from diffex.images import Images, place, write_image
from diffex.images.folders import SUFFIXES
from diffex.runs import Explanation, read_run
from diffex.runs.tables import write_csv

_BATCH = 64
_TABLE = "edits.csv"


@final
@dataclass(frozen=True)
class EditRequest:
    """What to change, and by how much.

    Parameters
    ----------
    run : Path
        A run folder; its model renders.
    concept : str
        Id of one of the run's concepts.
    strength : float
        Signed; 1 is the concept's calibrated strength.
    """

    run: Path
    concept: str
    strength: float


@final
@dataclass(frozen=True, eq=False)
class EditResult:
    """What was written.

    Parameters
    ----------
    out : Path
        With the edited images in ``edit``, the null edits in ``null``, their difference as OME-TIFF of floats
        in ``map``, and ``edits.csv``.
    table : DataFrame
        A row per image: ``id, file``, and the target's logit margin of the image, its null edit and its edit
        (``original, null, edit``).
    warnings : tuple of str
        Such as a strength beyond, or in a gap of, what stays on the manifold.
    """

    out: Path
    table: pd.DataFrame
    warnings: tuple[str, ...]


def edit_images(
    images: Images,
    request: EditRequest,
    out: Path,
    device: torch.device,
    classifier: Classifier | None = None,
) -> EditResult:
    """Write every image edited along a concept, and re-rendered without an edit, at full depth.

    Parameters
    ----------
    images : Images
        Of the form that the run's model takes.
    request : EditRequest
        Run, concept and strength.
    out : Path
        A new or empty folder, or one of the same request.
    device : torch.device
        Where to render.
    classifier : Classifier, optional
        The classifier explained, where it cannot be opened by its address.

    Returns
    -------
    EditResult
        What was written. Images keep their names, dtype and value range; the noise is inverted, so that what
        the code does not hold stays as it was.

    Raises
    ------
    InputError
        If the concept is unknown, the strength not finite, or two images would have the same name.
    FolderError
        If the run or its model is missing or not the same, or `out` holds something else.
    ClassifierError
        If the images do not fit the model.
    """
    explanation = read_run(request.run)
    concept = find_concept(explanation, request.concept)
    if not math.isfinite(request.strength):
        raise InputError(
            f"--strength got {request.strength}, expected a finite number, for example 1 or -0.5."
        )
    _refuse_shared_names(images)
    note = _note(images, request, explanation)
    require_claimable(out, note)
    model = open_model_of(explanation, request.run, device, classifier)
    model.check_images(images)
    target = model.classifier.card.class_names.index(explanation.summary["target"])
    images.read([0])
    claim(out, note)
    table = pd.concat(_write_all(images, model, concept, request.strength, out, target), ignore_index=True)
    with atomic_path(out / _TABLE) as temporary:
        write_csv(temporary, table)
    warnings = (*_warnings(explanation, request), *magnification(explanation, images))
    return EditResult(out, table, warnings)


def find_concept(explanation: Explanation, concept_id: str) -> Concept:
    """Rebuild a concept of a run.

    Parameters
    ----------
    explanation : Explanation
        The run.
    concept_id : str
        Its id.

    Returns
    -------
    Concept
        With its direction.

    Raises
    ------
    InputError
        If the run has no such concept.
    FolderError
        If the run lacks its direction.
    """
    entries = {str(entry["id"]): entry for entry in explanation.concepts}
    if concept_id not in entries:
        ranked = explanation.effects.sort_values("rank", kind="stable")["concept"].unique()[:5]
        raise InputError(
            f"--concept got {concept_id!r}, expected one of the run's {len(entries)}, for example "
            f"{', '.join(map(str, ranked))}: see effects.csv."
        )
    if concept_id not in explanation.directions:
        raise FolderError(f"The run has no direction of concept {concept_id}: make the run again.")
    return Concept.from_dict(entries[concept_id], explanation.directions[concept_id])


def open_model_of(
    explanation: Explanation, run: Path, device: torch.device, classifier: Classifier | None = None
) -> Model:
    """Open the model that a run was made with.

    Parameters
    ----------
    explanation : Explanation
        The run.
    run : Path
        Its folder; ``model`` inside is looked at where the kept address leads nowhere.
    device : torch.device
        Where to put it.
    classifier : Classifier, optional
        As for `open_model`.

    Returns
    -------
    Model
        The same weights.

    Raises
    ------
    FolderError
        If it is not found, or its weights are others.
    """
    kept = explanation.summary["model"]
    places = [Path(kept["address"]), run / "model"]
    found = next((place for place in places if (place / FILE).exists()), None)
    if found is None:
        raise FolderError(
            f"The model of run {run} was {kept['address']}, which is not there: "
            f"put the model folder back, or at {run / 'model'}."
        )
    model = open_model(found, device, classifier)
    if model.state_hash() != kept["state_hash"]:
        raise FolderError(
            f"The model {found} is not the one that run {run} was made with (its weights differ): "
            "make the run again with diffex attributes."
        )
    return model


def _note(images: Images, request: EditRequest, explanation: Explanation) -> dict[str, object]:
    return {
        "command": "edit",
        "images": images.fingerprint(),
        "concept": request.concept,
        "strength": request.strength,
        "model": explanation.summary["model"]["state_hash"],
    }


def _refuse_shared_names(images: Images) -> None:
    taken: dict[Path, str] = {}
    for image_id in images.ids:
        path = place(Path(), image_id)
        stem = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
        if stem in taken:
            raise InputError(
                f"{taken[stem]} and {image_id} would be written to the same file, expected names that "
                "differ in more than suffix or leading ..: rename one, or edit them into two folders."
            )
        taken[stem] = image_id


def _write_all(
    images: Images, model: Model, concept: Concept, strength: float, out: Path, target: int
) -> Iterator[pd.DataFrame]:
    editor = LatentEditor(model.generator, noise="inverted")
    starts = range(0, len(images), _BATCH)
    for start in progress(starts, "Editing batches of images"):
        some = images.subset(np.arange(start, min(start + _BATCH, len(images))))
        x = some.read()
        inversion = editor.invert(x, some.ids)
        null, edit = editor.null(inversion), editor.edit(inversion, concept, strength)
        _write(some, null, out / "null")
        files = _write(some, edit, out / "edit")
        _write_maps(some, edit - null, out / "map")
        margins = [_margins(model, pixels, images.value_range, target) for pixels in (x, null, edit)]
        names = [file.relative_to(out / "edit").as_posix() for file in files]
        yield pd.DataFrame(
            {"id": some.ids, "file": names, "original": margins[0], "null": margins[1], "edit": margins[2]}
        )


def _write(images: Images, pixels: Tensor, folder: Path) -> list[Path]:
    about = (images.dtype, images.value_range, images.channel_names, images.pixel_size_um)
    pairs = zip(images.ids, pixels, strict=True)
    return [write_image(place(folder, i), one, *about) for i, one in pairs]


def _write_maps(images: Images, change: Tensor, folder: Path) -> None:
    """Write what an edit changes in the images' own grey values, as floats, which keep the sign."""
    bound = images.value_range[1] - images.value_range[0]
    about = ("float32", (-bound, bound), images.channel_names, images.pixel_size_um)
    for name, one in zip(images.ids, change, strict=True):
        write_image(place(folder, name), one, *about)


@torch.no_grad()
def _margins(
    model: Model, pixels: Tensor, value_range: tuple[float, float], target: int
) -> NDArray[np.float64]:
    return margin(model.classifier.logits(pixels, value_range), target).double().cpu().numpy()


def _warnings(explanation: Explanation, request: EditRequest) -> Iterator[str]:
    said = strength_warning(explanation, request.concept, request.strength)
    if said is not None:
        yield said
    if explanation.summary["model"]["forced"]:
        yield "The model failed a gate and was used with --force: its edits cannot be trusted."
