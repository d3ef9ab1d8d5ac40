"""Numbers as text."""

import math

NONE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def signed(value: float | None, digits: int = 2) -> str:
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
        With a plus or a true minus, unless it rounds to 0; a dash where there is no number.

    Examples
    --------
    >>> signed(0.25), signed(-0.001)
    ('+0.25', '0.00')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if not round(value, digits):
        return f"{0:.{digits}f}"
    return f"{value:+.{digits}f}".replace("-", _MINUS)
