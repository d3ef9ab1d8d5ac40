"""A MODEL folder: generator, the classifier it was made for, gates; refused to any other classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.devices import resolve_device
from diffex.base.errors import ClassifierError, FolderError, GateError
from diffex.base.files import load_tensors, read_json, save_tensors, write_json
from diffex.base.hashing import hash_tensors
from diffex.classifiers import Classifier, check_images, open_classifier
from diffex.classifiers.blackbox import load_black_box
from diffex.generators.autoencoder import DiffusionAutoencoder
from diffex.generators.gates import Gate
from diffex.images import Images

SCHEMA = 1
FILE = "model.json"
_CLASSES = "classes.safetensors"


@final
@dataclass(frozen=True, eq=False)
class Model:
    """What `fit` makes and `attributes` needs.

    Parameters
    ----------
    address : str
        The folder it came from.
    generator : DiffusionAutoencoder
        Encodes and renders.
    classifier : Classifier
        The thing explained.
    guide : Classifier
        Differentiable: the classifier itself, or its twin.
    gates : tuple of Gate
        Measured on held-out images.
    class_codes : Tensor
        ``(k, d)``: mean code of the fitting images of each predicted class.
    record : dict
        All of ``model.json``.
    """

    address: str
    generator: DiffusionAutoencoder
    classifier: Classifier
    guide: Classifier
    gates: tuple[Gate, ...]
    class_codes: Tensor
    record: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def pixel_size_um(self) -> float | None:
        """Micrometres per pixel of the fitting images; None where they, or an older model, do not say."""
        size = self.record.get("pixel_size_um")
        return None if size is None else float(size)

    def require_gates(self, *, force: bool) -> None:
        """Refuse to explain where a gate failed.

        Parameters
        ----------
        force : bool
            Go on all the same.

        Raises
        ------
        GateError
            If a gate failed and `force` is False.
        """
        failed = [str(gate) for gate in self.gates if not gate.passed]
        if failed and not force:
            raise GateError(
                f"The model {self.address} failed {len(failed)} of {len(self.gates)} gates "
                f"({'; '.join(failed)}), so its edits cannot be trusted: "
                "fit longer (--steps) or on more images, or add --force."
            )

    def check_images(self, images: Images) -> None:
        """Refuse images of another form than those the model was fitted on.

        Parameters
        ----------
        images : Images
            To be explained.

        Raises
        ------
        ClassifierError
            If channels, size, range or classes do not fit.
        """
        form = self.generator.form
        got = (images.channel_names, images.size, images.value_range)
        expected = (form.channel_names, form.size, tuple(self.generator.pixels.value_range))
        if got != expected:
            raise ClassifierError(
                f"The images are {_said(*got)}, the model {self.address} expects {_said(*expected)}: "
                "open them as the fitting images were opened, or fit a model on them."
            )
        check_images(self.classifier, images)

    def held_out_of(self, images: Images) -> NDArray[np.bool_]:
        """Mark the images of the fitting set that the model was not fitted on.

        Images of another set may bear the same names, as ``train/a/1.png`` and ``test/a/1.png`` opened by
        their folders do: pixels of some tell.

        Parameters
        ----------
        images : Images
            Of the fitting set, part of it, or of another one.

        Returns
        -------
        ndarray of bool, shape (n,)
            All False for another set.
        """
        names = frozenset(self.record.get("held_out", ()))
        marked = np.array([name in names for name in images.ids], dtype=bool)
        known = self.record.get("held_out_pixels", {})
        there = [i for i, name in enumerate(images.ids) if name in known]
        if there and not any(known[name] == found for name, found in pixel_hashes(images, there).items()):
            return np.zeros(len(images), dtype=bool)
        return marked

    def state_hash(self) -> str:
        """Hash of the generator's weights."""
        return self.generator.state_hash()


def _said(channels: Sequence[str], size: Sequence[int], value_range: Sequence[float]) -> str:
    low, high = value_range
    return f"{'/'.join(channels)} of {size[0]}x{size[1]} px in [{low:g}, {high:g}]"


