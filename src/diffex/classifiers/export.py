"""Classifiers written as files that anyone can open."""

import io
from pathlib import Path

import torch

from diffex.base.errors import ClassifierError
from diffex.base.files import atomic_path
from diffex.classifiers.adapters.side_card import side_card_path
from diffex.classifiers.card import write_card
from diffex.classifiers.classifier import Classifier


def export_classifier(classifier: Classifier, path: Path | str) -> None:
    """Write a classifier as ``NAME.pt2`` with ``NAME.card.json`` beside it.

    Parameters
    ----------
    classifier : Classifier
        Of an ``nn.Module``.
    path : Path or str
        Ends in ``.pt2``; `open_classifier` reads it back.

    Raises
    ------
    ClassifierError
        If it is a black box, the suffix differs, or torch cannot export the module.
    """
    path = Path(path)
    if classifier.module is None:
        raise ClassifierError(
            f"export_classifier got {classifier!r}, a function, expected a module: wrap the module itself."
        )
    if path.suffix != ".pt2":
        raise ClassifierError(
            f"export_classifier got {path.name}, expected a name that ends in .pt2: rename it."
        )
    data = _program_bytes(classifier, classifier.module)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    write_card(classifier.card, side_card_path(path))


def _program_bytes(classifier: Classifier, module: torch.nn.Module) -> bytes:
    example = torch.zeros(2, classifier.card.channels, *classifier.card.size, device=classifier.device)
    sizes = ({0: torch.export.Dim.DYNAMIC},)
    try:
        program = torch.export.export(module, (example,), dynamic_shapes=sizes)
    except Exception as error:  # torch.export fails with errors of many kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ClassifierError(
            f"{classifier!r} cannot be exported ({reason}): remove branches on values from its forward."
        ) from error
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()
