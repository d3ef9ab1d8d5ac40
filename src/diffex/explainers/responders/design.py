"""What each cell got: dose or condition, control or not, and its well."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects.arrays import FloatArray
from diffex.explainers.responders.config import ResponderConfig
from diffex.images import Images, parse_where
from diffex.responses.doses import check_doses, require_one_dose

CONTROL, POSITIVE = "control", "positive"
_SHOWN = 6
_FEW_UNITS = 6


@final
@dataclass(frozen=True, eq=False)
class Design:
    """The experiment, a value per cell.

    Parameters
    ----------
    doses : ndarray, shape (n,)
        0 for controls. Without a column of doses, 1 for the treated. NaN for positive references.
    conditions : ndarray of str, shape (n,)
        ``control``, ``positive``, else the dose or the class as text.
    wells : ndarray of str, shape (n,), optional
        Unit of replication; None where none is known.
    dose : str or None
        Name of the column of doses.
    controls : str
        What makes a control, for example ``dose 0``.
    """

    doses: FloatArray
    conditions: NDArray[np.str_]
    wells: NDArray[np.str_] | None
    dose: str | None
    controls: str

    @property
    def control(self) -> NDArray[np.bool_]:
        """Which cells are controls, shape (n,)."""
        return np.asarray(self.conditions == CONTROL)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which cells are positive references, shape (n,)."""
        return np.asarray(self.conditions == POSITIVE)

    @property
    def treated(self) -> tuple[str, ...]:
        """Conditions beside control and positive, by dose."""
        names = pd.Series(self.doses, index=self.conditions).dropna()
        return tuple(names[names > 0].groupby(level=0).first().sort_values().index)

    @property
    def single_wells(self) -> tuple[str, ...]:
        """Conditions that have a single well, by dose."""
        if self.wells is None:
            return ()
        counts = pd.Series(self.wells).groupby(self.conditions).nunique()
        return tuple(name for name in (CONTROL, *self.treated) if counts[name] == 1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the wells cannot support, as sentences."""
        if self.wells is None:
            return (
                "No wells are known (--group): intervals and tests are over cells and say nothing about "
                "other wells.",
            )
        series = self.wells[~self.positive]
        count = len(np.unique(series))
        found = []
        if self.single_wells:
            which = (
                "each condition" if len(self.single_wells) > len(self.treated) else _some(self.single_wells)
            )
            found.append(
                f"One well of {which}: no interval over wells is possible there, intervals are over cells "
                "within these wells."
            )
        if count < _FEW_UNITS:
            found.append(f"Only {count} wells: what holds within these wells may not hold in others.")
        return tuple(found)


def read_design(images: Images, config: ResponderConfig, target: str) -> Design:
    """Read the experiment from the columns of the images.

    Parameters
    ----------
    images : Images
        With labels, groups or a table.
    config : ResponderConfig
        Which columns.
    target : str
        Class that the run explains.

    Returns
    -------
    Design
        A value per cell.

    Raises
    ------
    InputError
        If a column is unknown, doses are no numbers, there is no control or no treated cell, or a well has
        two doses.
    """
    positive = np.zeros(len(images), dtype=bool)
    if config.positive is not None:
        positive = _matching(images, config.positive, "--positive")
    doses, names, controls = (_dosed if config.dose is not None else _labelled)(
        images, config, target, positive
    )
    control = (doses == 0) & ~positive
    treated = (doses > 0) & ~positive
    if not control.any() or not treated.any():
        cure = "give treated cells too" if control.any() else "name the controls by --control COLUMN=VALUE"
        raise InputError(
            f"Controls ({controls}) are {int(control.sum())} cells and the others {int(treated.sum())}, "
            f"expected some of both: {cure}."
        )
    wells = _wells(images, config)
    if wells is not None:
        require_one_dose(doses[~positive], wells[~positive])
    # a treated class may bear one of the two names
    own = [f"{name} cells" if name in (CONTROL, POSITIVE) else name for name in names]
    conditions = np.where(positive, POSITIVE, np.where(control, CONTROL, own)).astype(np.str_)
    return Design(np.where(positive, np.nan, doses), conditions, wells, config.dose, controls)


def column_of(images: Images, name: str, option: str) -> NDArray[Any]:
    """Find a column by name.

    Parameters
    ----------
    images : Images
        Whose table, labels and groups are looked at.
    name : str
        A column, or ``label`` or ``group``.
    option : str
        Named in the error.

    Returns
    -------
    ndarray of object, shape (n,)
        A value per image.

    Raises
    ------
    InputError
        If there is no such column.
    """
    if name == "label" and images.labels is not None:
        return np.array(images.class_names, dtype=object)[images.labels]
    if name == "group" and images.groups is not None:
        return images.groups.astype(object)
    if name in images.table.columns:
        return images.table[name].to_numpy(dtype=object)
    known = [*map(str, images.table.columns)]
    known += ["label"] * (images.labels is not None) + ["group"] * (images.groups is not None)
    raise InputError(
        f"{option} got {name!r}, expected a column of the images ({_some(known) or 'they have none'}): give "
        "a table with that column, or label or group for the columns opened as these."
    )


def _dosed(
    images: Images, config: ResponderConfig, target: str, positive: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.str_], str]:
    assert config.dose is not None
    column = column_of(images, config.dose, "--dose")
    control = np.zeros(len(images), dtype=bool)
    if config.control is not None:
        control = _matching(images, config.control, "--control")
    doses = np.zeros(len(images))
    asked = ~control & ~positive
    doses[asked] = check_doses(column[asked], config.dose)
    if config.control is not None and (doses[asked] == 0).any():
        raise InputError(
            f"Column {config.dose} is 0 for {int((doses[asked] == 0).sum())} cells that --control "
            f"{config.control} leaves out, expected all cells of dose 0 to be controls: name them too."
        )
    names = np.array([f"{dose:.10g}" for dose in doses])
    return doses, names, f"{config.dose} 0" if config.control is None else config.control


def _labelled(
    images: Images, config: ResponderConfig, target: str, positive: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.str_], str]:
    if images.labels is None:
        raise InputError("The images have no labels, expected some, or --dose COLUMN of a table: give one.")
    labels = column_of(images, "label", "--control")
    names = [str(name) for name in pd.unique(labels[~positive])]
    chosen = config.control
    if chosen is None:
        others = [name for name in names if name != target]
        if len(others) != 1:
            raise InputError(
                f"Of the classes {_some(names)} none is known as control, expected one beside {target}: give "
                "--control CLASS, or --dose COLUMN."
            )
        chosen = others[0]
    doses = np.where(_matching(images, chosen, "--control"), 0.0, 1.0)
    treated = sorted({str(name) for name in labels[(doses > 0) & ~positive]})
    if len(treated) > 1:
        raise InputError(
            f"Beside the controls there are {len(treated)} classes ({_some(treated)}), expected one: leave "
            "the others out, or give --dose COLUMN."
        )
    return doses, labels.astype(np.str_), chosen


def _matching(images: Images, text: str, option: str) -> NDArray[np.bool_]:
    """Cells that ``COLUMN=VALUE[,VALUE]`` names, as text or as numbers."""
    ((name, wanted),) = parse_where([text if "=" in text else f"label={text}"]).items()
    column = pd.Series(column_of(images, name, option))
    numbers = pd.to_numeric(pd.Series(wanted), errors="coerce").dropna()
    found = column.astype(str).isin(wanted) | pd.to_numeric(column, errors="coerce").isin(numbers)
    if not found.any():
        held = [str(value) for value in column.dropna().unique()]
        raise InputError(
            f"{option} {text} is true of no cell, column {name} holds {_some(held)}: give one of them."
        )
    return found.to_numpy(dtype=bool)


def _wells(images: Images, config: ResponderConfig) -> NDArray[np.str_] | None:
    if config.group is None:
        return images.groups
    column = pd.Series(column_of(images, config.group, "--group"))
    if column.isna().any():
        raise InputError(
            f"Column {config.group} is empty for {int(column.isna().sum())} of {len(column)} cells, expected "
            "a well for each: fill it, or leave those cells out."
        )
    return column.astype(str).to_numpy(dtype=np.str_)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