def pixel_hashes(images: Images, positions: Sequence[int]) -> dict[str, str]:
    """Hash the pixels of some images.

    Parameters
    ----------
    images : Images
        All of them.
    positions : sequence of int
        Which.

    Returns
    -------
    dict of str to str
        By id.
    """
    rows = np.asarray(positions, dtype=np.int64)
    return {images.ids[i]: hash_tensors({"pixels": x}) for i, x in zip(rows, images.read(rows), strict=True)}


@torch.no_grad()
def mean_codes(generator: DiffusionAutoencoder, classifier: Classifier, images: Images) -> Tensor:
    """Average the codes of the images of each predicted class.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Encodes.
    classifier : Classifier
        Predicts.
    images : Images
        The fitting images; up to about 1,000 are read.

    Returns
    -------
    Tensor
        ``(k, d)``; the mean of all codes for a class that is never predicted.
    """
    codes, classes = [], []
    some = images.subset(range(0, len(images), max(1, len(images) // 1000)))
    for _, x in some.batches(128):
        codes.append(generator.encode(x))
        classes.append(classifier.logits(x, images.value_range).argmax(1).cpu())
    z, label = torch.cat(codes), torch.cat(classes)
    count = len(classifier.card.class_names)
    return torch.stack([(z[label == k] if bool((label == k).any()) else z).mean(0) for k in range(count)])


def write_model(
    folder: Path,
    classifier: Classifier,
    gates: Sequence[Gate],
    class_codes: Tensor,
    extra: Mapping[str, Any],
) -> None:
    """Write ``model.json``, last of all files of the folder.

    Parameters
    ----------
    folder : Path
        The model folder; generator, and classifier or twin where they are ours, are there already.
    classifier : Classifier
        Its address, card and state hash are kept.
    gates : sequence of Gate
        As measured.
    class_codes : Tensor
        From `mean_codes`.
    extra : mapping
        What else to keep: data fingerprint, pixel size, seconds, versions; ``generator`` where it is in
        another folder.
    """
    save_tensors(folder / _CLASSES, {"codes": class_codes})
    own = (folder / "classifier" / "config.json").exists()
    record = {
        "schema": SCHEMA,
        "classifier": {
            "address": "classifier" if own else classifier.address,
            "own": own,
            "state_hash": classifier.state_hash(),
            "card": classifier.card.model_dump(mode="json"),
        },
        "gates": [gate.as_dict() for gate in gates],
        **extra,
    }
    write_json(folder / FILE, record)


def open_model(
    folder: str | Path, device: torch.device | str = "auto", classifier: Classifier | None = None
) -> Model:
    """Read a MODEL folder.

    Parameters
    ----------
    folder : str or Path
        Made by ``diffex fit``.
    device : torch.device or str, default "auto"
        Where to put the networks.
    classifier : Classifier, optional
        The classifier, where it cannot be opened by its address; its state hash must be the one kept.

    Returns
    -------
    Model
        Ready to explain.

    Raises
    ------
    FolderError
        If the folder is missing, unfinished, damaged or of another schema.
    ClassifierError
        If the classifier is not the one the model was made for.
    """
    folder, device = Path(folder), device if isinstance(device, torch.device) else resolve_device(device)
    if not (folder / FILE).exists():
        state = "holds no finished model" if folder.exists() else "does not exist"
        raise FolderError(f"--model {folder} {state}: make one with diffex fit IMAGES --out {folder}.")
    record = read_json(folder / FILE)
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise FolderError(
            f"{folder} holds a model of schema {schema}, this diffex reads {SCHEMA}: fit it again."
        )
    known = record["classifier"]
    if classifier is None:
        classifier = (
            load_black_box(folder / "classifier") if known["own"] else open_classifier(known["address"])
        )
    if classifier.state_hash() != known["state_hash"]:
        raise ClassifierError(
            f"The classifier {classifier.address} is not the one the model {folder} was made for (its "
            "weights differ): adapt the model with diffex fit IMAGES "
            f"--classifier {classifier.address} --from {folder}."
        )
    classifier = classifier.to(device)
    guide = classifier if classifier.differentiable else load_black_box(folder / "twin").to(device)
    gates = tuple(Gate(**{k: v for k, v in gate.items() if k != "passed"}) for gate in record["gates"])
    generator = DiffusionAutoencoder.load(folder / record.get("generator", "."), device)
    codes = load_tensors(folder / _CLASSES)["codes"]
    return Model(str(folder), generator, classifier, guide, gates, codes, record)
