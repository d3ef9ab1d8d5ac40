"""Verify the best attributes with deeper renders: dose, flips, and how far edits stay on the manifold."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from diffex.concepts import Concept
from diffex.editors import Inversion, LatentEditor
from diffex.effects.dose import DoseTrend, dose_response
from diffex.effects.intervals import mean_interval, wilson
from diffex.effects.manifold import discriminate, image_statistics, match_on_logit
from diffex.effects.matrix import margin_of
from diffex.explainers.config import AttributeConfig
from diffex.explainers.preparing import Prepared
from diffex.generators import DiffusionAutoencoder
from diffex.images import Images, sample

FloatArray = NDArray[np.float64]
LARGEST_AUROC = 0.75
_LEAST_MATCHED = 0.5
_CONTROL = 3.0
_POOL = 384


@final
@dataclass(frozen=True, eq=False)
class Verified:
    """One attribute and sign, verified.

    Parameters
    ----------
    concept : Concept
        Calibrated.
    sign : int
        +1 or -1.
    dose : DataFrame
        A row per strength, with the columns of ``dose.parquet``.
    max_strength : float
        Largest strength at which edits are on the manifold; NaN where there is none.
    control_found : bool
        Whether the same test finds edits at three times that strength.
    trend : DoseTrend
        How the effect grows from strength 0 on.
    """

    concept: Concept
    sign: int
    dose: pd.DataFrame
    max_strength: float
    control_found: bool
    trend: DoseTrend

    @property
    def strength(self) -> float:
        """Strength to measure and show: the largest on the manifold, else the smallest tried."""
        return float(self.dose["strength"].iloc[0]) if np.isnan(self.max_strength) else self.max_strength

    def at(self, strength: float) -> pd.Series:
        """Row of the dose whose strength is nearest."""
        return self.dose.iloc[(self.dose["strength"] - strength).abs().argmin()]

    @property
    def gaps(self) -> tuple[float, ...]:
        """Smaller strengths whose edits are off the manifold: few real images lie there."""
        below = self.dose[(self.dose["strength"] < self.max_strength) & ~self.dose["on_manifold"]]
        return tuple(below["strength"].tolist())


@final
@dataclass(frozen=True, eq=False)
class Verifier:
    """Images and reconstructions that verification compares.

    Parameters
    ----------
    editor : LatentEditor
        At verification depth, on shared fresh noise.
    inversion : Inversion
        Of the verified images.
    rows : ndarray of int
        Their positions in the sample.
    null : ndarray, shape (m,)
        Margins of their null edits.
    flipped : ndarray of bool, shape (m,)
        Whether the null edit is the target already.
    statistics : ndarray, shape (r, p)
        Image statistics of reconstructions of real cells.
    margins : ndarray, shape (r,)
        Their margins.
    """

    editor: LatentEditor
    inversion: Inversion
    rows: NDArray[np.int64]
    null: FloatArray
    flipped: NDArray[np.bool_]
    statistics: FloatArray
    margins: FloatArray


def make_verifier(
    prepared: Prepared, images: Images, generator: DiffusionAutoencoder, config: AttributeConfig
) -> Verifier:
    """Render the null edits of the verified images, and reconstructions of other real cells.

    Parameters
    ----------
    prepared : Prepared
        The sample; verified are images of its estimating half, those not yet the target first.
    images : Images
        All images, from which reconstructions are drawn.
    generator : DiffusionAutoencoder
        The renderer.
    config : AttributeConfig
        Depth, number of images, seed.

    Returns
    -------
    Verifier
        Evaluations are counted as ``verification`` and ``gates``.
    """
    judge, target = prepared.judge, prepared.target
    editor = LatentEditor(generator, "fresh", config.verify_depth, config.seed)
    already = prepared.logits.argmax(1) == target
    estimating = np.flatnonzero(~prepared.half)
    order = np.concatenate([estimating[~already[estimating]], estimating[already[estimating]]])
    rows = np.sort(order[: config.verify_images])
    inversion = editor.invert(prepared.x[rows], tuple(prepared.images.ids[i] for i in rows))
    null = judge.logits(editor.null(inversion))
    judge.ledger.count("verification", len(rows) * editor.evaluations)
    pool = sample(images, _POOL, config.seed + 1)
    real = editor.null(editor.invert(pool.read(), pool.ids))
    judge.ledger.count("gates", len(pool) * editor.evaluations)
    return Verifier(
        editor, inversion, rows, margin_of(null, target), null.argmax(1) == target,
        image_statistics(real, generator.pixels.sd), margin_of(judge.logits(real), target),
    )  # fmt: skip


def verify(
    verifier: Verifier, prepared: Prepared, concept: Concept, sign: int, strengths: tuple[float, ...]
) -> Verified:
    """Render one attribute at all strengths; find the largest that is on the manifold.

    Each strength is judged by itself: between two classes that lie apart there are few real images, so a
    halfway edit looks like none of them though the whole edit does.

    Parameters
    ----------
    verifier : Verifier
        Images and reconstructions.
    prepared : Prepared
        Classifier and groups.
    concept : Concept
        Calibrated.
    sign : int
        +1 or -1.
    strengths : tuple of float
        Ascending, positive.

    Returns
    -------
    Verified
        With a positive control at three times the largest strength found.
    """
    found = [_at(verifier, prepared, concept, sign, strength) for strength in strengths]
    dose = pd.DataFrame([record for record, _ in found]).assign(concept=concept.id, sign=sign)
    largest = float(dose.loc[dose["on_manifold"], "strength"].max())
    tripled = _CONTROL * (strengths[0] if np.isnan(largest) else largest)
    control, _ = _at(verifier, prepared, concept, sign, tripled)
    trend = _trend(verifier, prepared, [logits for _, logits in found], strengths)
    return Verified(concept, sign, dose, largest, not bool(control["on_manifold"]), trend)


def passing_first(verified: list[Verified]) -> list[Verified]:
    """Let attributes lead that look real at some strength, each part in the order of rank.

    Parameters
    ----------
    verified : list of Verified
        By rank.

    Returns
    -------
    list of Verified
        What cannot be shown without leaving the manifold is told after what can.
    """
    return sorted(verified, key=lambda one: bool(np.isnan(one.max_strength)))


def _at(
    verifier: Verifier, prepared: Prepared, concept: Concept, sign: int, strength: float
) -> tuple[dict[str, float | bool | int], FloatArray]:
    """Render one strength: its row of the dose, and the logits."""
    x = verifier.editor.edit(verifier.inversion, concept, sign * strength)
    prepared.ledger.count("verification", len(x) * verifier.editor.evaluations)
    logits = prepared.judge.logits(x)
    margins = margin_of(logits, prepared.target)
    effect = mean_interval(margins - verifier.null, _groups(verifier, prepared))
    fresh = ~verifier.flipped
    flips = wilson(int((logits.argmax(1) == prepared.target)[fresh].sum()), int(fresh.sum()))
    auroc = _told_apart(verifier, prepared, x, margins)
    return {
        "strength": strength, "effect": effect.value, "low": effect.low, "high": effect.high,
        "flip_rate": flips[0], "flip_low": flips[1], "flip_high": flips[2], "n": len(x),
        "discriminator_auroc": auroc, "on_manifold": bool(auroc <= LARGEST_AUROC),
    }, logits  # fmt: skip


def _groups(verifier: Verifier, prepared: Prepared) -> NDArray[np.str_] | None:
    return None if prepared.images.groups is None else prepared.images.groups[verifier.rows]


def _trend(
    verifier: Verifier, prepared: Prepared, logits: list[FloatArray], strengths: tuple[float, ...]
) -> DoseTrend:
    """Test for a trend from the null edit, strength 0, to the largest strength."""
    target = prepared.target
    effects = [margin_of(one, target) - verifier.null for one in logits]
    flips = np.stack([one.argmax(1) == target for one in logits], axis=1)[~verifier.flipped]
    return dose_response(
        np.stack([np.zeros(len(verifier.null)), *effects], axis=1),
        (0.0, *strengths),
        np.insert(flips, 0, False, axis=1),
        _groups(verifier, prepared),
    )


def _told_apart(verifier: Verifier, prepared: Prepared, x: torch.Tensor, margins: FloatArray) -> float:
    """AUROC against reconstructions of real cells with the same logit; 1 where there are none."""
    fresh = np.flatnonzero(~verifier.flipped) if (~verifier.flipped).sum() >= 12 else np.arange(len(x))
    caliper = 0.25 * float(verifier.margins.std())
    partner, matched = match_on_logit(margins[fresh], verifier.margins, caliper)
    if matched.mean() < _LEAST_MATCHED or matched.sum() < 12:
        return 1.0
    statistics = image_statistics(x[fresh[matched]], verifier.editor.generator.pixels.sd)
    return discriminate(verifier.statistics[partner[matched]], statistics, np.flatnonzero(matched))
