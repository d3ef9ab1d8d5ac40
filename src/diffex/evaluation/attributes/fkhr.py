"""A2 to A4: a protein that is known to move into the nucleus."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.classifiers import balanced_accuracy_interval
from diffex.classifiers.blackbox import predict
from diffex.effects.intervals import wilson
from diffex.evaluation.attributes.top import Pairs, Top, render_pairs, top_attribute
from diffex.evaluation.bench import Bench
from diffex.evaluation.pictures import save_strip
from diffex.evaluation.real_fits import real_model, real_side
from diffex.evaluation.resampling import bootstrap
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import FKHR
from diffex.evaluation.stages import attribute_config, explained, gate_words
from diffex.explainers.naming import measure_like
from diffex.images import Images, sample
from diffex.measurements import nucleus_channel, quantities
from diffex.runs import Explanation

PROTEIN = "FKHR"


def measure_fit(bench: Bench) -> Iterator[Measured]:
    """Measure A2: gates, minutes, accuracy of the black box on the test wells.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    made = real_model(bench, FKHR)
    model = made.model
    yield Measured("A2", "minutes of fit", made.seconds / 60, "<= 40", seconds=made.seconds, note=made.note)
    held_out = min(256, len(model.record["held_out"]))
    for gate in model.gates:
        words, target = gate_words(gate)
        ends = wilson(round(gate.value * held_out), held_out)[1:] if gate.name == "flips" else (None, None)
        yield Measured("A2", f"gate: {words}", gate.value, target, *ends)
    test = real_side(bench, FKHR, "test")
    logits = predict(model.classifier, lambda: test.batches(256), test.value_range)
    assert test.labels is not None
    value = balanced_accuracy_interval(test.labels, logits.argmax(1), test.groups, seed=bench.seed)
    yield Measured("A2", "balanced accuracy of the black box on test", value[0], ">= 0.97", *value[1:])


def measure_positive(bench: Bench) -> Iterator[Measured]:
    """Measure A3: what makes a cell positive.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    yield from _measure_target(bench, "A3", "positive", "negative", 1)


def measure_negative(bench: Bench) -> Iterator[Measured]:
    """Measure A4: what makes a cell negative, the mirror image.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    yield from _measure_target(bench, "A4", "negative", "positive", -1)


def _measure_target(bench: Bench, row: str, target: str, other: str, way: int) -> Iterator[Measured]:
    model = real_model(bench, FKHR).model
    test = real_side(bench, FKHR, "test")
    config = attribute_config(bench, target)
    explanation = explained(bench, f"{FKHR}-{target}", test, model, config)
    cost = float(explanation.cost["seconds_total"])
    yield Measured(row, f"minutes of attributes, target {target}", cost / 60, "<= 2", seconds=cost)
    yield _followed(row, explanation)
    top = top_attribute(explanation)
    if top is None:
        note = "no attribute is significant"
        yield Measured(row, "share that the top attribute flips", float("nan"), ">= 0.95", note=note)
        return
    save_strip(explanation, bench.figure(f"fkhr_{target}.png"))
    cells = unselected(test.of_class(other), explanation, bench.size(256, 32), bench.seed)
    index = model.classifier.card.class_names.index(target)
    pairs = render_pairs(cells, model, top, top.strength, index, bench.seed)
    yield from edit_numbers(bench, row, test, cells, pairs, top, way)


def _followed(row: str, explanation: Explanation) -> Measured:
    """What measured quantities carry of the classifier's answer, and which it follows, the others held."""
    table = explanation.drivers
    assert table is not None
    sure = table[table["significant"]]
    note = "; ".join(
        f"{one.words} {one.effect:+.2f} ({one.low:+.2f} to {one.high:+.2f})" for one in sure.itertuples()
    )
    carried = float(explanation.summary["drivers"]["share"])
    return Measured(row, "share of the answer that measured quantities carry", carried, REPORTED, note=note)


def unselected(cells: Images, explanation: Explanation, count: int, seed: int) -> Images:
    """Take cells that had no part in choosing the attribute.

    Parameters
    ----------
    cells : Images
        Of one class.
    explanation : Explanation
        Its selecting half is left out.
    count : int
        How many at most.
    seed : int
        Of the sample.

    Returns
    -------
    Images
        Some of the cells.
    """
    selecting = set(explanation.summary["splits"]["selection"])
    return sample(cells.subset([i for i, name in enumerate(cells.ids) if name not in selecting]), count, seed)


