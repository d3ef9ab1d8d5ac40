"""Plain charts of a benchmark on logarithmic axes, as PNG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from diffex.base.files import atomic_path
from diffex.effects.arrays import FloatArray

_PANEL = (440, 340)
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 24, 44, 58
_DOT = 5
_INK, _GRID, _LINE, _POINT = "#222222", "#dddddd", "#0072b2", "#d55e00"
_MARKS = (1, 2, 5)


@final
@dataclass(frozen=True, eq=False)
class Growth:
    """How a quantity grows: points, and a power law through them.

    Parameters
    ----------
    title, across, up : str
        Above the panel, and along its axes.
    x, y : ndarray, shape (n,)
        Positive.
    exponent : float
        Of the law; its line passes through the middle of the points.
    """

    title: str
    across: str
    up: str
    x: FloatArray
    y: FloatArray
    exponent: float

    def law(self) -> FloatArray:
        """Give the law's value at each x, ``(n,)``."""
        x, y = np.log(self.x), np.log(self.y)
        return np.asarray(np.exp(y.mean() + self.exponent * (x - x.mean())))


@final
@dataclass(frozen=True)
class _Axis:
    """From values to pixels, on a logarithmic scale."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (math.log(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def save_growths(rows: Sequence[Sequence[Growth]], path: Path) -> None:
    """Draw panels of growth in rows and columns.

    Parameters
    ----------
    rows : sequence of sequence of Growth
        Of equal lengths.
    path : Path
        The PNG; written whole or not at all.
    """
    width, height = _PANEL
    sheet = Image.new("RGB", (width * len(rows[0]), height * len(rows)), "white")
    for i, row in enumerate(rows):
        for j, growth in enumerate(row):
            sheet.paste(_panel(growth), (j * width, i * height))
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")


def round_values(low: float, high: float) -> list[float]:
    """Give round values between two others: powers of ten, and 2 and 5 times these where few fit.

    Parameters
    ----------
    low, high : float
        Positive.

    Returns
    -------
    list of float
        Rising.

    Examples
    --------
    >>> round_values(0.9, 12)
    [1.0, 2.0, 5.0, 10.0]
    >>> round_values(3, 40000)
    [10.0, 100.0, 1000.0, 10000.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = _MARKS if high / low < 500 else _MARKS[:1]
    every = [float(f"{mark}e{power}") for power in powers for mark in marks]
    return [value for value in every if low <= value <= high]


def _panel(growth: Growth) -> Image.Image:
    width, height = _PANEL
    picture = Image.new("RGB", _PANEL, "white")
    pen, small, large = ImageDraw.Draw(picture), _font(13), _font(15)
    across = _axis(growth.x, _LEFT, width - _RIGHT)
    up = _axis(np.concatenate([growth.y, growth.law()]), height - _BOTTOM, _TOP)
    for value in growth.x:
        pen.line([(across(value), _TOP), (across(value), height - _BOTTOM)], fill=_GRID)
        pen.text((across(value), height - _BOTTOM + 6), f"{value:g}", _INK, small, anchor="mt")
    for value in round_values(math.exp(up.low), math.exp(up.high)) or [float(growth.y[0])]:
        pen.line([(_LEFT, up(value)), (width - _RIGHT, up(value))], fill=_GRID)
        pen.text((_LEFT - 6, up(value)), f"{value:g}", _INK, small, anchor="rm")
    pen.rectangle([_LEFT, _TOP, width - _RIGHT, height - _BOTTOM], outline=_INK)
    pen.line([(across(x), up(y)) for x, y in zip(growth.x, growth.law(), strict=True)], fill=_LINE, width=2)
    for x, y in zip(growth.x, growth.y, strict=True):
        pen.ellipse([across(x) - _DOT, up(y) - _DOT, across(x) + _DOT, up(y) + _DOT], fill=_POINT)
    middle = (_LEFT + width - _RIGHT) / 2
    pen.text((middle, _TOP / 2), growth.title, _INK, large, anchor="mm")
    pen.text((middle, height - 18), growth.across, _INK, small, anchor="mm")
    _sideways(picture, growth.up, (12, (_TOP + height - _BOTTOM) // 2))
    return picture


def _axis(values: FloatArray, start: float, end: float) -> _Axis:
    """An axis with some room on both sides of the values."""
    low, high = math.log(values.min()), math.log(values.max())
    room = 0.08 * max(high - low, 0.1)
    return _Axis(low - room, high + room, start, end)


def _sideways(picture: Image.Image, words: str, middle: tuple[int, int]) -> None:
    font = _font(13)
    _, _, width, height = font.getbbox(words)
    label = Image.new("RGB", (math.ceil(width) + 2, math.ceil(height) + 4), "white")
    ImageDraw.Draw(label).text((0, 0), words, _INK, font)
    turned = label.rotate(90, expand=True)
    picture.paste(turned, (middle[0] - turned.width // 2, middle[1] - turned.height // 2))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
