"""Disentanglement: does each latent tell one factor, each factor by one latent, seed after seed.

Everywhere ``latents`` is ``(n, d)`` and ``factors`` is ``(n, k)``, a row per image. A column of at most 50
different numbers is taken as classes, as they are; any other is cut into 20 bins of equal width where classes
are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from diffex.base.errors import InputError
from diffex.effects.arrays import BoolArray, FloatArray, IntArray, finite, same_length

_CLASSES = 50
_BINS = 20
_UNORDERED = 10
_TREES = 40
_BATCH = 64
_VOTES = 800
_DEAD = 0.05  # of the largest standard deviation


def mig(latents: ArrayLike, factors: ArrayLike) -> float:
    r"""Mutual information gap.

    :math:`\frac{1}{k} \sum_j (I(z_{(1)}; v_j) - I(z_{(2)}; v_j)) / H(v_j)`, with the two latents that tell
    most about factor `j`; Chen et al. 2018, "Isolating sources of disentanglement in VAEs".

    Parameters
    ----------
    latents : array_like, shape (n, d)
        Codes.
    factors : array_like, shape (n, k)
        What made the images.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    InputError
        If the lengths differ, or a factor is constant.

    Examples
    --------
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> round(mig(2.0 * factors, factors), 6), round(mig(factors @ [[1, 1], [1, -1]], factors), 6)
    (1.0, 0.0)
    """
    codes, truth = _checked(latents, factors)
    columns, goals = ([_classes(column) for column in table.T] for table in (codes, truth))
    shared = np.array([[_mutual_information(z, v) for v in goals] for z in columns])
    return float(np.mean(_gap(shared) / [_entropy(v) for v in goals]))


def sap(latents: ArrayLike, factors: ArrayLike) -> float:
    r"""Separated attribute predictability, by linear regression.

    :math:`\frac{1}{k} \sum_j (R^2_{(1)j} - R^2_{(2)j})`, with the squared correlations of factor `j` with the
    two latents that predict it best; Kumar et al. 2018, "Variational inference of disentangled latent
    concepts". Give classes without an order as a column of 0 and 1 each.

    Parameters
    ----------
    latents : array_like, shape (n, d)
        Codes.
    factors : array_like, shape (n, k)
        Numbers, or classes in their order.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    InputError
        If the lengths differ, or a factor is constant.
    """
    codes, truth = _checked(latents, factors)
    return float(np.mean(_gap(_correlations(codes, truth) ** 2)))


@final
@dataclass(frozen=True, eq=False)
class DCI:
    """What `dci` finds.

    Parameters
    ----------
    disentanglement : float
        0 to 1: each latent matters to one factor only.
    completeness : float
        0 to 1: each factor is told by one latent only.
    informativeness : float
        0 to 1: the latents together tell the factors.
    importance : ndarray, shape (d, k)
        Of each latent for each factor; columns sum to 1, or 0 where no latent varies.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: FloatArray


def dci(latents: ArrayLike, factors: ArrayLike, seed: int = 0) -> DCI:
    r"""Disentanglement, completeness and informativeness.

    With the importances :math:`R_{ij}`, rows scaled to :math:`P_{i \cdot}` and columns to
    :math:`\tilde P_{\cdot j}` of sum 1, :math:`D = \sum_i \rho_i (1 - H_k(P_{i \cdot}))` where
    :math:`\rho_i = \sum_j R_{ij} / \sum_{ij} R_{ij}`, :math:`C = \frac{1}{k} \sum_j (1 - H_d(\tilde P_{\cdot
    j}))`, and `I` is 1 minus the error on a held-out quarter over that of a constant guess (squared error, or
    share of wrong classes). Eastwood & Williams 2018, "A framework for the quantitative evaluation of
    disentangled representations"; importances from random forests, which classify a factor of at most 10
    different values and regress any other.

    Parameters
    ----------
    latents : array_like, shape (n, d)
        Codes.
    factors : array_like, shape (n, k)
        What made the images.
    seed : int, default 0
        Of the held-out rows and the forests.

    Returns
    -------
    DCI
        The three scores and the importances.

    Raises
    ------
    InputError
        If the lengths differ, or a factor is constant.
    """
    codes, truth = _checked(latents, factors)
    order = np.random.default_rng(seed).permutation(len(codes))
    fits = [_forest(codes, column, order, seed) for column in truth.T]
    importance = np.stack([weights for weights, _ in fits], axis=1)
    return DCI(
        disentangled(importance),
        float(np.mean(_concentration(importance.T))),
        float(np.mean([skill for _, skill in fits])),
        importance,
    )


