"""Where pictures lie beside each other: originals, null edits, edits along each concept, and live ones."""

import math
from dataclasses import dataclass
from typing import final

_WIDE = 1.6
_GAP = 0.15
_CAPTION = 0.45


@final
@dataclass(frozen=True)
class Sheet:
    """Tiles of one size in rows, with room for a caption above each.

    Parameters
    ----------
    height, width : int
        Of a picture in pixels.
    count : int
        How many tiles there are.
    """

    height: int
    width: int
    count: int

    @property
    def columns(self) -> int:
        """Tiles in a row: the sheet is wider than high, as a screen is."""
        return max(3, math.ceil(math.sqrt(_WIDE * self.count)))

    @property
    def rows(self) -> int:
        """Rows of the tiles."""
        return math.ceil(self.count / self.columns)

    @property
    def frame(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Upper left corner of the first caption, lower right corner of the last row."""
        y, x = self.corner(self.rows * self.columns - 1)
        return (-self.height * _CAPTION, 0.0), (y + self.height, x + self.width)

    def corner(self, place: int) -> tuple[float, float]:
        """Find the upper left corner of a tile.

        Parameters
        ----------
        place : int
            From 0, row by row.

        Returns
        -------
        (float, float)
            y and x in pixels.
        """
        row, column = divmod(place, self.columns)
        return row * self.height * (1 + _CAPTION), column * self.width * (1 + _GAP)

    def below(self, place: int) -> tuple[float, float]:
        """Find the corner of a tile in the first free row.

        Parameters
        ----------
        place : int
            From 0, in that row.

        Returns
        -------
        (float, float)
            y and x in pixels.
        """
        return self.corner(self.rows * self.columns + place)
