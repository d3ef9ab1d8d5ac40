"""Measurements of a user's own, beside those of the catalogue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.measurements.quantity import Quantity, slug


@final
@dataclass(frozen=True)
class OwnMeasurement:
    """A function of images that gives a number for each.

    Parameters
    ----------
    name : str
        By which a tree of phrases calls it; the column's name: lower case, digits, underscores.
    function : callable
        From grey values ``(n, c, h, w)``, float64, to ``(n,)`` finite numbers; of each image alone.

    Raises
    ------
    InputError
        If the name is no column's.
    """

    name: str
    function: Callable[[NDArray[np.float64]], ArrayLike]

    def __post_init__(self) -> None:
        """Refuse what is no column's name."""
        if not self.name or slug(self.name) != self.name:
            raise InputError(
                f"A measurement is named {self.name!r}, expected lower case letters, digits, underscores."
            )

    @property
    def quantity(self) -> Quantity:
        """What its column means."""
        return Quantity(self.name, self.name.replace("_", " "), "", "own", False)

    def read(self, x: Tensor) -> NDArray[np.float64]:
        """Measure images.

        Parameters
        ----------
        x : Tensor, shape (n, c, h, w)
            Grey values.

        Returns
        -------
        ndarray, shape (n,)
            A number each.

        Raises
        ------
        InputError
            If the function fails, or gives something else.
        """
        try:
            values = np.asarray(self.function(x.double().numpy()), dtype=np.float64)
        except Exception as error:
            raise InputError(
                f"The measurement {self.name} failed on images of {tuple(x.shape)}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if values.shape != (len(x),) or not np.isfinite(values).all():
            got = "numbers that are not finite" if values.shape == (len(x),) else f"shape {values.shape}"
            raise InputError(
                f"The measurement {self.name} gave {got}, expected a finite number for each of {len(x)} "
                "images."
            )
        return values


def with_own(table: pd.DataFrame, x: Tensor, own: Sequence[OwnMeasurement]) -> pd.DataFrame:
    """Add columns of a user's own to a table of measurements.

    Parameters
    ----------
    table : DataFrame
        n rows, from `measure`.
    x : Tensor, shape (n, c, h, w)
        What was measured.
    own : sequence of OwnMeasurement
        Of other names than the columns.

    Returns
    -------
    DataFrame
        With a column more for each.

    Raises
    ------
    InputError
        If a name is there already, or a function does not give what it should.
    """
    for one in own:
        if one.name in table.columns:
            raise InputError(f"The measurement {one.name} is in diffex already: choose another name.")
        table = table.assign(**{one.name: one.read(x)})
    return table