def disentangled(importance: FloatArray) -> float:
    r"""Disentanglement of an importance matrix: does each row matter to one column only.

    :math:`\sum_i \rho_i (1 - H_k(P_{i \cdot}))`, as in `dci`.

    Parameters
    ----------
    importance : ndarray, shape (d, k)
        Of each latent or direction for each factor; 0 or more.

    Returns
    -------
    float
        0 to 1; 0 where nothing matters.

    Examples
    --------
    >>> disentangled(np.eye(3)), disentangled(np.ones((2, 2)))
    (1.0, 0.0)
    """
    share = importance.sum(axis=1) / max(importance.sum(), 1e-12)
    return float(share @ _concentration(importance))


def factor_vae_score(
    latents: ArrayLike, factors: ArrayLike, seed: int = 0, active: BoolArray | None = None
) -> float:
    """Accuracy of a majority vote: which factor was held fixed, told by the latent that varies least.

    Each vote holds one factor at one value, draws 64 such rows, and names the latent with the smallest
    variance relative to that over all rows. Kim & Mnih 2018, "Disentangling by factorising". 800 votes make
    the rule, 800 others judge it. Chance is about ``1 / k``.

    Parameters
    ----------
    latents : array_like, shape (n, d)
        Codes.
    factors : array_like, shape (n, k)
        What made the images; values with fewer than 16 rows are not held.
    seed : int, default 0
        Of the draws.
    active : ndarray of bool, shape (d,), optional
        Latents that may be named; by default those whose standard deviation is at least 5 % of the largest.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    InputError
        If the lengths differ, a factor is constant, or no value of a factor has 16 rows.
    """
    codes, truth = _checked(latents, factors)
    spread = codes.std(axis=0)
    keep = spread >= max(_DEAD * spread.max(), 1e-12) if active is None else active
    if not keep.any():
        return 0.0
    scaled = codes[:, keep] / spread[keep]
    groups = [_groups(column, j) for j, column in enumerate(truth.T)]
    votes = np.array(list(_votes(scaled, groups, np.random.default_rng(seed))))
    table = np.zeros((scaled.shape[1], len(groups)), dtype=np.int64)
    np.add.at(table, (votes[:_VOTES, 0], votes[:_VOTES, 1]), 1)
    told = table.argmax(axis=1)[votes[_VOTES:, 0]]
    return float(np.mean(told == votes[_VOTES:, 1]))


def stability(
    first: ArrayLike,
    second: ArrayLike,
    first_active: BoolArray | None = None,
    second_active: BoolArray | None = None,
) -> float:
    r"""Agreement of the codes that two seeds give the same images; needs no factors.

    With :math:`R_{ab}` the absolute Spearman correlation of used latent `a` of one and `b` of the other code,
    :math:`\frac{1}{d_1 + d_2} \left( \sum_a \frac{\max_b R_{ab}^2}{\sum_b R_{ab}} + \sum_b \frac{\max_a
    R_{ab}^2}{\sum_a R_{ab}} \right)`: 1 where the latents are the same but for order, sign and scale. Duan et
    al. 2020, "Unsupervised model selection for variational disentangled representation learning", who take
    the median over the other seeds as the score of a model.

    Parameters
    ----------
    first, second : array_like, shape (n, d1) and (n, d2)
        Codes of the same images.
    first_active, second_active : ndarray of bool, shape (d1,) and (d2,), optional
        Latents that are used; by default all that are not constant.

    Returns
    -------
    float
        0 to 1; 0 where a code uses no latent.

    Raises
    ------
    InputError
        If the lengths differ.

    Examples
    --------
    >>> codes = np.array([[0.0, 3.0], [1.0, 1.0], [2.0, 1.0], [3.0, 3.0]])
    >>> stability(codes, -2 * codes[:, ::-1])
    1.0
    """
    one = _used(finite(first, "first", 2), first_active)
    other = _used(finite(second, "second", 2), second_active)
    same_length(len(one), "second", other)
    if 0 in (one.shape[1], other.shape[1]):
        return 0.0
    table = _correlations(rankdata(one, axis=0), rankdata(other, axis=0))
    sides = [side.max(axis=1) ** 2 / np.maximum(side.sum(axis=1), 1e-12) for side in (table, table.T)]
    return float(np.mean(np.concatenate(sides)))


