"""Classifiers exported with torch.export."""

import io
import json
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from diffex.base.errors import ClassifierError
from diffex.classifiers.adapters.exported_archive import read_archive
from diffex.classifiers.adapters.side_card import read_side_card, side_card_path
from diffex.classifiers.card import make_card
from diffex.classifiers.classifier import Classifier


class ExportedNetwork(nn.Module):
    """An exported program as a module that can be asked for evaluation mode.

    Parameters
    ----------
    program : torch.export.ExportedProgram
        With one input ``(n, c, h, w)``.
    """

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__()
        self.program = program.module()
        for part in self.program.modules():
            part.training = False

    def forward(self, x: Tensor) -> Tensor:
        """Give logits ``(n, k)`` for normalised images ``(n, c, h, w)``."""
        logits: Tensor = self.program(x)
        return logits

    def train(self, mode: bool = True) -> "ExportedNetwork":
        """Keep the mode that was exported: it is part of the graph and cannot be switched."""
        self.training = False
        return self


def open_exported(path: Path, address: str) -> Classifier:
    """Open a ``.pt2`` file.

    Parameters
    ----------
    path : Path
        Written by ``torch.export.save`` in evaluation mode; its card lies beside it as
        ``NAME.card.json`` or in it as the extra file ``card.json``.
    address : str
        What the user wrote.

    Returns
    -------
    Classifier
        Differentiable.

    Raises
    ------
    ClassifierError
        If file or card are missing, damaged or do not fit.
    """
    buffer, inner = read_archive(path)
    use_inner = inner is not None and not side_card_path(path).is_file()
    card = make_card(_json_object(inner or "", path), str(path)) if use_inner else read_side_card(path)
    program = _load(buffer, path)
    batch = _fixed_batch(program)
    return Classifier(ExportedNetwork(program), card, differentiable=True, address=address, batch=batch)


def _json_object(text: str, path: Path) -> dict[str, object]:
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ClassifierError(f"card.json in {path} is not JSON: export the classifier again.") from error
    return fields if isinstance(fields, dict) else {}


def _load(buffer: io.BytesIO, path: Path) -> torch.export.ExportedProgram:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own deprecations
            return torch.export.load(buffer)
    except Exception as error:  # torch fails with errors of any kind on foreign files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ClassifierError(
            f"{path} cannot be read ({reason}), expected a program of torch {torch.__version__}: "
            "export it again with this version."
        ) from error


def _fixed_batch(program: torch.export.ExportedProgram) -> int | None:
    """Read the batch size where the export froze it (dynamic sizes are symbols, no ints)."""
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise ClassifierError(
            f"The exported program got {len(names)} inputs, expected one (images): export it with one."
        )
    node = next(node for node in program.graph.nodes if node.name == names[0])
    size = node.meta["val"].shape[0]
    return size if type(size) is int else None
