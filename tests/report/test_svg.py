import math
from xml.etree import ElementTree

import pytest

from diffex.report.scales import Scale, nice_range, ticks
from diffex.report.svg import DosePoint, dose_curve, interval_axis, interval_bar, zero_share


def point(strength, effect, *, inside=True, flips=0.5):
    return DosePoint(strength, effect, effect - 0.1, effect + 0.1, flips, flips - 0.1, flips + 0.1, inside)


def parts(svg, kind):
    return [e for e in ElementTree.fromstring(str(svg)).iter() if kind in e.get("class", "").split()]


@pytest.mark.parametrize("values", [[0.0], [1e-9], [-3.0, -2.0], [1e6, -4.0], [math.nan, 0.3]])
def test_nice_range_holds_values_and_zero(values):
    low, high = nice_range(values)
    assert low < high and low <= 0 <= high
    assert all(low <= v <= high for v in values if not math.isnan(v))
    assert 1 <= len(ticks(low, high)) <= 12


def test_scale_stays_within():
    scale = Scale(0, 2, 100, 0)
    assert [scale(v) for v in (-1, 0, 1, 2, 9)] == [100, 100, 50, 0, 0]


def test_interval_bar():
    bar = interval_bar(1.0, 0.5, 1.5, (-2, 2), sure=True)
    (dot,), (span,) = parts(bar, "dot"), parts(bar, "span")
    assert float(span.get("x1")) < float(dot.get("cx")) < float(span.get("x2"))
    assert "toward" in dot.get("class")
    assert "away" in str(interval_bar(-1.0, -1.5, -0.5, (-2, 2), sure=True))
    assert "unsure" in str(interval_bar(1.0, -0.5, 1.5, (-2, 2), sure=False))
    assert not parts(interval_bar(math.nan, math.nan, math.nan, (-2, 2), sure=False), "dot")
    assert zero_share((-2, 2)) == 0.5
    assert len(parts(interval_axis((-2, 2)), "tick")) == 5


def test_dose_curve():
    svg = dose_curve([point(2, 1.5, inside=False), point(1, 1), point(-1, -1)], "<b>")
    assert len(parts(svg, "point")) == 6
    assert len(parts(svg, "ring")) == 2
    assert len(parts(svg, "off")) == 1
    assert len(parts(svg, "band")) == 2
    assert "&lt;b&gt;" in svg and "<b>" not in svg


def test_dose_curve_without_flips():
    svg = dose_curve([point(1, 1, flips=math.nan)], "positive")
    assert "nan" not in svg
    assert "flips \N{EN DASH}" in svg
