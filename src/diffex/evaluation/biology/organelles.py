"""B4: planted changes of organelles: told in the right channel and compartment, and of the right size."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from diffex.base.noise import derive_seed
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.attenuation import shown
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.steps import STEP_SD, drawn, mean_step, moved
from diffex.evaluation.demo import shipped_model
from diffex.evaluation.resampling import bootstrap
from diffex.evaluation.rows import Measured
from diffex.explainers.naming import change_rows, naming_rows
from diffex.images import PlantedCells
from diffex.images.planted_factors import CHANNEL_NAMES
from diffex.measurements import measure, quantities, read_in_object

_CELLS = 48
_DEPTH = 4


@final
@dataclass(frozen=True)
class Planted:
    """Where a planted factor changes a cell.

    Parameters
    ----------
    channel, compartment : str
        Where a reader should be sent.
    quantity : str
        The measurement whose size is judged.
    """

    channel: str
    compartment: str
    quantity: str


CHANGES: Mapping[str, Planted] = {
    "nucleus_intensity": Planted("nucleus", "nucleus", "nucleus_mean_nucleus"),
    "chromatin_granularity": Planted("nucleus", "nucleus", "granularity_nucleus"),
    "cytoplasm_intensity": Planted("cytoplasm", "ring", "ring_mean_cytoplasm"),
    "puncta_number": Planted("organelle", "puncta", "puncta_count_organelle"),
    "puncta_intensity": Planted("organelle", "puncta", "puncta_contrast_organelle"),
    "puncta_radius": Planted("organelle", "puncta", "puncta_spread_organelle_um"),
}
"""Planted factors of one organelle each."""

_PLACES = {
    "puncta": re.compile(r"puncta_(?:count|contrast|spread)_(\w+?)(?:_um)?"),
    "ring": re.compile(r"(?:ring_mean|sd_ring|rest_mean|image_mean)_(\w+)"),
}


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Cells before and after one change, measured.

    Parameters
    ----------
    before, after : DataFrame
        A row per cell, a column per quantity.
    """

    before: pd.DataFrame
    after: pd.DataFrame

    def take(self, rows: IntArray) -> "Pairs":
        """Pick cells, with repetition."""
        return Pairs(self.before.iloc[rows], self.after.iloc[rows])

    def changes(self) -> pd.DataFrame:
        """Say what changed, as the product does."""
        known = quantities(CHANNEL_NAMES, PlantedCells().pixel_size_um)
        return change_rows(self.before, self.after, known, self.before.std(axis=0).to_numpy(), None)


def measure_organelles(bench: Bench) -> Iterator[Measured]:
    """Measure B4 on exactly edited cells, then on edits rendered by the shipped generator.

    Parameters
    ----------
    bench : Bench
        Size of the run, seed, device.

    Yields
    ------
    Measured
        Share of changes told in the right channel and compartment; coverage of the intervals of their sizes;
        bias of the sizes on rendered edits.
    """
    pool = exact_pairs(bench.size(400, 64), bench.seed)
    told = pd.DataFrame(
        [
            {"factor": factor, "sign": sign, **tells(pair.take(drawn), factor)}
            for (factor, sign), pair in pool.items()
            for drawn in _draws(len(pair.before), bench.size(50, 4), derive_seed("told", bench.seed, factor))
        ]
    )
    share, wrong = wilson(int(told["right"].sum()), len(told)), told[~told["right"]]
    missed = ", ".join(sorted({f"{row.factor} {row.sign:+d}" for row in wrong.itertuples()})) or "none"
    yield Measured(
        "B4", "share of planted changes told in the right channel and compartment", share[0], ">= 0.95",
        *share[1:], note=f"{len(CHANGES)} factors, both ways, {STEP_SD:g} s.d., {_CELLS} cells; missed: "
        f"{missed}; a form of the nucleus is told before in {told['form'].mean():.0%}",
    )  # fmt: skip
    covered = np.concatenate(
        [
            covers(
                pair, CHANGES[factor].quantity, bench.size(250, 10), derive_seed("sizes", bench.seed, factor)
            )
            for (factor, _), pair in pool.items()
        ]
    )
    rate = wilson(int(covered.sum()), len(covered))
    yield Measured(
        "B4", "coverage of the 95 % interval of a change's size, exactly edited cells", rate[0],
        "0.93 to 0.97", *rate[1:], note=f"{len(covered)} samples of {_CELLS} cells; truth: all cells",
    )  # fmt: skip
    for factor, (bias, shows, bare) in rendered_biases(bench).items():
        yield Measured(
            "B4", f"relative bias of {CHANGES[factor].quantity} on rendered edits of {factor}", bias[0],
            "-0.1 to 0.1", *bias[1:], note="shipped generator, depth 4; the truth is the exact edit; renders "
            f"show {shows:.0%} of differences between cells, undivided {bare:+.2f}",
        )  # fmt: skip


def exact_pairs(count: int, seed: int) -> dict[tuple[str, int], Pairs]:
    """Change one factor of planted cells, exactly, and measure before and after.

    Parameters
    ----------
    count : int
        Cells.
    seed : int
        Of them.

    Returns
    -------
    dict of (str, int) to Pairs
        By factor and sign.
    """
    cells, factors, seeds = drawn(count, seed)
    masks = cells.nucleus_masks(factors, seeds)
    before = _measured(cells.render(factors, seeds), masks)
    return {
        (factor, sign): Pairs(
            before, _measured(cells.render(moved(cells, factors, factor, sign), seeds), masks)
        )
        for factor in CHANGES
        for sign in (1, -1)
    }


