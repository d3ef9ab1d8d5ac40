"""Small drawings as SVG text, coloured by the style sheet: interval bars on one axis, and dose curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from markupsafe import Markup

from diffex.report.numbers import compact, is_number, percent, short, signed
from diffex.report.scales import Scale, nice_range, ticks

_BAR = (260, 28)
_MARGIN = 14
_SHARE = (120, 14)
_CURVE = (520, 336)
_LEFT, _RIGHT = 62, 14
_EFFECT_PANEL, _FLIP_PANEL = (24, 200), (240, 290)
_RESPONSE = (360, 240)
_RESPONSE_PANEL = (16, 196)
_SAMPLES = 80

_SVG = Markup(
    '<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
    "<title>{label}</title>{body}</svg>"
)
_LINE = Markup('<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
_TEXT = Markup('<text class="{kind}" x="{x}" y="{y}">{text}</text>')
_DOT = Markup('<circle class="{kind}" cx="{x}" cy="{y}" r="{r}"/>')
_RECT = Markup('<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"/>')
_AREA = Markup('<polygon class="{kind}" points="{points}"/>')
_PATH = Markup('<polyline class="{kind}" points="{points}"/>')


@final
@dataclass(frozen=True)
class DosePoint:
    """What one strength does.

    Parameters
    ----------
    strength : float
        Signed where both signs of a concept are drawn.
    effect, low, high : float
        Mean change of the logit margin, with its interval.
    flip_rate, flip_low, flip_high : float
        Share of images that become the target, with its interval; NaN where none could.
    on_manifold : bool
        Whether edits of this strength still look like the data.
    """

    strength: float
    effect: float
    low: float
    high: float
    flip_rate: float
    flip_low: float
    flip_high: float
    on_manifold: bool


@final
@dataclass(frozen=True)
class ResponsePoint:
    """What one dose does.

    Parameters
    ----------
    words : str
        Below the axis, for example the dose.
    place : float
        Along the axis; doses stand by their logarithm.
    value, low, high : float
        Mean over wells, with its interval.
    departs : bool
        Whether the value differs from controls from here on.
    """

    words: str
    place: float
    value: float
    low: float
    high: float
    departs: bool


def interval_axis(limits: tuple[float, float]) -> Markup:
    """Draw the axis that `interval_bar` shares.

    Parameters
    ----------
    limits : (float, float)
        Values at its ends.

    Returns
    -------
    Markup
        An SVG element.
    """
    scale = Scale(*limits, _MARGIN, _BAR[0] - _MARGIN)
    marks = [
        _LINE.format(kind="axis", x1=scale(t), y1=20, x2=scale(t), y2=26)
        + _TEXT.format(kind="tick middle", x=scale(t), y=14, text=short(t))
        for t in ticks(*limits, 4)
    ]
    rule = _LINE.format(kind="axis", x1=_MARGIN, y1=26, x2=_BAR[0] - _MARGIN, y2=26)
    label = f"axis from {compact(limits[0])} to {compact(limits[1])}"
    return _svg("bar", _BAR, label, [rule, *marks])


def zero_share(limits: tuple[float, float]) -> float:
    """Find zero on the axis.

    Parameters
    ----------
    limits : (float, float)
        Values at the ends of the axis.

    Returns
    -------
    float
        Share of the width of the drawing, from the left.
    """
    return Scale(*limits, _MARGIN, _BAR[0] - _MARGIN)(0.0) / _BAR[0]


def zero_place(limits: tuple[float, float]) -> str:
    """Write `zero_share` for the style sheet.

    Parameters
    ----------
    limits : (float, float)
        Values at the ends of the axis.

    Returns
    -------
    str
        A CSS length.

    Examples
    --------
    >>> zero_place((-2, 2))
    '50.000%'
    """
    return f"{100 * zero_share(limits):.3f}%"


def interval_bar(value: float, low: float, high: float, limits: tuple[float, float], *, sure: bool) -> Markup:
    """Draw a value with its interval; the style sheet draws one zero line through all rows.

    Parameters
    ----------
    value, low, high : float
        The estimate and its interval.
    limits : (float, float)
        Of the common axis.
    sure : bool
        A filled point where significant, a ring where not.

    Returns
    -------
    Markup
        An SVG element.
    """
    scale, middle = Scale(*limits, _MARGIN, _BAR[0] - _MARGIN), _BAR[1] / 2
    side = ("toward" if value > 0 else "away") if sure else "unsure"
    body: list[Markup] = []
    if is_number(low) and is_number(high):
        ends = (scale(low), scale(high))
        body += [_LINE.format(kind=f"span {side}", x1=ends[0], y1=middle, x2=ends[1], y2=middle)]
        body += [_LINE.format(kind=f"cap {side}", x1=x, y1=middle - 5, x2=x, y2=middle + 5) for x in ends]
    if is_number(value):
        body += [_DOT.format(kind=f"dot {side}", x=scale(value), y=middle, r=4.5)]
    label = f"{signed(value)}, interval {signed(low)} to {signed(high)}"
    return _svg("bar", _BAR, label, body)


def share_bar(share: float) -> Markup:
    """Draw a share of a whole.

    Parameters
    ----------
    share : float
        From 0 to 1.

    Returns
    -------
    Markup
        An SVG element.
    """
    parts = (("whole", _SHARE[0]), ("part", round(min(max(share, 0.0), 1.0) * _SHARE[0], 2)))
    body = [_RECT.format(kind=kind, x=0, y=2, width=wide, height=_SHARE[1] - 4) for kind, wide in parts]
    return _svg("share", _SHARE, f"share {percent(share)}", body)


def dose_curve(points: Sequence[DosePoint], target: str) -> Markup:
    """Draw how effect and flip rate grow with strength.

    Parameters
    ----------
    points : sequence of DosePoint
        In any order; strength 0 is added, where nothing changes by definition.
    target : str
        Name of the target class.

    Returns
    -------
    Markup
        An SVG element: effect with its band above, flip rate below.
    """
    known = sorted((p for p in points if is_number(p.effect) and p.strength), key=lambda p: p.strength)
    null = DosePoint(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, on_manifold=True)
    row = sorted([*known, null], key=lambda p: p.strength)
    x = Scale(*nice_range([p.strength for p in row]), _LEFT, _CURVE[0] - _RIGHT)
    body = [*_off_manifold(row, x), *_effect_panel(row, x), *_flip_panel(row, x), *_strength_axis(x)]
    return _svg("curve", _CURVE, _dose_label(known, target), body)


def _dose_label(points: Sequence[DosePoint], target: str) -> str:
    parts = [
        f"strength {short(p.strength)}: {signed(p.effect)}, flips {percent(p.flip_rate)}" for p in points
    ]
    return f"Change of the logit margin of {target} and flip rate by strength. " + "; ".join(parts)


def _off_manifold(row: Sequence[DosePoint], x: Scale) -> list[Markup]:
    """Shade the strengths whose edits no longer look like the data."""
    top, height = _EFFECT_PANEL[0], _FLIP_PANEL[1] - _EFFECT_PANEL[0]
    shades = []
    for near, far in zip([p.strength for p in row], [p.strength for p in row][1:], strict=False):
        outer = next(p for p in row if p.strength == (far if far > 0 else near))
        if not outer.on_manifold:
            width = round(x(far) - x(near), 2)
            shades.append(_RECT.format(kind="off", x=x(near), y=top, width=width, height=height))
    return shades


def _effect_panel(row: Sequence[DosePoint], x: Scale) -> list[Markup]:
    limits = nice_range([v for p in row for v in (p.low, p.high, p.effect)])
    y = Scale(*limits, _EFFECT_PANEL[1], _EFFECT_PANEL[0])
    title = "change of the logit margin"
    return [
        _TEXT.format(kind="panel", x=_LEFT, y=_EFFECT_PANEL[0] - 10, text=title),
        *_rows(ticks(*limits, 5), y, [short(t) for t in ticks(*limits, 5)]),
        _LINE.format(kind="zero", x1=_LEFT, y1=y(0), x2=_CURVE[0] - _RIGHT, y2=y(0)),
        *_band([(x(p.strength), y(p.low), y(p.high)) for p in row if is_number(p.low)]),
        *_trace([(x(p.strength), y(p.effect), p) for p in row]),
    ]


def _flip_panel(row: Sequence[DosePoint], x: Scale) -> list[Markup]:
    y = Scale(0.0, 1.0, _FLIP_PANEL[1], _FLIP_PANEL[0])
    known = [p for p in row if is_number(p.flip_rate)]
    return [
        _TEXT.format(kind="panel", x=_LEFT, y=_FLIP_PANEL[0] - 10, text="share of images that flip"),
        *_rows([0.0, 0.5, 1.0], y, ["0 %", "50 %", "100 %"]),
        *_band([(x(p.strength), y(p.flip_low), y(p.flip_high)) for p in known]),
        *_trace([(x(p.strength), y(p.flip_rate), p) for p in known]),
    ]


def _rows(values: Sequence[float], y: Scale, texts: Sequence[str]) -> list[Markup]:
    return [
        _LINE.format(kind="grid", x1=_LEFT, y1=y(v), x2=_CURVE[0] - _RIGHT, y2=y(v))
        + _TEXT.format(kind="tick end", x=_LEFT - 8, y=y(v) + 4, text=text)
        for v, text in zip(values, texts, strict=True)
    ]


def _band(edges: Sequence[tuple[float, float, float]]) -> list[Markup]:
    outline = [f"{a},{low}" for a, low, _ in edges] + [f"{a},{high}" for a, _, high in reversed(edges)]
    return [_AREA.format(kind="band", points=" ".join(outline))] if len(edges) > 1 else []


def _trace(places: Sequence[tuple[float, float, DosePoint]]) -> list[Markup]:
    line = _PATH.format(kind="trace", points=" ".join(f"{a},{b}" for a, b, _ in places))
    kinds = [("point" if p.strength else "origin") if p.on_manifold else "point ring" for *_, p in places]
    dots = [_DOT.format(kind=k, x=a, y=b, r=4.5) for k, (a, b, _) in zip(kinds, places, strict=True)]
    return [line, *dots]


def _strength_axis(x: Scale) -> list[Markup]:
    values = ticks(x.low, x.high, 6)
    texts = ["null edit" if not v else short(v) for v in values]
    foot = _FLIP_PANEL[1]
    return [
        *(
            _TEXT.format(kind="tick middle", x=x(v), y=foot + 18, text=t)
            for v, t in zip(values, texts, strict=True)
        ),
        _TEXT.format(
            kind="panel middle", x=(_LEFT + _CURVE[0] - _RIGHT) / 2, y=foot + 40, text="strength of the edit"
        ),
    ]


def response_curve(
    points: Sequence[ResponsePoint], fitted: Callable[[float], float] | None, axis: str, label: str
) -> Markup:
    """Draw how a value answers to the dose.

    Parameters
    ----------
    points : sequence of ResponsePoint
        By place, controls first.
    fitted : callable, optional
        From places to values, a curve through the points; drawn between the treated.
    axis : str
        Name of the doses; empty where there are none.
    label : str
        What is drawn, for those who cannot see it.

    Returns
    -------
    Markup
        An SVG element: points with intervals, filled from the dose on that departs from controls.
    """
    pad = 0.06 * (points[-1].place - points[0].place)
    x = Scale(points[0].place - pad, points[-1].place + pad, _LEFT, _RESPONSE[0] - _RIGHT)
    limits = nice_range([v for p in points for v in (p.value, p.low, p.high)], always=())
    y = Scale(*limits, _RESPONSE_PANEL[1], _RESPONSE_PANEL[0])
    marks = ticks(*limits, 5)
    grid = [
        _LINE.format(kind="grid", x1=_LEFT, y1=y(v), x2=_RESPONSE[0] - _RIGHT, y2=y(v))
        + _TEXT.format(kind="tick end", x=_LEFT - 8, y=y(v) + 4, text=short(v))
        for v in marks
    ]
    body = [*grid, *_fitted(points, fitted, x, y), *_responses(points, x, y), *_dose_axis(points, x, axis)]
    return _svg("curve", _RESPONSE, label, body)


def _fitted(
    points: Sequence[ResponsePoint], fitted: Callable[[float], float] | None, x: Scale, y: Scale
) -> list[Markup]:
    if fitted is None or len(points) < 3:
        return []
    start, end = points[1].place, points[-1].place
    places = [start + (end - start) * k / _SAMPLES for k in range(_SAMPLES + 1)]
    return [_PATH.format(kind="trace", points=" ".join(f"{x(p)},{y(fitted(p))}" for p in places))]


def _responses(points: Sequence[ResponsePoint], x: Scale, y: Scale) -> list[Markup]:
    drawn = []
    for p in points:
        if is_number(p.low) and is_number(p.high):
            side = "toward" if p.departs else "unsure"
            drawn.append(
                _LINE.format(kind=f"span {side}", x1=x(p.place), y1=y(p.low), x2=x(p.place), y2=y(p.high))
            )
        kind = "point" if p.departs else "dot unsure"
        drawn.append(_DOT.format(kind=kind, x=x(p.place), y=y(p.value), r=4.5))
    return drawn


def _dose_axis(points: Sequence[ResponsePoint], x: Scale, axis: str) -> list[Markup]:
    """Write every dose that has room, from the right, and always the controls."""
    foot, shown, last = _RESPONSE_PANEL[1], [], float("inf")
    for p in reversed(points):
        half = 3.4 * len(p.words)
        if x(p.place) + half + 6 <= last and (p is points[0] or x(p.place) - half > x(points[0].place) + 30):
            shown.append(_TEXT.format(kind="tick middle", x=x(p.place), y=foot + 18, text=p.words))
            last = x(p.place) - half
    middle = (_LEFT + _RESPONSE[0] - _RIGHT) / 2
    return [*shown, _TEXT.format(kind="panel middle", x=middle, y=foot + 38, text=axis)]


def _svg(kind: str, size: tuple[int, int], label: str, body: Sequence[Markup]) -> Markup:
    return _SVG.format(kind=kind, width=size[0], height=size[1], label=label, body=Markup("").join(body))
