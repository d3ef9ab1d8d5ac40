"""From images to a MODEL folder: black box, twin, generator, gates; every stage resumes."""

import logging
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import final

import torch

from diffex.base.errors import FolderError, InputError
from diffex.base.files import read_json, write_json
from diffex.base.hashing import hash_value
from diffex.base.positions import evenly
from diffex.classifiers import Classifier, align_labels, check_images
from diffex.classifiers.blackbox import load_black_box
from diffex.classifiers.fitting import fit_black_box, fit_twin
from diffex.generators.autoencoder import DiffusionAutoencoder
from diffex.generators.config import GeneratorConfig
from diffex.generators.fitting import fit_generator
from diffex.generators.gates import measure_gates
from diffex.generators.model import FILE, Model, mean_codes, open_model, pixel_hashes, write_model
from diffex.images import Images, require_classes, split_by_group

_log = logging.getLogger("diffex")
_REQUEST = "request.json"
_HELD_OUT = 0.15
_HASHED = 64  # held-out images whose pixels tell the set
_FEWEST = 40


@final
@dataclass(frozen=True, eq=False)
class FitRequest:
    """What to fit.

    Parameters
    ----------
    images : Images
        Labelled, unless a classifier is given.
    config : GeneratorConfig
        Network, losses, steps, seed.
    classifier : Classifier, optional
        The thing to explain; a black box is trained where it is absent.
    start : Path, optional
        A MODEL folder of the same kind of images to adapt.
    black_box_steps : int, optional
        Of the black box.
    """

    images: Images
    config: GeneratorConfig
    classifier: Classifier | None = None
    start: Path | None = None
    black_box_steps: int | None = None

    def fingerprint(self) -> str:
        """Hash of everything that decides the result."""
        return hash_value(
            {
                "images": self.images.fingerprint(),
                "config": self.config.model_dump(mode="json"),
                "classifier": None if self.classifier is None else self.classifier.state_hash(),
                "start": None if self.start is None else read_json(self.start / FILE),
            }
        )


def fit_model(request: FitRequest, folder: Path, device: torch.device) -> Model:
    """Fit a model; the same command goes on where an earlier one was interrupted.

    Parameters
    ----------
    request : FitRequest
        What to fit.
    folder : Path
        Where to keep it.
    device : torch.device
        Where to train.

    Returns
    -------
    Model
        With its gates, passed or not.

    Raises
    ------
    FolderError
        If the folder holds something else.
    InputError, ClassifierError
        If images or classifier cannot be used.
    """
    request = _checked(request)
    fingerprint = _claim(folder, request)
    if (folder / FILE).exists():
        _log.info("%s is fitted already", folder)
        return open_model(folder, device, request.classifier)
    started = time.monotonic()
    classifier, quality = _classifier(request, folder, device)
    before = classifier.state_hash()
    guide = _guide(classifier, request, folder, device)
    fitting, held_out = split_by_group(request.images, _HELD_OUT, request.config.seed)
    generator = _generator(request, guide, fitting, folder, device)
    gates = measure_gates(generator, classifier, held_out, request.config.seed)
    for gate in gates:
        _log.info("gate: %s", gate)
    classifier.check_unchanged(before)
    extra = {
        "fingerprint": fingerprint,
        "held_out": list(held_out.ids),
        "held_out_pixels": pixel_hashes(held_out, evenly(len(held_out), _HASHED).tolist()),
        "images": repr(request.images),
        "pixel_size_um": request.images.pixel_size_um,
        "black_box": quality,
        "adapted_from": None if request.start is None else str(request.start),
        "seconds": round(time.monotonic() - started, 1),
        "versions": {name: version(name) for name in ("diffex", "torch", "diffusers")},
    }
    codes = mean_codes(generator, classifier, fitting)
    write_model(folder, classifier, gates, codes, extra)
    return open_model(folder, device, None if (folder / "classifier").exists() else classifier)


def _checked(request: FitRequest) -> FitRequest:
    images = request.images
    if request.classifier is None:
        require_classes(images, 2)
    else:
        check_images(request.classifier, images)
        images = align_labels(images, request.classifier.card)
    if len(images) < _FEWEST:
        raise InputError(
            f"The set has {len(images)} images, a generator needs at least {_FEWEST} (better 1,000): "
            "add images."
        )
    return FitRequest(images, request.config, request.classifier, request.start, request.black_box_steps)


def _claim(folder: Path, request: FitRequest) -> str:
    """Note in the folder what it is for; refuse a folder that is for something else."""
    fingerprint = request.fingerprint()
    note = folder / _REQUEST
    if note.exists():
        if read_json(note)["fingerprint"] != fingerprint:
            raise FolderError(
                f"--out {folder} holds a model of other images, settings or classifier: "
                "choose another folder, or repeat the command it was begun with."
            )
    elif folder.exists() and any(folder.iterdir()):
        raise FolderError(f"--out {folder} is not empty and holds no model: choose a new or empty folder.")
    else:
        write_json(note, {"fingerprint": fingerprint, "config": request.config.model_dump(mode="json")})
    return fingerprint


def _classifier(
    request: FitRequest, folder: Path, device: torch.device
) -> tuple[Classifier, dict[str, float] | None]:
    if request.classifier is not None:
        return request.classifier.to(device), None
    own = folder / "classifier"
    if not (own / "config.json").exists():
        fit_black_box(
            request.images, own, seed=request.config.seed, steps=request.black_box_steps, device=device
        )
    return load_black_box(own).to(device), read_json(own / "config.json")["report"]


def _guide(classifier: Classifier, request: FitRequest, folder: Path, device: torch.device) -> Classifier:
    if classifier.differentiable:
        return classifier
    if not (folder / "twin" / "config.json").exists():
        _log.info("the classifier gives no gradients: a differentiable twin is fitted to its logits")
        fit_twin(classifier, request.images, folder / "twin", seed=request.config.seed, device=device)
    return load_black_box(folder / "twin").to(device)


def _generator(
    request: FitRequest, guide: Classifier, fitting: Images, folder: Path, device: torch.device
) -> DiffusionAutoencoder:
    if not (folder / "generator.safetensors").exists():
        start = None if request.start is None else DiffusionAutoencoder.load(request.start, device)
        model = fit_generator(fitting, guide, request.config, folder / "training", device=device, start=start)
        model.save(folder)
    return DiffusionAutoencoder.load(folder, device)
