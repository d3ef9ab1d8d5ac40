"""Numbers as text: true minus signs, intervals, percentages, units; a dash where there is none."""

import math
from typing import Any

NONE = "\N{EN DASH}"
NO_BREAK = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_UNITS = {"um": "µm", "um2": "µm²", "px2": "px²", "log2": "log₂"}


def is_number(value: Any) -> bool:
    """Tell whether there is a number to show.

    Parameters
    ----------
    value : object
        A float, None or NaN.

    Returns
    -------
    bool
        False for None, NaN, infinities and what is no number.
    """
    return isinstance(value, int | float) and math.isfinite(value)


def number(value: Any, digits: int = 2) -> str:
    """Write a number with fixed decimals.

    Parameters
    ----------
    value : float or None
        The number.
    digits : int, default 2
        Decimals.

    Returns
    -------
    str
        With a true minus; a dash where there is no number.

    Examples
    --------
    >>> number(1.5), number(1234, 0)
    ('1.50', '1,234')
    """
    if not is_number(value):
        return NONE
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not float(text.replace(",", "")) else text.replace("-", _MINUS)


def signed(value: Any, digits: int = 2) -> str:
    """Write a change: always with a sign.

    Parameters
    ----------
    value : float or None
        The change.
    digits : int, default 2
        Decimals.

    Returns
    -------
    str
        With a plus or a true minus, unless it rounds to 0.

    Examples
    --------
    >>> signed(0.25), signed(3, 0)
    ('+0.25', '+3')
    """
    text = number(value, digits)
    return text if text == NONE or text.startswith(_MINUS) or not text.strip("0.,") else f"+{text}"


def compact(value: Any) -> str:
    """Write a number of any size with about three digits that matter.

    Parameters
    ----------
    value : float or None
        The number.

    Returns
    -------
    str
        Without exponent from 0.00001 to 10 million.

    Examples
    --------
    >>> compact(1234.5), compact(0.01234), compact(3.14159)
    ('1,234', '0.0123', '3.14')
    """
    return number(value, _decimals(value)) if is_number(value) and 1e-5 <= abs(value) < 1e7 else _tiny(value)


def signed_compact(value: Any) -> str:
    """Write a change of any size with about three digits that matter.

    Parameters
    ----------
    value : float or None
        The change.

    Returns
    -------
    str
        As `compact`, always with a sign.
    """
    text = compact(value)
    return text if text in {NONE, "0"} or text.startswith(_MINUS) else f"+{text}"


def short(value: float) -> str:
    """Write a round number, such as a tick, without idle zeros.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    str
        With a true minus.

    Examples
    --------
    >>> short(0.5), short(2.0)
    ('0.5', '2')
    """
    return f"{value:g}".replace("-", _MINUS)


def span(low: str, high: str) -> str:
    """Join two numbers to a range.

    Parameters
    ----------
    low, high : str
        Ready to show.

    Returns
    -------
    str
        With an en dash.
    """
    return f"{low}{NONE}{high}"


def percent(share: Any) -> str:
    """Write a share as a percentage.

    Parameters
    ----------
    share : float or None
        From 0 to 1.

    Returns
    -------
    str
        Without decimals.

    Examples
    --------
    >>> percent(0.638).replace(NO_BREAK, " ")
    '64 %'
    """
    return f"{number(100 * share, 0)}{NO_BREAK}%" if is_number(share) else NONE


def glued(text: str) -> str:
    """Keep percent signs on the line of their number.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text with no-break spaces before percent signs.
    """
    return text.replace(" %", f"{NO_BREAK}%")


def q_value(value: Any) -> str:
    """Write a p or q value.

    Parameters
    ----------
    value : float or None
        From 0 to 1.

    Returns
    -------
    str
        Three decimals, or that it is below 0.001.
    """
    if not is_number(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def unit(name: str) -> str:
    """Write a unit as people do.

    Parameters
    ----------
    name : str
        For example ``"um2"``.

    Returns
    -------
    str
        For example ``"µm²"``; unknown units stay as they are.
    """
    return _UNITS.get(name, name)


def duration(seconds: Any) -> str:
    """Write a time.

    Parameters
    ----------
    seconds : float or None
        Seconds.

    Returns
    -------
    str
        In seconds, minutes or hours.

    Examples
    --------
    >>> duration(5.25), duration(125), duration(7200)
    ('5.2 s', '2 min 5 s', '2 h 0 min')
    """
    if not is_number(seconds):
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _decimals(value: float) -> int:
    return min(7, max(0, 2 - math.floor(math.log10(abs(value)))))


def _tiny(value: Any) -> str:
    if not is_number(value):
        return NONE
    return f"{value:.2e}".replace("-", _MINUS) if value else "0"
