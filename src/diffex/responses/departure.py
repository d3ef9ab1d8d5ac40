"""At which dose does each of several values leave the controls, and which one first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray, finite
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.responses.doses import Replicate, WellValues, well_values

_Q = 0.05


@final
@dataclass(frozen=True, eq=False)
class Departures:
    """Which values depart from controls, from which dose on.

    Parameters
    ----------
    table : DataFrame
        A row per value and dose: ``name, dose, change, sd, p, q``. ``change`` is the mean over wells
        minus that of control wells, ``sd`` the same in standard deviations between wells of one dose, up to
        this one, ``q`` the adjusted p of "departs from this dose on".
    lowest : dict of str to (float or None)
        Lowest dose from which each value departs; None where it does not.
    first : str or None
        The value of the lowest dose of all; among equals that of the smallest p there. None where
        none departs.
    unit : {"wells", "cells"}
        What counted as one observation.
    """

    table: pd.DataFrame
    lowest: dict[str, float | None]
    first: str | None
    unit: Replicate


def departures(
    values: ArrayLike,
    names: Sequence[str],
    doses: ArrayLike,
    wells: NDArray[np.generic] | None = None,
    q: float = _Q,
) -> Departures:
    """Find the lowest dose at which each value differs from controls, at a false discovery rate.

    At each dose, a t test of its wells against control wells (dose 0), two-sided. Its variance is that
    between wells of one dose, pooled over controls and all doses up to this one: under the hypothesis tested
    none of them has moved, single wells suffice, and steeper doses, whose wells differ more, stay out.
    Step-down from the highest dose: the p of "departs from this dose on" is the largest of this and all
    higher doses, so a value that returns to controls at the top does not depart. Benjamini-Hochberg over the
    values at each dose. Values are of any kind; give those to be compared together, for one value alone is
    tested less severely than one of many.

    Parameters
    ----------
    values : array_like, shape (n, m)
        A row per cell, a column per value: attribute scores, the classifier's score, measurements.
    names : sequence of str, length m
        Of the values.
    doses : array_like, shape (n,)
        Dose or time of each cell; 0 for controls.
    wells : ndarray, shape (n,), optional
        Well of each cell; without, cells count as observations.
    q : float, default 0.05
        False discovery rate.

    Returns
    -------
    Departures
        Table, lowest dose of each value, and which is first.

    Raises
    ------
    InputError
        If there are fewer than 2 control wells or no other dose, names do not match, values are not finite,
        doses are no numbers, lengths differ, or a well has two doses.

    References
    ----------
    Benjamini & Hochberg 1995; Marcus, Peritz & Gabriel 1976 for the step-down over ordered doses;
    Dunnett 1955 for the pooled variance.

    Examples
    --------
    >>> import numpy as np
    >>> doses = np.repeat([0, 1, 2, 4], 5)
    >>> noise = np.random.default_rng(0).normal(size=(20, 2))
    >>> rising = np.stack([5.0 * (doses >= 2), 5.0 * (doses >= 4)], axis=1)
    >>> departures(noise + rising, ("early", "late"), doses).first
    'early'
    """
    array = finite(values, "values", 2)
    if array.shape[1] != len(names):
        raise InputError(f"names got {len(names)} for {array.shape[1]} columns, expected one each.")
    found = well_values(array, doses, wells)
    controls, levels = int((found.doses == 0).sum()), np.unique(found.doses[found.doses > 0])
    if controls < 2 or not len(levels):
        raise InputError(
            f"Departure from controls got {controls} {found.unit} of dose 0 and {len(levels)} other "
            "doses, expected 2 or more and 1 or more: give controls dose 0."
        )
    tested = [_against_controls(found, dose) for dose in levels]
    p = np.array([one[2] for one in tested])  # (doses, m)
    from_here_on = np.maximum.accumulate(p[::-1])[::-1]
    adjusted = np.array([benjamini_hochberg(row) for row in from_here_on])
    table = pd.concat(
        [
            pd.DataFrame(
                {"name": list(names), "dose": dose, "change": one[0], "sd": one[1], "p": one[2], "q": row}
            )
            for dose, one, row in zip(levels, tested, adjusted, strict=True)
        ],
        ignore_index=True,
    )
    lowest = {
        name: next((float(dose) for dose, one in zip(levels, column, strict=True) if one <= q), None)
        for name, column in zip(names, adjusted.T, strict=True)
    }
    return Departures(table, lowest, _first(table, lowest), found.unit)


def _against_controls(found: WellValues, dose: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Change, change in pooled standard deviations, p; all by column."""
    upto = found.doses <= dose
    wells = pd.DataFrame(found.medians[upto])
    by_dose = wells.groupby(found.doses[upto])
    means = by_dose.mean()
    change = np.asarray(means.loc[dose] - means.loc[0], dtype=np.float64)
    free = len(wells) - by_dose.ngroups
    squares = ((wells - by_dose.transform("mean")) ** 2).sum(axis=0).to_numpy(dtype=np.float64)
    pooled = np.sqrt(squares / free)
    sizes = by_dose.size()
    reach = pooled * np.sqrt(1 / sizes.loc[0] + 1 / sizes.loc[dose])
    with np.errstate(divide="ignore", invalid="ignore"):
        sd, t = change / pooled, change / reach
    p = 2 * stats.t.sf(np.abs(t), free)
    # without any change there is nothing to test, also where wells do not vary
    return change, np.where(change == 0, 0.0, sd), np.where(change == 0, 1.0, p)


def _first(table: pd.DataFrame, lowest: dict[str, float | None]) -> str | None:
    reached = {name: dose for name, dose in lowest.items() if dose is not None}
    if not reached:
        return None
    dose = min(reached.values())
    here = table[(table["dose"] == dose) & table["name"].isin([n for n, d in reached.items() if d == dose])]
    return str(here.sort_values("p", kind="stable")["name"].iloc[0])
