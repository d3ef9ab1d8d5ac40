import math

import pytest

from diffex.report.numbers import NONE, compact, duration, number, percent, q_value, short, signed, unit


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "x"])
def test_no_number_is_a_dash(value):
    assert {f(value) for f in (number, signed, compact, percent, q_value, duration)} == {NONE}


def test_minus_is_a_minus():
    minus = "\N{MINUS SIGN}"
    assert number(-1.5) == f"{minus}1.50"
    assert signed(-3, 0) == f"{minus}3"
    assert short(-0.5) == f"{minus}0.5"
    assert compact(-1e-9) == f"{minus}1.00e{minus}09"
    assert number(-0.001) == signed(0.001) == signed(-0.001) == "0.00"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (12345.6, "12,346"), (0.000812, "0.000812"), (5, "5.00"), (1e9, "1.00e+09")]
)
def test_compact(value, text):
    assert compact(value) == text


def test_q_values_and_units():
    assert q_value(0.0004) == "< 0.001"
    assert q_value(0.05) == "0.050"
    assert unit("um2") == "µm²"
    assert unit("furlong") == "furlong"
