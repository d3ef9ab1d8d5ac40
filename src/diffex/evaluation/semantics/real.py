"""S7: on real images, does a text model of one's own find the phrases that a person would name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from diffex.base.ledger import CostLedger
from diffex.concepts import Concept, ConceptTree, Node
from diffex.concepts.captions import measured_captions
from diffex.concepts.describers import OfflineDescriber
from diffex.effects.arrays import FloatArray
from diffex.effects.intervals import mean_interval
from diffex.effects.matrix import margin_of
from diffex.evaluation.bench import FIT_ROOMS, RUN_ROOMS, Bench, code_hash
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import BCCD, FASHION, open_bccd, open_pair
from diffex.evaluation.stages import black_box, kept_run
from diffex.explainers.semantics.checking import DONE
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.edits import Subject
from diffex.explainers.semantics.explain import explain_semantics
from diffex.explainers.semantics.preparing import prepare_subject
from diffex.generators.text.making import fit_text, text_config
from diffex.generators.text.model import TextModel
from diffex.images import Images, sample
from diffex.measurements import OwnMeasurement
from diffex.runs import Explanation

_TOP, _SHOWN = 3, 6
_SLEEVES = "sleeves"
_CLEAR = 0.5  # standard deviations of the pixel measurement, from the mean


@final
@dataclass(frozen=True)
class _Case:
    """A set, the class explained, and what a person would say of it.

    Parameters
    ----------
    open : callable
        Gives ``train`` or ``test`` of the set's folder.
    target : str
        The class.
    named : tuple of str
        Phrases that a person would name.
    pixel : callable
        ``(n,)`` numbers from ``(n, c, h, w)`` pixels, higher where such a phrase is true.
    pixel_words : str
        What it measures.
    tree, captions : callable
        Phrases of the set, and what is true of each image.
    own : tuple of OwnMeasurement
        Beside the catalogue's.
    """

    open: Callable[[Path, str], Images]
    target: str
    named: tuple[str, ...]
    pixel: Callable[[Tensor], FloatArray]
    pixel_words: str
    tree: Callable[[Images], ConceptTree]
    captions: Callable[[Images, ConceptTree], list[tuple[str, ...]]]
    own: tuple[OwnMeasurement, ...] = ()


def sleeves(x: Tensor) -> FloatArray:
    """Measure what lies beside the body of a garment, in its lower half.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)`` grey values.

    Returns
    -------
    ndarray, shape (n,)
        Mean of the outer quarters of the width, from the middle of the height to its lower fifth.
    """
    height, width = x.shape[2:]
    rows = x[:, :, height // 2 : height - height // 5]
    sides = torch.cat([rows[..., : width // 4], rows[..., width - width // 4 :]], dim=-1)
    return np.asarray(sides.double().mean(dim=(1, 2, 3)))


def darkness(x: Tensor) -> FloatArray:
    """Measure how much less red and green than blue the middle of a picture is: a stained nucleus.

    Parameters
    ----------
    x : Tensor
        ``(n, 3, h, w)`` red, green, blue.

    Returns
    -------
    ndarray, shape (n,)
        Mean over the central half of each side.
    """
    height, width = x.shape[2:]
    middle = x[:, :, height // 4 : height - height // 4, width // 4 : width - width // 4].double()
    return np.asarray(middle[:, 2].mean(dim=(1, 2)) - middle[:, :2].mean(dim=(1, 2, 3)))


def _garments(images: Images) -> ConceptTree:
    """The ontology's phrases, and two of sleeves, which no measurement of the catalogue is of."""
    return ConceptTree(
        (
            *OfflineDescriber().describe(images, None).nodes,
            Node(_SLEEVES, _SLEEVES),
            Node(f"{_SLEEVES}/long", "long sleeves", _SLEEVES, "long sleeves", _SLEEVES, True),
            Node(f"{_SLEEVES}/short", "short sleeves", _SLEEVES, "short sleeves", _SLEEVES, False),
        )
    )


def _sleeve_captions(images: Images, tree: ConceptTree) -> list[tuple[str, ...]]:
    values = sleeves(images.read())
    away = (values - values.mean()) / values.std()
    measured = measured_captions(images, ConceptTree(tuple(n for n in tree.nodes if _SLEEVES not in n.id)))
    words = [("long sleeves",) if v > _CLEAR else ("short sleeves",) if v < -_CLEAR else () for v in away]
    return [(*said, *own) for said, own in zip(measured, words, strict=True)]


CASES = {
    BCCD: _Case(
        open_bccd,
        "wbc",
        ("dark cell", "lobed cell"),
        darkness,
        "blue less red and green in the middle",
        lambda images: OfflineDescriber().describe(images, "stained blood cells"),
        measured_captions,
    ),
    FASHION: _Case(
        lambda folder, split: open_pair(folder, split, ("shirt", "tshirt")),
        "shirt",
        ("long sleeves",),
        sleeves,
        "grey value beside the body",
        _garments,
        _sleeve_captions,
        (OwnMeasurement(_SLEEVES, lambda x: sleeves(torch.from_numpy(x))),),
    ),
}


