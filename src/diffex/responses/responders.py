"""Which cells of a dose respond: nobody, some of them, or all alike."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.effects.arrays import FloatArray
from diffex.effects.replication import Unit
from diffex.responses.mixture import likeliest_fractions, monotone_ratio, smoothed_shares
from diffex.responses.references import LEAST_SHIFT, Cells, Moves, as_cells, inner_edges, moves_between

Verdict = Literal["none", "mixture", "shift"]
_ALPHA = 0.05
_OPEN = 0.95  # an interval up to here says nothing


@final
@dataclass(frozen=True, eq=False)
class Responders:
    """What was found about the cells of one dose.

    Parameters
    ----------
    fraction, low, high : float
        Share of responders with its 95 % interval, in [0, 1], of the mixture.
    p : float
        Of "no cell responds".
    p_shift : float
        Of "all cells moved alike"; small where a mixture explains the cells better.
    shift : float
        By how much all cells moved, in control standard deviations, if they moved alike.
    verdict : {"none", "mixture", "shift"}
        ``none`` where p is above 0.05; else ``mixture`` where p_shift is at most 0.05; else ``shift``.
    posterior : ndarray, shape (n,)
        Probability of each cell to be a responder, under the mixture.
    n : int
        Cells.
    unit : {"images", "groups"}
        What was resampled for the interval: cells, or wells where there are 6 or more.
    reference : bool
        Whether responders were learnt from treated cells.
    """

    fraction: float
    low: float
    high: float
    p: float
    p_shift: float
    shift: float
    verdict: Verdict
    posterior: FloatArray
    n: int
    unit: Unit
    reference: bool

    @property
    def words(self) -> str:
        """The verdict as a sentence."""
        share = f"{self.fraction:.1%} [{self.low:.1%}, {self.high:.1%}]"
        over = f"{self.n} cells" + ("" if self.unit == "groups" else ", within these wells")
        if self.verdict == "none":
            if self.high > _OPEN:
                return f"No responders shown (p = {self.p:.2g}), and no share of {over} excluded."
            return f"No responders shown (p = {self.p:.2g}): at most {self.high:.1%} of {over}."
        if self.verdict == "mixture":
            return f"Two populations: {share} of {over} respond (p = {self.p:.2g})."
        return (
            f"One population, moved by {self.shift:+.1f} control s.d. (p = {self.p:.2g}; {over}): "
            f"a mixture explains it no better (p = {self.p_shift:.2g})."
        )


@final
@dataclass(frozen=True, eq=False)
class _Fit:
    """One set of cells under the three explanations; gains are log-likelihoods above that of "none"."""

    fraction: float
    mixture_gain: float
    shift_gain: float
    move: int
    ratio: FloatArray


@final
@dataclass(frozen=True, eq=False)
class _Scale:
    """Bins and moves, the same for all resamples."""

    edges: FloatArray
    moves: Moves

    def fit(self, cells: FloatArray, control: FloatArray, treated: FloatArray | None) -> _Fit:
        counts, base = self._counts(cells), self._counts(control)
        shares = smoothed_shares(base)
        moved = self.moves.ratios(control, self.edges, shares)
        shift_gains = np.log(moved) @ counts
        move = int(np.argmax(shift_gains))
        if treated is None:
            ratios = moved[np.abs(self.moves.shifts) >= LEAST_SHIFT]
        else:
            rising = bool(np.median(treated) >= np.median(control))
            ratios = monotone_ratio(base, self._counts(treated), rising=rising)[None]
        fractions, gains = likeliest_fractions(counts[None], ratios)
        best = int(np.argmax(gains[0]))
        return _Fit(
            float(fractions[0, best]), float(gains[0, best]), float(shift_gains[move]), move, ratios[best]
        )

    def _counts(self, values: FloatArray) -> FloatArray:
        places = np.searchsorted(self.edges, values, side="right")
        return np.bincount(places, minlength=len(self.edges) + 1).astype(np.float64)


def find_responders(
    cells: ArrayLike,
    control: ArrayLike,
    treated: ArrayLike | None = None,
    *,
    wells: NDArray[np.generic] | None = None,
    control_wells: NDArray[np.generic] | None = None,
    treated_wells: NDArray[np.generic] | None = None,
    seed: int,
    repeats: int = 300,
) -> Responders:
    """Ask whether none, some or all cells of a dose respond, and how many.

    Three explanations of the cells' values are compared by likelihood, over bins: all are controls; all are
    controls moved by one amount and spread by one factor; a share f responds and the others are controls.
    Responders are distributed as the treated cells, with a density ratio that is monotone in the value;
    without treated cells, as controls that moved by 1 control s.d. or more. f maximises the likelihood;
    its interval are bootstrap percentiles over cells and both references. "None" and "all alike" are
    tested by the gain in log-likelihood, set against its distribution in control cells set apart (as they
    are, and moved).

    Parameters
    ----------
    cells : array_like, shape (n,)
        One number per cell of the dose: an attribute's score, a logit, a measurement.
    control : array_like, shape (m,)
        The same of untreated cells, best from other wells.
    treated : array_like, shape (k,), optional
        The same of cells that surely respond, for example of a saturating dose.
    wells, control_wells, treated_wells : ndarray, optional
        Well of each cell; wells are resampled whole where there are 6 or more.
    seed : int
        Of all resampling.
    repeats : int, default 300
        Resamples of each kind; the smallest p is ``1 / (1 + repeats)``.

    Returns
    -------
    Responders
        Fraction, interval, p values, verdict, and a probability per cell.

    Raises
    ------
    InputError
        If a set has fewer than 20 cells, values are not finite, or wells do not match.

    References
    ----------
    McLachlan & Peel 2000, Finite mixture models, ch. 6 (bootstrap of the likelihood ratio).

    Examples
    --------
    >>> import numpy as np
    >>> normal = np.random.default_rng(0).normal
    >>> cells = np.concatenate([normal(0, 1, 270), normal(5, 1, 30)])
    >>> found = find_responders(cells, normal(0, 1, 500), normal(5, 1, 500), seed=0)
    >>> found.verdict, round(found.fraction, 2)
    ('mixture', 0.09)
    """
    sample, base = as_cells(cells, "cells", wells), as_cells(control, "control", control_wells)
    top = None if treated is None else as_cells(treated, "treated", treated_wells)
    far = [sample.values] if top is None else [sample.values, top.values]
    scale = _Scale(inner_edges(base.values, *far), moves_between(base.values, *far))
    found = scale.fit(sample.values, base.values, None if top is None else top.values)
    # cells of unknown wells may all come from one, and controls of one well differ most from the others
    count = 1 if wells is None else len(np.unique(wells))
    null = _null_fits(scale, sample, base, top, count, seed, repeats, move=0)
    moved = _null_fits(scale, sample, base, top, count, seed, repeats, move=found.move)
    p = _share(found.mixture_gain, [one.mixture_gain for one in null])
    p_shift = _share(
        found.mixture_gain - found.shift_gain, [one.mixture_gain - one.shift_gain for one in moved]
    )
    low, high = _interval(scale, sample, base, top, seed, repeats)
    ratio = _between_bins(sample.values, scale.edges, found.ratio)
    odds = found.fraction * ratio
    verdict: Verdict = "none" if p > _ALPHA else "mixture" if p_shift <= _ALPHA else "shift"
    return Responders(
        found.fraction, min(low, found.fraction), max(high, found.fraction), p, p_shift,
        float(scale.moves.shifts[found.move]), verdict, odds / (1 - found.fraction + odds),
        len(sample.values), sample.units.unit, top is not None,
    )  # fmt: skip


def _null_fits(
    scale: _Scale, sample: Cells, base: Cells, top: Cells | None, wells: int, seed: int,
    repeats: int, *, move: int,
) -> list[_Fit]:  # fmt: skip
    """Fit control cells set apart, moved by one of the moves, as if they were the dose's."""
    random, fits = np.random.default_rng(seed), []
    for apart, rest in base.splits(wells, repeats, seed):
        cells = scale.moves.apply(move, random.choice(apart, len(sample.values)), base.values)
        fits.append(scale.fit(cells, rest, None if top is None else top.values))
    return fits


def _interval(
    scale: _Scale, sample: Cells, base: Cells, top: Cells | None, seed: int, repeats: int
) -> tuple[float, float]:
    seeds = np.random.SeedSequence(seed).generate_state(3).tolist()
    treated = [None] * repeats if top is None else top.resamples(repeats, seeds[2])
    drawn = zip(sample.resamples(repeats, seeds[0]), base.resamples(repeats, seeds[1]), treated, strict=True)
    fractions = [scale.fit(*one).fraction for one in drawn]
    low, high = np.quantile(fractions, (0.025, 0.975))
    return float(low), float(high)


def _share(value: float, null: list[float]) -> float:
    return (1 + sum(one >= value - 1e-9 for one in null)) / (1 + len(null))


def _between_bins(values: FloatArray, edges: FloatArray, ratio: FloatArray) -> FloatArray:
    """Read a ratio at single values: straight lines in its logarithm between the middles of the bins."""
    ends = np.concatenate([[min(values.min(), edges[0])], edges, [max(values.max(), edges[-1])]])
    middles = (ends[1:] + ends[:-1]) / 2
    return np.asarray(np.exp(np.interp(values, middles, np.log(ratio))))