def tells(pairs: Pairs, factor: str) -> dict[str, bool]:
    """Whether the first thing said of any channel is in the planted channel and compartment.

    Parameters
    ----------
    pairs : Pairs
        Some cells.
    factor : str
        What was changed.

    Returns
    -------
    dict of str to bool
        ``right``; and ``form``, whether a size or shape, which are of no channel, is told before.
    """
    places = [place_of(str(row["quantity"])) for row in naming_rows(pairs.changes(), factor)]
    of_channels = [place for place in places if place[0]]
    wanted = (CHANGES[factor].channel, CHANGES[factor].compartment)
    return {"right": of_channels[:1] == [wanted], "form": places[:1] != of_channels[:1]}


def place_of(quantity: str) -> tuple[str, str]:
    """Read channel and compartment off the name of a quantity.

    Parameters
    ----------
    quantity : str
        As in `diffex.measurements.quantities`.

    Returns
    -------
    (str, str)
        Empty where it speaks of none, such as an area.

    Examples
    --------
    >>> place_of("puncta_spread_organelle_um")
    ('organelle', 'puncta')
    """
    for compartment, pattern in _PLACES.items():
        found = pattern.fullmatch(quantity)
        if found:
            return found[1], compartment
    channel = read_in_object(quantity)
    return (channel, "nucleus") if channel else ("", "")


def covers(pairs: Pairs, quantity: str, repeats: int, seed: int) -> FloatArray:
    """Draw samples of cells and ask whether the interval of a change holds that of all cells.

    Parameters
    ----------
    pairs : Pairs
        All cells.
    quantity : str
        Whose change.
    repeats : int
        Samples, drawn with repetition.
    seed : int
        Of the samples.

    Returns
    -------
    ndarray, shape (repeats,)
        1 where it does.
    """
    known = tuple(
        one for one in quantities(CHANNEL_NAMES, PlantedCells().pixel_size_um) if one.name == quantity
    )
    own = Pairs(pairs.before[[quantity]], pairs.after[[quantity]])

    def row(some: Pairs) -> "pd.Series[float]":
        return change_rows(some.before, some.after, known, np.ones(1), None).iloc[0]

    truth = row(own)["change"]
    drawn = (row(own.take(rows)) for rows in _draws(len(own.before), repeats, seed))
    return np.array([float(one["low"] <= truth <= one["high"]) for one in drawn])


@torch.no_grad()
def rendered_biases(bench: Bench) -> dict[str, tuple[tuple[float, float, float], float, float]]:
    """Edit codes along the mean step of exact edits of other cells, render, measure, compare.

    As the product does, changes are divided by what renders show of differences between cells (`shown`).

    Parameters
    ----------
    bench : Bench
        Size of the run, seed, device.

    Returns
    -------
    dict of str to ((float, float, float), float, float)
        By factor: rendered over exact mean change, less 1, with its interval over cells; the share that
        renders show, and the bias without it.
    """
    generator = shipped_model("linear", bench.device).generator
    learnt, edited = bench.size(512, 16), bench.size(512, 12)
    cells, factors, seeds = drawn(learnt + edited, derive_seed("rendered", bench.seed) % 2**20)
    x, masks = cells.render(factors, seeds), cells.nucleus_masks(factors, seeds)[learnt:]
    editor = LatentEditor(generator, "fresh", _DEPTH, bench.seed)
    inversion = editor.invert(x[learnt:], tuple(f"cell-{k}" for k in range(edited)))
    before, null = _measured(x[learnt:], masks), _measured(editor.null(inversion), masks)
    found = {}
    for factor, wanted in CHANGES.items():
        exact = cells.render(moved(cells, factors, factor, 1), seeds)
        step = mean_step(generator, x[:learnt], exact[:learnt])
        edit = editor.edit(inversion, Concept(factor, "exact", factor, step), 1.0)
        after = (_measured(exact[learnt:], masks), _measured(edit, masks))
        told = [table[wanted.quantity].to_numpy(dtype=np.float64) for table in (before, null, *after)]
        found[factor] = _bias(np.stack(told), inversion.codes.double().cpu().numpy())
    return found


def _bias(values: FloatArray, codes: FloatArray) -> tuple[tuple[float, float, float], float, float]:
    """From cells, null edits, exact edits and rendered edits, ``(4, n)``: bias, share shown, bare bias."""
    renders = shown(values[0, :, None], values[1, :, None], codes)

    def bare(rows: IntArray) -> float:
        return float((values[3, rows] - values[1, rows]).mean() / (values[2, rows] - values[0, rows]).mean())

    value, low, high = bootstrap(values.shape[1], bare, seed=0)
    share, whole, beside = (float(one[0]) for one in renders.whole(np.array([value])))
    below, above = (float(np.hypot((end - value) / share, beside)) for end in (low, high))
    return (whole - 1, whole - below - 1, whole + above - 1), share, value - 1


def _measured(pixels: Tensor, masks: Tensor) -> pd.DataFrame:
    """Measure as the product measures edits: intensities in the cells' own masks, shapes afresh."""
    return measure(
        pixels, CHANNEL_NAMES, masks, PlantedCells().pixel_size_um, shape_from="pixels", shape_channel=0
    )


def _draws(count: int, repeats: int, seed: int) -> Iterator[IntArray]:
    random = np.random.default_rng(seed)
    return (random.integers(count, size=_CELLS) for _ in range(repeats))