def measure_real_phrases(name: str) -> Callable[[Bench], Iterator[Measured]]:
    """Make the task of one set of S7.

    Parameters
    ----------
    name : str
        Of the set.

    Returns
    -------
    callable
        Fits a black box and a text model, explains, says what leads and what its pixels show.
    """

    def run(bench: Bench) -> Iterator[Measured]:
        case = CASES[name]
        train, test = (case.open(bench.real(name), split) for split in ("train", "test"))
        train = sample(train, 96, bench.seed) if bench.quick else train
        tree = case.tree(train)
        model = _text_model(bench, name, train, case.captions(train, tree), tree)
        classifier = black_box(bench, f"{name}-classifier", train, steps=bench.size(None, 20))
        config = SemanticConfig(
            target=case.target, images=bench.size(32, 12), search="exact", seed=bench.seed, force=True
        )
        content = [model.state_hash(), classifier.state_hash(), test.fingerprint(), config.model_dump()]
        folder = bench.stage(f"{name}-phrases", [*content, tree.as_dict(), code_hash(RUN_ROOMS)])
        explanation = kept_run(
            folder,
            lambda: explain_semantics(test, classifier, model, tree, config, address=name, own=case.own),
        )
        best = _best(explanation, tree)
        yield _leaders_row(name, case, explanation, best)
        found = best[best["phrase"].isin(case.named)].head(1)
        if len(found):
            subject, cells, *_ = prepare_subject(
                test, classifier, model, tree, config, CostLedger(), case.own
            )
            yield _confirmed(bench, name, case, explanation, found.iloc[0], subject, cells)

    return run


def _text_model(
    bench: Bench, name: str, train: Images, captions: Sequence[Sequence[str]], tree: ConceptTree
) -> TextModel:
    config = text_config(train, steps=bench.size(None, 8)).model_copy(update={"seed": bench.seed})
    content = [train.fingerprint(), tree.as_dict(), config.model_dump(), code_hash(FIT_ROOMS)]
    folder = bench.stage(f"{name}-text", content)
    return fit_text(train, captions, folder, config, device=bench.device)


def _best(explanation: Explanation, tree: ConceptTree) -> pd.DataFrame:
    """The first phrases that happened and raise the class; the others are what it is not."""
    table = explanation.effects
    raising = table[(table["edit"] == DONE) & (table["effect"] > 0)]
    best = raising.drop_duplicates("concept").head(_TOP)
    return best.assign(phrase=[str(tree.node(str(one)).phrase) for one in best["concept"]])


def _leaders_row(name: str, case: _Case, explanation: Explanation, best: pd.DataFrame) -> Measured:
    told = "; ".join(
        f"{'' if row['sign'] > 0 else 'less '}{row['phrase']} {row['effect']:+.2f}"
        for row in best.to_dict("records")
    )
    called, edits = int(best["significant"].sum()), explanation.effects["edit"]
    note = f"{told}; {called} of these called; {(edits == DONE).sum()} of {len(edits)} edits happened"
    return Measured(
        "S7", f"{name}: phrases a person would name for {case.target}, among first {_TOP} to raise it",
        int(best["phrase"].isin(case.named).sum()), ">= 1", note=note,
    )  # fmt: skip


def _confirmed(
    bench: Bench,
    name: str,
    case: _Case,
    explanation: Explanation,
    row: pd.Series,
    subject: Subject,
    cells: Images,
) -> Measured:
    """Edit a phrase into all images, show those farthest from the class, and measure the pixels."""
    values = next(one for one in explanation.concepts if one["id"] == row["concept"])
    concept = Concept.from_dict(values, explanation.directions[row["concept"]])
    edit = subject.render(concept, row["sign"], np.arange(len(cells)), "confirmation")
    target, original = subject.judge.classifier.card.class_names.index(case.target), cells.read()
    least = np.argsort(margin_of(subject.null_logits, target))[:_SHOWN]
    shown = [x[least].numpy() for x in (original, subject.null, edit)]
    save_grid(np.stack(shown, axis=1), bench.figure(f"phrases_{name}.png"))
    change = (case.pixel(edit) - case.pixel(subject.null)) / float(case.pixel(original).std())
    mean = mean_interval(change)
    return Measured(
        "S7", f"{name}: {case.pixel_words}, edit by “{row['phrase']}” less null edit, s.d. of images",
        mean.value, "> 0", mean.low, mean.high, note=f"{len(change)} images", holds=mean.low > 0,
    )  # fmt: skip
