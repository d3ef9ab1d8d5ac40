"""The truth about networks, kept part by part, so that rows share it and a run that was cut goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from diffex.base.files import load_tensors, save_tensors
from diffex.base.progress import progress
from diffex.classifiers import Classifier
from diffex.effects.arrays import FloatArray
from diffex.evaluation.attributes.interventions import Heard, differences, margins_by, outputs_by
from diffex.evaluation.bench import FIT_ROOMS, Bench, code_hash


@final
@dataclass(frozen=True, eq=False)
class Listener:
    """A network, and what is asked of it.

    Parameters
    ----------
    content : list
        What decides its answers; JSON.
    ask : callable
        Of images ``(n, c, h, w)``; gives ``(n, ...)``.
    """

    content: list[Any]
    ask: Heard


def listening(network: Classifier, target: int | None = None) -> Listener:
    """Ask a network for the margin of a class, or for all that it puts out.

    Parameters
    ----------
    network : Classifier
        The network.
    target : int, optional
        Index of the class; without it, all outputs.

    Returns
    -------
    Listener
        Known by the network's weights.
    """
    ask = outputs_by(network) if target is None else margins_by(network, target)
    return Listener([network.state_hash(), target], ask)


def truth_cells(bench: Bench) -> tuple[int, int]:
    """Say on which cells the truth is found.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Returns
    -------
    (int, int)
        How many, and their seed.
    """
    return bench.size(500, 40), 13_000 + bench.seed


def known(
    bench: Bench, listeners: Mapping[str, Listener], moves: Sequence[tuple[str, ...]]
) -> dict[str, FloatArray]:
    """Find what exact changes of factors, one or two together, do to networks; cached by network and change.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run.
    listeners : mapping of str to Listener
        By name.
    moves : sequence of tuple of str
        Factors changed together.

    Returns
    -------
    dict of str to ndarray of shape (n, len(moves), ...)
        As from `differences`, by listener.
    """
    code = code_hash(FIT_ROOMS)
    folders = {
        n: bench.stage("truth", [one.content, *truth_cells(bench), code]) for n, one in listeners.items()
    }
    for names in progress(moves, "truth", len(moves)):
        paths = {name: _path(folder, names) for name, folder in folders.items()}
        absent = {name: one.ask for name, one in listeners.items() if not paths[name].exists()}
        if not absent:
            continue
        for name, values in differences(absent, names, *truth_cells(bench)).items():
            save_tensors(paths[name], {"changes": torch.from_numpy(np.ascontiguousarray(values))})
    return {
        name: np.stack([_read(folder, names) for names in moves], axis=1) for name, folder in folders.items()
    }


def _path(folder: Path, names: tuple[str, ...]) -> Path:
    return folder / f"{'+'.join(names)}.safetensors"


def _read(folder: Path, names: tuple[str, ...]) -> FloatArray:
    return np.asarray(load_tensors(_path(folder, names))["changes"].double().numpy())
