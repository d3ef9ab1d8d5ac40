"""Which measurements differ between classes, with intervals."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from diffex.base.errors import InputError

_FEWEST_GROUPS = 6
_CONSTANT = 1e-9  # relative spread below which a measurement is constant up to rounding
COLUMNS = ("quantity", "target", "difference", "low", "high", "auroc", "p", "q", "over")


def class_differences(
    table: pd.DataFrame,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    groups: NDArray[np.str_] | None = None,
    target: str | None = None,
) -> pd.DataFrame:
    r"""Compare each measurement of one class with that of all others.

    The difference is Cohen's :math:`d = (m_1 - m_0) / s`, with the pooled standard deviation :math:`s` over
    images. With at least 6 groups on both sides, :math:`m` are means of group means, and interval and p are
    those of Welch's t over groups; else they are over images, which says nothing beyond these groups. A group
    that holds both sides counts in both, which widens the interval. q is after Benjamini & Hochberg (1995),
    over the rows of one target.

    Parameters
    ----------
    table : DataFrame
        A row per image, numeric columns, for example from `measure`.
    labels : ndarray of int, shape (n,)
        Index into `class_names`.
    class_names : sequence of str
        In the order of the labels.
    groups : ndarray of str, shape (n,), optional
        Unit of replication: well, field, donor.
    target : str, optional
        The class to compare; default the last of two classes, or each in turn where there are more.

    Returns
    -------
    DataFrame
        ``quantity, target, difference, low, high, auroc, p, q, over``: interval of 95 %; ``auroc`` over
        images, above 0.5 where the target is higher; ``over`` is ``"groups"`` or ``"images"``. Largest first
        within a target. A constant measurement has difference 0, p 1.

    Raises
    ------
    InputError
        If lengths disagree, the target is unknown, or a side has fewer than 2 images.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> table = pd.DataFrame({"area_px": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    >>> row = class_differences(table, np.array([0, 0, 0, 1, 1, 1]), ["control", "drug"]).iloc[0]
    >>> row.target, float(row.difference), float(row.auroc), row.over
    ('drug', 3.0, 1.0, 'images')
    """
    labels = np.asarray(labels)
    _check(table, labels, class_names, groups, target)
    parts = []
    for name in _targets(class_names, target):
        inside = labels == list(class_names).index(name)
        if min(inside.sum(), (~inside).sum()) < 2:
            raise InputError(
                f"Class {name!r} got {inside.sum()} of {len(labels)} images, expected 2 on both sides."
            )
        parts.append(_compare(table, inside, groups, name))
    return pd.concat(parts, ignore_index=True)


def _targets(class_names: Sequence[str], target: str | None) -> Sequence[str]:
    if target is not None:
        return [target]
    return class_names[1:] if len(class_names) == 2 else class_names


def _compare(
    table: pd.DataFrame, inside: NDArray[np.bool_], groups: NDArray[np.str_] | None, target: str
) -> pd.DataFrame:
    values = table.to_numpy(dtype=np.float64)
    scale = _pooled_sd(values, inside)
    units = [_group_means(values, side, groups) for side in (inside, ~inside)]
    by_group = min(len(unit) for unit in units) >= _FEWEST_GROUPS and groups is not None
    ones, zeros = units if by_group else (values[inside], values[~inside])
    difference, margin, p = _welch(ones, zeros, scale)
    result = pd.DataFrame(
        {
            "quantity": table.columns,
            "target": target,
            "difference": difference,
            "low": difference - margin,
            "high": difference + margin,
            "auroc": _auroc(values, inside),
            "p": p,
            "q": stats.false_discovery_control(p) if len(p) else p,
            "over": "groups" if by_group else "images",
        },
        columns=list(COLUMNS),
    )
    order = np.argsort(-np.abs(difference), kind="stable")
    return result.iloc[order].reset_index(drop=True)


def _pooled_sd(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    ones, zeros = values[inside], values[~inside]
    squares = ones.var(axis=0) * len(ones) + zeros.var(axis=0) * len(zeros)
    pooled = np.sqrt(squares / (len(values) - 2))
    overall = values.std(axis=0)
    # Two constants that differ have no spread within; the spread over all keeps the difference finite.
    pooled = np.where(pooled > _CONSTANT * overall, pooled, overall)
    return np.where(overall > _CONSTANT * np.abs(values).max(axis=0), pooled, 0.0)


def _group_means(
    values: NDArray[np.float64], side: NDArray[np.bool_], groups: NDArray[np.str_] | None
) -> NDArray[np.float64]:
    if groups is None:
        return values[side]
    return pd.DataFrame(values[side]).groupby(np.asarray(groups)[side]).mean().to_numpy()


def _welch(
    ones: NDArray[np.float64], zeros: NDArray[np.float64], scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    varies = scale > 0
    safe = np.where(varies, scale, 1.0)
    difference = np.where(varies, (ones.mean(axis=0) - zeros.mean(axis=0)) / safe, 0.0)
    a, b = (side.var(axis=0, ddof=1) / len(side) / safe**2 for side in (ones, zeros))
    error = np.sqrt(a + b)
    exact = error <= _CONSTANT
    spread = a**2 / (len(ones) - 1) + b**2 / (len(zeros) - 1)
    freedom = np.divide((a + b) ** 2, spread, out=np.ones_like(spread), where=~exact)
    margin = np.where(varies & ~exact, stats.t.ppf(0.975, freedom) * error, 0.0)
    p = 2 * stats.t.sf(np.abs(difference) / np.where(exact, 1.0, error), freedom)
    return difference, margin, np.where(exact | ~varies, np.where(difference == 0, 1.0, 0.0), p)


def _auroc(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    ranks = stats.rankdata(values, axis=0)
    ones, zeros = int(inside.sum()), int((~inside).sum())
    return np.asarray((ranks[inside].sum(axis=0) - ones * (ones + 1) / 2) / (ones * zeros))


def _check(
    table: pd.DataFrame,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    groups: NDArray[np.str_] | None,
    target: str | None,
) -> None:
    for what, lengthy in _lengths(labels, groups):
        if lengthy != len(table):
            raise InputError(
                f"{what} got {lengthy} entries, expected one per row of the table ({len(table)})."
            )
    if target is not None and target not in class_names:
        raise InputError(f"target got {target!r}, expected one of {', '.join(class_names)}.")
    if len(class_names) < 2:
        raise InputError(f"class_names got {len(class_names)} class, expected at least 2 to compare.")


def _lengths(labels: NDArray[np.int64], groups: NDArray[np.str_] | None) -> Iterator[tuple[str, int]]:
    yield "labels", len(labels)
    if groups is not None:
        yield "groups", len(groups)
