"""Classifiers as ONNX files, run by onnxruntime: black boxes."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffex.base.errors import ClassifierError, MissingPartError
from diffex.classifiers.adapters.side_card import read_side_card
from diffex.classifiers.classifier import Classifier


class OnnxNetwork:
    """An onnxruntime session as a function of a tensor.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        With one input ``(n, c, h, w)``; the first output is the logits.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0]
        first = self._input.shape[0]
        self.batch = first if isinstance(first, int) else None

    def __call__(self, x: Tensor) -> Tensor:
        """Give logits ``(n, k)`` for normalised images ``(n, c, h, w)``."""
        pixels = x.detach().cpu().numpy()
        return torch.as_tensor(self._session.run(None, {self._input.name: pixels})[0])


def open_onnx(path: Path, address: str) -> Classifier:
    """Open an ``.onnx`` file.

    Parameters
    ----------
    path : Path
        The file; its card lies beside it as ``NAME.card.json``.
    address : str
        What the user wrote.

    Returns
    -------
    Classifier
        Not differentiable.

    Raises
    ------
    ClassifierError
        If file or card are missing, damaged or do not fit.
    MissingPartError
        If onnxruntime is not installed.
    """
    if not path.is_file():
        raise ClassifierError(f"{path} is missing: give the path of an .onnx file.")
    card = read_side_card(path)
    network = OnnxNetwork(_session(path))
    return Classifier(
        network, card, differentiable=False, address=address, content=_content(path), batch=network.batch
    )


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPartError(
            "onnxruntime is not installed, .onnx classifiers need it: pip install onnxruntime."
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base class
        reason = str(error).strip().splitlines()[0][:200]
        raise ClassifierError(f"{path} cannot be read ({reason}): export the ONNX file again.") from error


def _content(path: Path) -> str:
    """Hash the file and the weights that may lie beside it."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (path, path.with_name(path.name + ".data")):
        digest.update(part.read_bytes() if part.is_file() else b"")
    return digest.hexdigest()
