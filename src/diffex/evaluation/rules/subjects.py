"""The classifiers that rules replace: four sets, each with factors and margins on both sides of its split."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, margin_of
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import demo_cells, shipped_model
from diffex.evaluation.real_fits import real_side
from diffex.evaluation.sets import JURKAT, open_jurkat_states
from diffex.evaluation.stages import black_box
from diffex.explainers.preparing import shape_channel
from diffex.explainers.rules.factors import measured_factors
from diffex.images import Images
from diffex.rules.factors import Factors
from diffex.rules.fidelity import balanced

PLANTED = {"planted linear": "linear", "planted interaction": "interaction"}


@final
@dataclass(frozen=True, eq=False)
class Side:
    """One side of a split, as rules see it.

    Parameters
    ----------
    factors : Factors
        Measured.
    margins : ndarray, shape (n, k)
        The classifier's.
    labels : ndarray of int, shape (n,)
        True classes.
    groups : ndarray of str, shape (n,), optional
        Unit of replication.
    """

    factors: Factors
    margins: FloatArray
    labels: NDArray[np.int64]
    groups: NDArray[np.str_] | None


@final
@dataclass(frozen=True, eq=False)
class Subject:
    """A classifier with images that rules are found on, and images that test them.

    Parameters
    ----------
    class_names : tuple of str
        Of the classifier.
    train, test : Side
        The two sides.
    """

    class_names: tuple[str, ...]
    train: Side
    test: Side

    def logistic(self) -> float:
        """Balanced accuracy on test of a balanced logistic regression on the measurements."""
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=3000))
        model.fit(self.train.factors.values, self.train.labels)
        return balanced(self.test.labels, model.predict(self.test.factors.values))


def subject(bench: Bench, name: str, seed: int | None = None) -> Subject:
    """Open a set and its classifier; a black box is fitted on the training side where none is shipped.

    Parameters
    ----------
    bench : Bench
        Data, seed, stages.
    name : str
        A real set, or one of `PLANTED`.
    seed : int, optional
        Of the black box; default the bench's.

    Returns
    -------
    Subject
        Measured with one segmentation channel on both sides.
    """
    train_images, test_images = sides(bench, name)
    classifier = the_classifier(bench, name, train_images, seed)
    channel = shape_channel(train_images)
    train, test = (_side(images, classifier, channel) for images in (train_images, test_images))
    return Subject(classifier.card.class_names, train, test)


def sides(bench: Bench, name: str) -> tuple[Images, Images]:
    """Open a set.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.
    name : str
        A real set, or one of `PLANTED`.

    Returns
    -------
    (Images, Images)
        Training and test side.
    """
    if name in PLANTED:
        counts = bench.size((1500, 600), (300, 120))
        first, second = (
            demo_cells(PLANTED[name], bench.seed + 1000 * side, counts[side]) for side in range(2)
        )
    else:
        first, second = (
            open_jurkat_states(bench.real(name), split) if name == JURKAT else real_side(bench, name, split)
            for split in ("train", "test")
        )
    return first, second


def the_classifier(bench: Bench, name: str, train: Images, seed: int | None = None) -> Classifier:
    """Open the classifier of a set; a black box is fitted on the training side where none is shipped.

    Parameters
    ----------
    bench : Bench
        Seed, stages, device.
    name : str
        Of the set.
    train : Images
        Its training side.
    seed : int, optional
        Of the black box; default the bench's.

    Returns
    -------
    Classifier
        On the bench's device.
    """
    if name in PLANTED:
        return shipped_model(PLANTED[name], bench.device).classifier
    return black_box(bench, f"rules-{name}", train, steps=bench.size(None, 60), seed=seed)


def _side(images: Images, classifier: Classifier, channel: int) -> Side:
    judge = Judge(classifier, images.value_range, CostLedger())
    logits = np.concatenate([judge.logits(x) for _, x in images.batches(128)])
    margins = np.stack([margin_of(logits, k) for k in range(logits.shape[1])], axis=1)
    assert images.labels is not None
    return Side(measured_factors(images, channel), margins, images.labels, images.groups)
