"""What an attribute measurably changes, in units, and the name it gets from that."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from diffex.effects.attenuation import Shown
from diffex.effects.intervals import mean_intervals
from diffex.explainers.preparing import Prepared
from diffex.images import Images
from diffex.measurements import Quantity, measure, read_in_object

FloatArray = NDArray[np.float64]
_NOTABLE_SD = 0.3
_OTHER_FORM_SD = 0.5
_IN_NAME = 3


def measure_like(images: Images, x: Tensor, rows: NDArray[np.int64], channel: int) -> pd.DataFrame:
    """Measure rendered images: compartments from the cells' own masks, shape from the pixels.

    Parameters
    ----------
    images : Images
        The sample.
    x : Tensor
        ``(m, c, h, w)`` grey values.
    rows : ndarray of int
        Positions of the images in the sample.
    channel : int
        Where objects are segmented.

    Returns
    -------
    DataFrame
        ``m`` rows, a column per quantity.
    """
    return measure(
        x, images.channel_names, images.read_masks(rows), images.pixel_size_um,
        shape_from="pixels", shape_channel=channel,
    )  # fmt: skip


def measured_changes(
    before: pd.DataFrame,
    after: pd.DataFrame,
    prepared: Prepared,
    groups: NDArray[np.str_] | None,
    renders: Shown | None = None,
) -> pd.DataFrame:
    """Compare edits with null edits, quantity by quantity.

    Parameters
    ----------
    before, after : DataFrame
        Measurements of null edits and edits, the same images.
    prepared : Prepared
        Gives quantities and their spread over real images.
    groups : ndarray of str, optional
        Unit of replication of the images.
    renders : Shown, optional
        As of `change_rows`.

    Returns
    -------
    DataFrame
        Columns of ``measured.parquet`` but concept, sign and strength. Changes of quantities that read best
        as a percentage are percentages of the mean before.
    """
    spread = prepared.evidence.measured.std(axis=0).to_numpy()
    return change_rows(before, after, prepared.evidence.quantities, spread, groups, renders)


def change_rows(
    before: pd.DataFrame,
    after: pd.DataFrame,
    quantities: tuple[Quantity, ...],
    spread: FloatArray,
    groups: NDArray[np.str_] | None,
    renders: Shown | None = None,
) -> pd.DataFrame:
    """Compare the measurements of edits with those of null edits; see `measured_changes`.

    Parameters
    ----------
    before, after : DataFrame
        Of the same images.
    quantities : tuple of Quantity
        Their columns.
    spread : ndarray
        Standard deviation of each over real images.
    groups : ndarray of str, optional
        Unit of replication of the images.
    renders : Shown, optional
        What renders show of differences between images; changes are divided by it where it is told, and
        intervals hold its error.

    Returns
    -------
    DataFrame
        A row per quantity; ``rendered`` is the share that changes were divided by.
    """
    intervals = mean_intervals((after - before).to_numpy(dtype=np.float64), groups)
    told = renders or Shown.untold(len(quantities))
    share, change, beside = told.whole(intervals.value)
    reach = np.hypot((intervals.high - intervals.value) / share, beside)
    rows = []
    for j, quantity in enumerate(quantities):
        start = float(before.iloc[:, j].mean())
        percent = quantity.log and quantity.unit != "log2" and abs(start) > 1e-6
        unit = 100 / abs(start) if percent else 1.0
        rows.append(
            {
                "quantity": quantity.name, "words": quantity.words,
                "unit": quantity.unit, "kind": quantity.kind, "log": bool(percent),
                "before": start, "after": start + float(change[j]), "change": unit * float(change[j]),
                "low": unit * float(change[j] - reach[j]), "high": unit * float(change[j] + reach[j]),
                "change_sd": float(change[j] / spread[j]) if spread[j] > 1e-9 else 0.0,
                "rendered": float(told.share[j]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def name_of(measured: pd.DataFrame, concept: str) -> str:
    """Name an attribute by its largest measured changes, those of `naming_rows`.

    Parameters
    ----------
    measured : DataFrame
        From `measured_changes`, for one attribute and sign.
    concept : str
        Its id.

    Returns
    -------
    str
        For example ``"nucleus/ring ratio of FKHR x 4.1, mean FKHR in nucleus +140 %, area unchanged"``.
    """
    rows = naming_rows(measured, concept)
    if not rows:
        return "changes nothing that is measured"
    return ", ".join([*(phrase(row) for row in rows), *_unchanged_area(measured)])


def naming_rows(measured: pd.DataFrame, concept: str) -> list[dict[Any, Any]]:
    """Choose the measured changes that name an attribute.

    A change of size or shape is told before intensities: these are read in the cell's own mask, so that an
    object which outgrows it spills into the compartments around. What a channel does in the object counts
    half where it is nearer to its background there than in the ring, before and after: the stain is
    elsewhere, and so is the change.

    Parameters
    ----------
    measured : DataFrame
        From `measured_changes`, for one attribute and sign.
    concept : str
        Its id; the quantity that a morphology concept was made from is told first.

    Returns
    -------
    list of dict
        Up to three rows that say different things: one per kind and last word (the channel).
    """
    certain = measured[(measured["low"] > 0) | (measured["high"] < 0)]
    notable = certain[certain["change_sd"].abs() >= _NOTABLE_SD]
    weight = np.where(notable["quantity"].isin(_stained_elsewhere(measured)), 0.5, 1.0)
    ranked = notable.iloc[np.argsort(-notable["change_sd"].abs() * weight, kind="stable")]
    own = ranked["quantity"] == concept.partition(":")[2]
    form = ranked["kind"].isin(["size", "shape"]) & (ranked["change_sd"].abs() >= _OTHER_FORM_SD)
    told: dict[tuple[str, str], dict[Any, Any]] = {}
    for row in pd.concat([ranked[own], ranked[~own & form].head(1), ranked[~own & ~form]]).to_dict("records"):
        told.setdefault((str(row["kind"]), str(row["words"]).split()[-1]), row)
    return list(told.values())[:_IN_NAME]


def _stained_elsewhere(measured: pd.DataFrame) -> set[str]:
    """Quantities of the object in channels that stain it less than the ring around it."""
    ends = dict(
        zip(measured["quantity"], measured[["before", "after"]].to_numpy(dtype=np.float64), strict=True)
    )
    channels = {name: read_in_object(name) for name in ends}
    away = set()
    for name, channel in channels.items():
        places = (f"ring_mean_{channel}", f"background_mean_{channel}")
        if name.endswith(f"_mean_{channel}") and all(place in ends for place in places):
            around, ground = (ends[place] for place in places)
            if (np.abs(ends[name] - ground) < np.abs(around - ground)).all():
                away.add(channel)
    return {name for name, channel in channels.items() if channel in away}


def phrase(row: dict[Any, Any]) -> str:
    """Say one change: a fold for log2 ratios, a percentage, or an amount with its unit.

    Parameters
    ----------
    row : dict
        Of `measured_changes`.

    Returns
    -------
    str
        Words and number.
    """
    change, unit = float(row["change"]), str(row["unit"])
    if unit == "log2":
        return f"{row['words'].removeprefix('log2 ')} x {2**change:.2g}"
    if row["log"]:
        return f"{row['words']} {change:+.0f} %"
    return f"{row['words']} {change:+.2g} {unit}".rstrip()


def _unchanged_area(measured: pd.DataFrame) -> list[str]:
    area = measured[measured["quantity"].isin(["area_px", "area_um2"])]
    if len(area) and (area["change_sd"].abs() < 0.15).all():
        return [f"{area['words'].iloc[0]} unchanged"]
    return []


def off_target(
    original: pd.DataFrame, null: pd.DataFrame, edit: pd.DataFrame, spread: FloatArray, named: set[str]
) -> float:
    """Mean absolute change of the measurements an edit is not named after, beyond the null edit's own.

    Parameters
    ----------
    original, null, edit : DataFrame
        Measurements of the same images.
    spread : ndarray
        Standard deviation of every quantity over real images.
    named : set of str
        Quantities that the attribute is named after; they are left out.

    Returns
    -------
    float
        In standard deviations.
    """
    others = [j for j, name in enumerate(original.columns) if name not in named and spread[j] > 1e-9]
    by_edit = np.abs(edit.to_numpy() - original.to_numpy()).mean(0)[others] / spread[others]
    by_null = np.abs(null.to_numpy() - original.to_numpy()).mean(0)[others] / spread[others]
    return float(np.clip(by_edit - by_null, 0, None).mean())


def named_quantities(measured: pd.DataFrame, concept: str, quantities: tuple[Quantity, ...]) -> set[str]:
    """Quantities that a name speaks of, and those of the same kind and channel.

    Parameters
    ----------
    measured : DataFrame
        From `measured_changes`, for one attribute and sign.
    concept : str
        Its id.
    quantities : tuple of Quantity
        All of them.

    Returns
    -------
    set of str
        Their columns.
    """
    keys = {(row["kind"], str(row["words"]).split()[-1]) for row in naming_rows(measured, concept)}
    return {q.name for q in quantities if (q.kind, q.words.split()[-1]) in keys}
