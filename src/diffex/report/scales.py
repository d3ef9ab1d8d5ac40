"""From values to places in a drawing, and where to put ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from diffex.report.numbers import is_number

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@final
@dataclass(frozen=True)
class Scale:
    """A straight line from values to pixels.

    Parameters
    ----------
    low, high : float
        Values at the two ends.
    start, end : float
        Pixels at the two ends; `end` may be the smaller, as on a vertical axis.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Place a value; what lies outside is placed at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def nice_range(values: Iterable[float], always: Iterable[float] = (0.0,)) -> tuple[float, float]:
    """Find round limits that hold all values.

    Parameters
    ----------
    values : iterable of float
        What is drawn; what is not finite is passed over.
    always : iterable of float, default (0,)
        What must be within, too.

    Returns
    -------
    (float, float)
        Low and high, different.

    Examples
    --------
    >>> nice_range([-0.3, 1.7])
    (-0.5, 2.0)
    """
    kept = [float(value) for value in (*values, *always) if is_number(float(value))]
    low, high = min(kept), max(kept)
    if low == high:
        return low - 1.0, high + 1.0
    step = _step((high - low) / 6)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Choose round values within limits.

    Parameters
    ----------
    low, high : float
        The limits.
    count : int, default 5
        About how many.

    Returns
    -------
    list of float
        Ascending multiples of a round step.

    Examples
    --------
    >>> ticks(-0.5, 2.0)
    [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0]
    """
    step = _step((high - low) / count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def round_length(limit: float) -> float:
    """Find the longest round length below a limit, for a scale bar.

    Parameters
    ----------
    limit : float
        Above 0.

    Returns
    -------
    float
        1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> round_length(10.6), round_length(0.3)
    (10.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(limit))
    return round(max(step for step in (1.0, 2.0, 5.0) if step * power <= limit * (1 + 1e-9)) * power, 10)


def _step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step for step in _STEPS if step * power >= raw * (1 - 1e-9)) * power
