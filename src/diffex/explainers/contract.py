"""What every explainer must keep, checked: for explainers of ours and of third parties."""

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from diffex.classifiers import Classifier
from diffex.generators.model import Model
from diffex.images import Images
from diffex.runs import Explanation

_TOLERANCE = 1e-3


class Explainer(Protocol):
    """The usual verbs."""

    target: str
    config: Any
    device: str
    model_: Model | None

    def fit(self, images: Images, classifier: Classifier | None = None) -> Self:
        """Fit to images and a classifier."""
        ...

    def explain(self, images: Images) -> Explanation:
        """Explain on images."""
        ...

    def save_pretrained(self, folder: str | Path) -> Path:
        """Keep what was fitted."""
        ...

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        target: str,
        *,
        classifier: Classifier | None = None,
        config: Any = None,
        device: str = "auto",
    ) -> Self:
        """Open what was kept."""
        ...


def check_explainer(
    explainer: Explainer, images: Images, folder: Path, classifier: Classifier | None = None
) -> None:
    """Check that an explainer keeps the contract.

    ``fit`` gives the explainer itself; ``explain`` gives the same effects again, and the same from what
    ``save_pretrained`` wrote and ``from_pretrained`` read; nothing of this changes the classifier.

    Parameters
    ----------
    explainer : Explainer
        What to check, not yet fitted.
    images : Images
        Labelled, to fit on and to explain.
    folder : Path
        Where to save; new or empty.
    classifier : Classifier, optional
        What to explain; one is fitted where it is absent.

    Raises
    ------
    AssertionError
        That says what is not kept.
    """
    given = None if classifier is None else classifier.state_hash()
    assert explainer.fit(images, classifier) is explainer, "fit returned something else, expected itself"
    assert explainer.model_ is not None, "there is no model_ after fit, expected what was fitted"
    explained = explainer.model_.classifier
    before = explained.state_hash()
    assert given in (None, before), "fit kept another classifier than the one given"
    first = explainer.explain(images)
    _check_explanation(first, explainer.target)
    _check_same(first.effects, explainer.explain(images).effects, "explaining twice")
    saved = explainer.save_pretrained(folder)
    assert Path(saved) == Path(folder), f"save_pretrained returned {saved}, expected {folder}"
    opened = type(explainer).from_pretrained(
        folder, explainer.target, classifier=classifier, config=explainer.config, device=explainer.device
    )
    _check_same(first.effects, opened.explain(images).effects, "saving and opening")
    assert explained.state_hash() == before, "the classifier's state hash changed: it must not be altered"


def _check_explanation(explanation: Explanation, target: str) -> None:
    got = explanation.summary["target"]
    assert got == target, f"the explanation is of {got!r}, expected {target!r}"
    assert len(explanation.effects), "the table of effects is empty, expected a row per concept and sign"
    missing = set(explanation.effects["concept"]) - set(explanation.directions)
    assert not missing, f"concept {min(missing)} has no direction: it cannot be applied again"


def _check_same(first: pd.DataFrame, second: pd.DataFrame, what: str) -> None:
    keys = ["concept", "sign"]
    a, b = (table.set_index(keys)["effect"].sort_index() for table in (first, second))
    assert a.index.equals(b.index), f"{what} gave other concepts, expected the same"
    worst = float(np.abs(a.to_numpy() - b.to_numpy()).max())
    allowed = _TOLERANCE * max(float(a.std()), 1e-6)
    assert worst <= allowed, f"{what} changed an effect by {worst:.2g} logits, expected at most {allowed:.2g}"
