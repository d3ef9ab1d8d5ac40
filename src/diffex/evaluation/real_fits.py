"""Real sets and the models fitted on them, which all rows that need one share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final

from diffex.evaluation.bench import Bench
from diffex.evaluation.sets import (
    BCCD,
    CIFAR,
    FKHR,
    JURKAT,
    NUCLEI,
    open_bccd,
    open_fkhr,
    open_jurkat,
    open_nuclei,
    open_pair,
)
from diffex.evaluation.stages import Fitted, fitted, generator_config
from diffex.generators.making import FitRequest
from diffex.images import Images, sample

_QUICK_IMAGES = 240


@final
@dataclass(frozen=True)
class Real:
    """A classification of real images.

    Parameters
    ----------
    folder : str
        Name of the set.
    read : callable
        Opens ``train`` or ``test`` of it.
    settings : mapping, optional
        What its fit changes in the defaults of ``diffex fit``: fewer steps where they are slow.
    """

    folder: str
    read: Callable[[Path, str], Images]
    settings: Mapping[str, Any] = field(default_factory=dict)


_MIRRORED = {"steps": 800, "symmetry": "mirror"}
REAL: Mapping[str, Real] = {
    FKHR: Real(FKHR, open_fkhr),
    BCCD: Real(BCCD, open_bccd),
    NUCLEI: Real(NUCLEI, open_nuclei),
    JURKAT: Real(JURKAT, open_jurkat, {"steps": 1000}),
    "automobile-truck": Real(CIFAR, partial(open_pair, names=("automobile", "truck")), _MIRRORED),
    "horse-deer": Real(CIFAR, partial(open_pair, names=("deer", "horse")), _MIRRORED),
}
"""By name."""


def real_side(bench: Bench, name: str, split: str) -> Images:
    """Open one side of a real set.

    Parameters
    ----------
    bench : Bench
        Data.
    name : str
        One of `REAL`.
    split : {"train", "test"}
        Which side.

    Returns
    -------
    Images
        Labelled.
    """
    return REAL[name].read(bench.real(REAL[name].folder), split)


def fit_request(bench: Bench, name: str) -> FitRequest:
    """Say what ``diffex fit`` is asked for on the training side of a set.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.
    name : str
        One of `REAL`.

    Returns
    -------
    FitRequest
        Small in a quick run.
    """
    images = real_side(bench, name, "train")
    chosen = sample(images, _QUICK_IMAGES, bench.seed) if bench.quick else images
    config = generator_config(bench, dict(REAL[name].settings))
    return FitRequest(chosen, config, black_box_steps=bench.size(None, 60))


def real_model(bench: Bench, name: str) -> Fitted:
    """Fit the model of a set.

    Parameters
    ----------
    bench : Bench
        Data, seed, stages.
    name : str
        One of `REAL`.

    Returns
    -------
    Fitted
        Cached.
    """
    return fitted(bench, name, fit_request(bench, name))
