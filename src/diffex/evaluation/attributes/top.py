"""The top attribute of an explanation, rendered again on images of one's choice."""

from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor

from diffex.base.ledger import CostLedger
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.matrix import Judge
from diffex.generators.model import Model
from diffex.images import Images
from diffex.runs import Explanation


@final
@dataclass(frozen=True, eq=False)
class Top:
    """The attribute that leads an explanation.

    Parameters
    ----------
    concept : Concept
        Calibrated.
    sign : int
        +1 or -1.
    strength : float
        Its largest on the manifold, else the smallest tried.
    on_manifold : bool
        Whether there is one on the manifold.
    words : str
        What it changes.
    """

    concept: Concept
    sign: int
    strength: float
    on_manifold: bool
    words: str


def top_attribute(explanation: Explanation) -> Top | None:
    """Find the attribute that leads: of best rank among those that pass their gate, else among all.

    Parameters
    ----------
    explanation : Explanation
        Of a model.

    Returns
    -------
    Top or None
        None where nothing was significant.
    """
    if not len(explanation.dose):
        return None
    first = explanation.dose.iloc[0]
    name, sign = str(first["concept"]), int(first["sign"])
    table = explanation.effects
    row = table[(table["concept"] == name) & (table["sign"] == sign)].iloc[0]
    kept = next(one for one in explanation.concepts if one["id"] == name)
    largest = float(row["max_strength"])
    found = not np.isnan(largest)
    strength = largest if found else float(first["strength"])
    concept = Concept.from_dict(kept, explanation.directions[name])
    return Top(concept, sign, strength, found, str(row["words"]))


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Images with their null edits and edits.

    Parameters
    ----------
    null, edit : Tensor
        ``(n, c, h, w)`` grey values, the same noise on both sides.
    fresh : ndarray of bool, shape (n,)
        Whether the null edit is not the target yet.
    flipped : ndarray of bool, shape (n,)
        Whether the edit is classified as the target.
    """

    null: Tensor
    edit: Tensor
    fresh: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    flipped: "np.ndarray[tuple[int], np.dtype[np.bool_]]"


def render_pairs(images: Images, model: Model, top: Top, strength: float, target: int, seed: int) -> Pairs:
    """Render images without and with the top attribute, at the depth of verification.

    Parameters
    ----------
    images : Images
        Any of the model's form.
    model : Model
        Generator and classifier.
    top : Top
        The attribute.
    strength : float
        Along its sign.
    target : int
        Index of the class.
    seed : int
        Of the noise.

    Returns
    -------
    Pairs
        A pair per image.
    """
    editor = LatentEditor(model.generator, "fresh", 4, seed)
    inversion = editor.invert(images.read(), images.ids)
    judge = Judge(model.classifier, images.value_range, CostLedger())
    null, edit = editor.null(inversion), editor.edit(inversion, top.concept, top.sign * strength)
    before, after = judge.logits(null), judge.logits(edit)
    return Pairs(null, edit, before.argmax(1) != target, after.argmax(1) == target)
