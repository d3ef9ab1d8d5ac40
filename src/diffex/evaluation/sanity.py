"""Does an explanation depend on the classifier at all: after Adebayo et al. 2018, "Sanity checks"."""

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import torch

from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier, align_labels, fit_black_box, load_black_box
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.attributes.recovery import spearman
from diffex.explainers.edit import find_concept, open_model_of
from diffex.generators.model import Model
from diffex.images import Images, sample
from diffex.runs import Explanation, read_run

LIMIT = 0.5
"""Mean agreement with classifiers that know nothing from which an explanation is not about its own."""

_IMAGES = 32
_CONCEPTS = 40
_STAGES = 4
_NETWORKS = 3
_STEPS = 100


@final
@dataclass(frozen=True, eq=False)
class Sanity:
    """What `check_sanity` finds.

    Parameters
    ----------
    table : DataFrame
        A row per other classifier: ``classifier`` in words, ``kind`` (``cascade``, ``random``, ``permuted``),
        and ``agreement``: Spearman of its effects with those of the classifier explained, without sign.
    depends : bool
        Whether classifiers that know nothing have other effects: mean agreement of the kinds ``random`` and
        ``permuted`` under `LIMIT`.
    """

    table: pd.DataFrame
    depends: bool

    @property
    def sentence(self) -> str:
        """The verdict, for people."""
        empty = self.table.loc[self.table["kind"] != "cascade", "agreement"].mean()
        ending = (
            "the explanation depends on the classifier."
            if self.depends
            else "the explanation hardly depends on the classifier: do not trust it."
        )
        return f"Effects agree with those of classifiers that know nothing by {empty:.2f} (0 to 1): {ending}"

    def as_dict(self) -> dict[str, Any]:
        """Give all of it, for JSON."""
        return {
            "table": self.table.to_dict("records"), "depends": self.depends, "sentence": self.sentence
        }  # fmt: skip


def check_sanity(
    images: Images, run: Path, device: torch.device, classifier: Classifier | None = None, seed: int = 0
) -> Sanity:
    """Explain again with classifiers that were robbed of what they know.

    The run's concepts are rendered once on 32 images. Asked are: the classifier; copies with weights shuffled
    from the last layer to the first, a quarter more each time; three copies shuffled throughout; and, where
    images are labelled, a small network taught on permuted labels.

    Parameters
    ----------
    images : Images
        Of the form that the run's model takes.
    run : Path
        Run folder of attributes.
    device : torch.device
        Where to compute.
    classifier : Classifier, optional
        The classifier explained, where it cannot be opened by its address.
    seed : int, default 0
        Of everything random.

    Returns
    -------
    Sanity
        Agreement of each, and the verdict.

    Raises
    ------
    InputError
        If the classifier has no weights to shuffle, or the run has fewer than four concepts or is not of
        attributes.
    FolderError
        If the run or its model is missing or not the same.
    ClassifierError
        If the images do not fit the model.
    """
    explanation = read_run(run)
    concepts = tested_concepts(explanation)
    model = open_model_of(explanation, run, device, classifier)
    model.check_images(images)
    card = model.classifier.card
    target = card.class_names.index(explanation.summary["target"])
    return agreement(align_labels(images, card), model, concepts, target, seed)


def agreement(
    images: Images, model: Model, concepts: list[Concept], target: int, seed: int = 0, steps: int = _STEPS
) -> Sanity:
    """Compare a classifier's effects with those of classifiers that know less; see `check_sanity`.

    Parameters
    ----------
    images : Images
        Of the form that the model takes.
    model : Model
        Generator and classifier.
    concepts : list of Concept
        To be rendered.
    target : int
        Index of the class.
    seed : int, default 0
        Of everything random.
    steps : int, default 100
        Of teaching permuted labels.

    Returns
    -------
    Sanity
        Agreement of each, and the verdict.
    """
    others = {"explained": ("", model.classifier)} | dict(_robbed(model.classifier, images, seed, steps))
    chosen = sample(images, _IMAGES, seed)
    editor = LatentEditor(model.generator, "fresh", 1, seed)
    together, columns = chorus({name: voice for name, (_, voice) in others.items()}, chosen.value_range)
    judge = Judge(together, chosen.value_range, CostLedger())
    inversion = editor.invert(chosen.read(), chosen.ids)
    matrix = effect_matrix(editor, judge, inversion, concepts, model.generator.pixels.size)
    effects = {name: odd(margin_of(matrix.edits[..., place], target)) for name, place in columns.items()}
    rows = [
        {"classifier": name, "kind": kind, "agreement": abs(spearman(effects["explained"], effects[name]))}
        for name, (kind, _) in others.items()
        if kind
    ]
    table = pd.DataFrame(rows)
    empty = float(table.loc[table["kind"] != "cascade", "agreement"].mean())
    return Sanity(table, empty < LIMIT)