def _checked(latents: ArrayLike, factors: ArrayLike) -> tuple[FloatArray, FloatArray]:
    codes, truth = finite(latents, "latents", 2), finite(factors, "factors", 2)
    same_length(len(codes), "factors", truth)
    if constant := np.flatnonzero(np.ptp(truth, axis=0) == 0).tolist():
        raise InputError(
            f"factors got constant columns ({', '.join(map(str, constant))}), expected ones that vary; "
            "leave them out first."
        )
    return codes, truth


def _used(codes: FloatArray, active: BoolArray | None) -> FloatArray:
    return codes[:, np.ptp(codes, axis=0) > 0 if active is None else active]


def _classes(values: FloatArray) -> IntArray:
    distinct, index = np.unique(values, return_inverse=True)
    if len(distinct) <= _CLASSES:
        return index.astype(np.int64)
    edges = np.linspace(distinct[0], distinct[-1], _BINS + 1)[1:-1]
    return np.digitize(values, edges).astype(np.int64)


def _entropy(classes: IntArray) -> float:
    shares = np.bincount(classes) / len(classes)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _mutual_information(a: IntArray, b: IntArray) -> float:
    return _entropy(a) + _entropy(b) - _entropy(a * (b.max() + 1) + b)


def _gap(scores: FloatArray) -> FloatArray:
    """Best minus second best latent of each factor, ``(k,)``."""
    ordered = np.sort(np.vstack([scores, np.zeros_like(scores[:1])]), axis=0)
    gap: FloatArray = ordered[-1] - ordered[-2]
    return gap


def _correlations(a: FloatArray, b: FloatArray) -> FloatArray:
    """Absolute correlations of the columns, ``(d, k)``; 0 with a constant one."""
    a, b = (v - v.mean(axis=0) for v in (a, b))
    lengths = np.outer(np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0))
    return np.divide(np.abs(a.T @ b), lengths, out=np.zeros_like(lengths), where=lengths > 0)


def _forest(codes: FloatArray, factor: FloatArray, order: IntArray, seed: int) -> tuple[FloatArray, float]:
    """Importance of each latent, ``(d,)``, and skill on the held-out quarter."""
    held, fitting = np.split(order, [len(order) // 4])
    settings = {"n_estimators": _TREES, "min_samples_leaf": 3, "max_features": 1.0, "random_state": seed}
    if len(np.unique(factor)) <= _UNORDERED:
        classes = _classes(factor)
        voter = RandomForestClassifier(**settings).fit(codes[fitting], classes[fitting])
        wrong = np.mean(voter.predict(codes[held]) != classes[held])
        guess = np.mean(np.bincount(classes[fitting]).argmax() != classes[held])
        return voter.feature_importances_, _skill(wrong, guess)
    forest = RandomForestRegressor(**settings).fit(codes[fitting], factor[fitting])
    wrong = np.mean((forest.predict(codes[held]) - factor[held]) ** 2)
    return forest.feature_importances_, _skill(wrong, np.mean((factor[fitting].mean() - factor[held]) ** 2))


def _skill(error: float, of_a_guess: float) -> float:
    return max(0.0, 1 - error / of_a_guess) if of_a_guess > 0 else 0.0


def _concentration(weights: FloatArray) -> FloatArray:
    """1 minus the entropy of each row over its largest; 0 for an empty row, 1 where there is no choice."""
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    most = np.log(weights.shape[1]) if weights.shape[1] > 1 else 1.0
    return np.where(total[:, 0] > 0, 1 - entropy / most, 0.0)


def _groups(factor: FloatArray, index: int) -> list[IntArray]:
    """Rows of each value of a factor that has enough of them."""
    classes = _classes(factor)
    groups = [np.flatnonzero(classes == value) for value in np.unique(classes)]
    enough = [rows for rows in groups if len(rows) >= _BATCH // 4]
    if not enough:
        raise InputError(
            f"factors got no value of column {index} with {_BATCH // 4} rows or more: give more images."
        )
    return enough


def _votes(
    scaled: FloatArray, groups: list[list[IntArray]], random: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Latent that varied least, and the factor that was held."""
    for _ in range(2 * _VOTES):
        factor = int(random.integers(len(groups)))
        rows = groups[factor][random.integers(len(groups[factor]))]
        drawn = scaled[random.choice(rows, _BATCH)]
        yield int(drawn.var(axis=0).argmin()), factor