def edit_numbers(
    bench: Bench, row: str, test: Images, cells: Images, pairs: Pairs, top: Top, way: int
) -> Iterator[Measured]:
    """Measure what the edits of one attribute do to cells.

    Parameters
    ----------
    bench : Bench
        Its seed.
    row : str
        Id of the row.
    test : Images
        Real cells of both classes, for the gap between them.
    cells : Images
        That were edited.
    pairs : Pairs
        Their null edits and edits.
    top : Top
        The attribute; where it is not on the manifold, no number passes.
    way : int
        +1 where the nucleus/ring ratio should rise, -1 where it should fall.

    Yields
    ------
    Measured
        Flips, direction and size of the change of the ratio, share of the protein's channel.
    """
    note = f"{top.words}; strength {top.strength:g}" + ("" if top.on_manifold else ", not on the manifold")
    holds, verb = top.on_manifold, "rises" if way > 0 else "falls"
    flips = wilson(int(pairs.flipped[pairs.fresh].sum()), int(pairs.fresh.sum()))
    yield Measured(
        row, "share that the top attribute flips", flips[0], ">= 0.95", *flips[1:], note=note, holds=holds
    )
    channel = nucleus_channel(cells.channel_names)
    assert channel is not None
    rows, column = np.arange(len(cells)), ratio_column(cells.channel_names, cells.pixel_size_um, PROTEIN)
    before, after = (measure_like(cells, x, rows, channel)[column] for x in (pairs.null, pairs.edit))
    change = way * np.asarray(after - before, dtype=np.float64)
    share = wilson(int((change > 0).sum()), len(change))
    yield Measured(
        row, f"share of cells whose nucleus/ring ratio of {PROTEIN} {verb}", share[0], ">= 0.95",
        *share[1:], holds=holds,
    )  # fmt: skip
    real = measure_like(test, test.read(), np.arange(len(test)), channel)[column]
    moved = _over_gap(change, real, test, bench.seed)
    yield Measured(
        row, f"median change of log2 nucleus/ring ratio of {PROTEIN} over the gap between the classes",
        moved[0], ">= 0.7", *moved[1:], holds=holds,
    )  # fmt: skip
    energy = channel_energy((pairs.edit - pairs.null).double().numpy())
    position = cells.channel_names.index(PROTEIN)
    part = bootstrap(len(energy), lambda some: energy_share(energy[some], position), bench.seed)
    yield Measured(
        row,
        f"share of squared change in {PROTEIN}, raw grey values",
        part[0],
        ">= 0.85",
        *part[1:],
        holds=holds,
    )


def _over_gap(
    change: NDArray[np.float64], real: "pd.Series[float]", test: Images, seed: int
) -> tuple[float, float, float]:
    """Median change over the gap of the classes' medians, both resampled."""
    assert test.labels is not None
    values = np.asarray(real, dtype=np.float64)
    first, second = (values[test.labels == k] for k in (0, 1))
    random = np.random.default_rng(seed)

    def ratio(some: NDArray[np.int64]) -> float:
        gap = np.median(random.choice(second, len(second))) - np.median(random.choice(first, len(first)))
        return float(np.median(change[some]) / abs(gap))

    _, low, high = bootstrap(len(change), ratio, seed)
    return float(np.median(change) / abs(np.median(second) - np.median(first))), low, high


def ratio_column(channel_names: tuple[str, ...], pixel_size_um: float | None, channel: str) -> str:
    """Find the column of a channel's log2 ratio of nucleus to ring.

    Parameters
    ----------
    channel_names : tuple of str
        Of the images.
    pixel_size_um : float or None
        Of the images.
    channel : str
        The one asked for.

    Returns
    -------
    str
        A column of `measure`.
    """
    found = [
        quantity.name
        for quantity in quantities(channel_names, pixel_size_um)
        if quantity.kind == "ratio" and quantity.unit == "log2" and quantity.words.endswith(f"of {channel}")
    ]
    return found[0]


def channel_energy(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of squares by image and channel.

    Parameters
    ----------
    difference : ndarray, shape (n, c, h, w)
        Edit minus null edit.

    Returns
    -------
    ndarray, shape (n, c)
        In squared grey values.
    """
    return np.asarray(np.square(difference).sum(axis=(2, 3)))


def energy_share(energy: NDArray[np.float64], channel: int) -> float:
    """Share of one channel in all energy.

    Parameters
    ----------
    energy : ndarray, shape (n, c)
        From `channel_energy`.
    channel : int
        Position.

    Returns
    -------
    float
        In [0, 1]; NaN where nothing changes.
    """
    total = float(energy.sum())
    return float(energy[:, channel].sum() / total) if total > 0 else float("nan")