def odd(margins: FloatArray) -> FloatArray:
    """Give the mean signed effect of every concept.

    Parameters
    ----------
    margins : ndarray, shape (n, K, 2)
        Of edits of both signs.

    Returns
    -------
    ndarray, shape (K,)
        Half the difference of the signs.
    """
    return np.asarray((margins[..., 0] - margins[..., 1]).mean(axis=0) / 2)


def tested_concepts(explanation: Explanation) -> list[Concept]:
    """Take the run's first concepts by rank, random directions left out.

    Parameters
    ----------
    explanation : Explanation
        Of attributes.

    Returns
    -------
    list of Concept
        At most 40.

    Raises
    ------
    InputError
        If there are fewer than four, or the run is not of attributes.
    """
    if explanation.summary["method"] != "attributes":
        raise InputError(
            f"--sanity got a run of {explanation.summary['method']}, expected one of attributes: "
            "give the folder that diffex attributes wrote."
        )
    table = explanation.effects
    names = table.loc[table["kind"] != "random"].sort_values("rank")["concept"].unique()[:_CONCEPTS]
    if len(names) < 4:
        raise InputError(
            f"--sanity got a run of {len(names)} concepts, expected 4 or more: explain with more."
        )
    return [find_concept(explanation, str(name)) for name in names]


def _robbed(
    classifier: Classifier, images: Images, seed: int, steps: int
) -> Iterator[tuple[str, tuple[str, Classifier]]]:
    for stage in range(1, _STAGES):
        share = stage / _STAGES
        yield f"last {share:.0%} of the layers shuffled", ("cascade", shuffled(classifier, share, seed))
    for k in range(_NETWORKS):
        yield f"all layers shuffled, {k + 1}", ("random", shuffled(classifier, 1.0, seed + k))
    if images.labels is not None:
        yield "taught on permuted labels", ("permuted", _mistaught(images, classifier.device, seed, steps))


@torch.no_grad()
def shuffled(classifier: Classifier, share: float, seed: int) -> Classifier:
    """Shuffle the weights of the last layers of a copy of a classifier, each weight within itself.

    Parameters
    ----------
    classifier : Classifier
        A wrapped module.
    share : float
        Of its layers with weights, from the last; 1 for all.
    seed : int
        Of the order.

    Returns
    -------
    Classifier
        With the same card, and weights of the same sizes that say nothing.

    Raises
    ------
    InputError
        If it has no weights.
    """
    network = copy.deepcopy(classifier.module)
    layers = [] if network is None else [m for m in network.modules() if list(m.parameters(recurse=False))]
    if network is None or not layers:
        raise InputError(
            f"--sanity got the classifier {classifier.address}, which has no weights to shuffle, expected a "
            "PyTorch module: check it where it was trained."
        )
    generator = torch.Generator().manual_seed(seed)
    for layer in layers[len(layers) - max(1, round(share * len(layers))) :]:
        for weight in layer.parameters(recurse=False):
            order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
    return Classifier(
        network, classifier.card, differentiable=classifier.differentiable, address=f"shuffled {share:.0%}"
    )


def _mistaught(images: Images, device: torch.device, seed: int, steps: int) -> Classifier:
    assert images.labels is not None
    order = np.random.default_rng(seed).permutation(len(images))
    wrong = replace(images, labels=images.labels[order])
    with tempfile.TemporaryDirectory() as folder:
        fit_black_box(wrong, Path(folder) / "permuted", seed=seed, steps=steps, device=device)
        return load_black_box(Path(folder) / "permuted").to(device)
