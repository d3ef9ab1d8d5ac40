"""How much each attribute would move a cell's own margin: exact gradients, calibrated on full renders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.base.noise import noise_for
from diffex.base.positions import evenly
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.linear import logit_gradients
from diffex.effects.matrix import Judge, margin_of
from diffex.explainers.responders.scoring import Followed
from diffex.generators.model import Model
from diffex.images import Images

LEAST_CORRELATION = 0.8
"""Where effects follow full renders less than this from cell to cell, the result says so."""

_RENDERED = 48
_FEWEST = 12


@final
@dataclass(frozen=True)
class Calibrated:
    """How first-order effects of one attribute become logits.

    Parameters
    ----------
    concept : str
        Its id.
    slope, intercept : float
        Of the line (Theil-Sen) from first-order to rendered effects.
    correlation, low, high : float
        Pearson's, from cell to cell, with its 95 % interval; NaN where effects do not vary.
    cells : int
        Rendered for it.
    """

    concept: str
    slope: float
    intercept: float
    correlation: float
    low: float
    high: float
    cells: int

    def __call__(self, linear: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn first-order effects into logits.

        Parameters
        ----------
        linear : ndarray
            Of this attribute.

        Returns
        -------
        ndarray
            Change of the margin at strength 1.
        """
        return np.asarray(self.intercept + self.slope * linear, dtype=np.float32)

    @property
    def words(self) -> str:
        """One sentence."""
        if np.isnan(self.correlation):
            return f"Effects of {self.concept} do not vary over {self.cells} cells: all cells have the same."
        good = self.correlation >= LEAST_CORRELATION
        doubt = "" if good else f", expected {LEAST_CORRELATION}: take single cells with care"
        return (
            f"Effects of {self.concept} follow full renders of {self.cells} cells with correlation "
            f"{self.correlation:.2f} ({self.low:.2f} to {self.high:.2f}){doubt}."
        )


def linear_effects(
    model: Model, attributes: Sequence[Followed], codes: Tensor, ids: Sequence[str], target: int, seed: int
) -> FloatArray:
    """First-order effects at strength 1, by one exact gradient per cell through the one-step renderer.

    Parameters
    ----------
    model : Model
        Renders and classifies; a black box's twin stands for it.
    attributes : sequence of Followed, length k
        With their signs.
    codes : Tensor, shape (n, d)
        Of the cells.
    ids : sequence of str, length n
        Their names; the noise depends on them.
    target : int
        Index of the class.
    seed : int
        Of the noise.

    Returns
    -------
    ndarray, shape (n, k)
        In logits.
    """
    noise = noise_for(ids, model.generator.image_shape, "edit", seed)
    gradients = logit_gradients(model.generator, model.guide, codes, noise, target, CostLedger())
    steps = [one.sign * one.concept.direction.double().numpy() for one in attributes]
    return np.asarray(gradients @ np.stack(steps, axis=1))


def require_enough(images: Images) -> None:
    """Refuse a set on which nothing can be calibrated.

    Parameters
    ----------
    images : Images
        The cells to be scored.

    Raises
    ------
    InputError
        If there are fewer than 12.
    """
    if len(images) < _FEWEST:
        raise InputError(
            f"Effects got {len(images)} cells, expected {_FEWEST} or more to calibrate them on: give more, "
            "or leave --effects out."
        )


@torch.no_grad()
def calibrate(
    images: Images, model: Model, attributes: Sequence[Followed], target: int, depth: int | None, seed: int
) -> tuple[Calibrated, ...]:
    """Compare first-order effects with those of full renders, on up to 48 cells spread over the set.

    Parameters
    ----------
    images : Images
        The cells to be scored.
    model : Model
        Renders and classifies.
    attributes : sequence of Followed, length k
        At strength 1 along their sign.
    target : int
        Index of the class.
    depth : int, optional
        Network evaluations per render, as the run verified its attributes; default the generator's.
    seed : int
        Of the noise.

    Returns
    -------
    tuple of Calibrated, length k
        One per attribute.

    Raises
    ------
    InputError
        If there are fewer than 12 cells.
    """
    require_enough(images)
    some = images.subset(evenly(len(images), _RENDERED))
    judge = Judge(model.classifier, images.value_range, CostLedger())
    editor = LatentEditor(model.generator, "fresh", depth, seed)
    inversion = editor.invert(some.read(), some.ids)
    null = margin_of(judge.logits(editor.null(inversion)), target)
    linear = linear_effects(model, attributes, inversion.codes, some.ids, target, seed)
    found = []
    for k, one in enumerate(attributes):
        edited = margin_of(judge.logits(editor.edit(inversion, one.concept, one.sign)), target)
        found.append(fit_line(one.concept.id, linear[:, k], edited - null))
    return tuple(found)


def fit_line(concept: str, linear: FloatArray, rendered: FloatArray) -> Calibrated:
    """Fit rendered effects to first-order ones.

    Parameters
    ----------
    concept : str
        Id of the attribute.
    linear, rendered : ndarray, shape (n,)
        Effects of the same cells.

    Returns
    -------
    Calibrated
        Where either does not vary, the median of the rendered for all cells.

    Examples
    --------
    >>> import numpy as np
    >>> fit_line("latent:3", np.arange(4.0), 1 + 2 * np.arange(4.0)).slope
    2.0
    """
    if np.ptp(linear) == 0 or np.ptp(rendered) == 0:
        nothing = float("nan")
        return Calibrated(concept, 0.0, float(np.median(rendered)), nothing, nothing, nothing, len(linear))
    slope, intercept = stats.theilslopes(rendered, linear)[:2]
    correlation = stats.pearsonr(linear, rendered)
    low, high = correlation.confidence_interval()
    return Calibrated(
        concept, float(slope), float(intercept), float(correlation.statistic), float(low), float(high),
        len(linear),
    )  # fmt: skip
