"""Rules that label planted cells: which factors the class depends on, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffex.base.errors import InputError
from diffex.base.noise import derive_seed
from diffex.images.planted_factors import FACTORS, check_factors, factor_index

_SMALLEST_WEIGHT = 0.15


class LabelRule(Protocol):
    """What labels cells: a score h, and labels drawn as Bernoulli(sigmoid(sharpness * h))."""

    def score(self, factors: ArrayLike) -> NDArray[np.float64]:
        """Compute h, ``(n,)``, from factors ``(n, 12)``."""
        ...

    def labels(self, factors: ArrayLike, seed: int) -> NDArray[np.int64]:
        """Draw labels 0 or 1, ``(n,)``."""
        ...

    def apply(self, factors: ArrayLike, seed: int) -> NDArray[np.float64]:
        """Give the factors as the rule leaves them, ``(n, 12)``: only a shortcut changes any."""
        ...


@final
@dataclass(frozen=True)
class LinearRule:
    """A weighted sum of factors: ``h = sum_j w_j f_j``.

    Parameters
    ----------
    weights : mapping of str to float
        By factor name; factors not named do not matter.
    sharpness : float, default 3.0
        The larger, the fewer labels contradict the score.

    Raises
    ------
    InputError
        If a factor is unknown.

    Examples
    --------
    >>> LinearRule({"nucleus_area": 1.0}).score([[2.0] + [0.0] * 11])
    array([2.])
    """

    weights: Mapping[str, float]
    sharpness: float = 3.0

    def __post_init__(self) -> None:
        """Check the names."""
        for name in self.weights:
            factor_index(name)

    def score(self, factors: ArrayLike) -> NDArray[np.float64]:
        """Compute h, ``(n,)``, from factors ``(n, 12)``."""
        table = check_factors(factors)
        vector = np.zeros(len(FACTORS))
        for name, weight in self.weights.items():
            vector[factor_index(name)] = weight
        return np.asarray(table @ vector)

    def labels(self, factors: ArrayLike, seed: int) -> NDArray[np.int64]:
        """Draw labels 0 or 1, ``(n,)``."""
        return draw_labels(self.score(factors), self.sharpness, seed)

    def apply(self, factors: ArrayLike, seed: int) -> NDArray[np.float64]:
        """Give the factors unchanged, ``(n, 12)``."""
        return check_factors(factors)


@final
@dataclass(frozen=True)
class InteractionRule:
    """A product of two factors: ``h = a * b + main * (a + b)``.

    Parameters
    ----------
    a, b : str
        Factor names.
    main : float, default 0.0
        Weight of the two main effects.
    sharpness : float, default 3.0
        The larger, the fewer labels contradict the score.

    Raises
    ------
    InputError
        If a factor is unknown.
    """

    a: str
    b: str
    main: float = 0.0
    sharpness: float = 3.0

    def __post_init__(self) -> None:
        """Check the names."""
        factor_index(self.a)
        factor_index(self.b)

    def score(self, factors: ArrayLike) -> NDArray[np.float64]:
        """Compute h, ``(n,)``, from factors ``(n, 12)``."""
        table = check_factors(factors)
        a, b = table[:, factor_index(self.a)], table[:, factor_index(self.b)]
        return np.asarray(a * b + self.main * (a + b))

    def labels(self, factors: ArrayLike, seed: int) -> NDArray[np.int64]:
        """Draw labels 0 or 1, ``(n,)``."""
        return draw_labels(self.score(factors), self.sharpness, seed)

    def apply(self, factors: ArrayLike, seed: int) -> NDArray[np.float64]:
        """Give the factors unchanged, ``(n, 12)``."""
        return check_factors(factors)


@final
@dataclass(frozen=True)
class ThresholdRule:
    """A step of one factor: ``h = 1`` above the threshold, ``-1`` elsewhere.

    Parameters
    ----------
    factor : str
        Factor name.
    threshold : float, default 0.0
        In standard deviations.
    sharpness : float, default 3.0
        The larger, the fewer labels contradict the score; 3 leaves 5 % of them.

    Raises
    ------
    InputError
        If the factor is unknown.
    """

    factor: str
    threshold: float = 0.0
    sharpness: float = 3.0

    def __post_init__(self) -> None:
        """Check the name."""
        factor_index(self.factor)

    def score(self, factors: ArrayLike) -> NDArray[np.float64]:
        """Compute h, ``(n,)``, from factors ``(n, 12)``."""
        column = check_factors(factors)[:, factor_index(self.factor)]
        return np.where(column > self.threshold, 1.0, -1.0)

    def labels(self, factors: ArrayLike, seed: int) -> NDArray[np.int64]:
        """Draw labels 0 or 1, ``(n,)``."""
        return draw_labels(self.score(factors), self.sharpness, seed)

    def apply(self, factors: ArrayLike, seed: int) -> NDArray[np.float64]:
        """Give the factors unchanged, ``(n, 12)``."""
        return check_factors(factors)


@final
@dataclass(frozen=True)
class ShortcutRule:
    """A cause, and a shortcut that tracks the label: ``h = cause``.

    The shortcut becomes ``strength * (2 y - 1) + sqrt(1 - strength**2) * f``: its correlation with a balanced
    label is `strength`, its variance stays 1. It never causes the label.

    Parameters
    ----------
    cause : str
        Factor that the label depends on.
    shortcut : str
        Factor that tracks the label, for example ``"debris"``.
    strength : float
        Correlation with the label, 0 to 1.
    sharpness : float, default 3.0
        The larger, the fewer labels contradict the cause.

    Raises
    ------
    InputError
        If a factor is unknown, both are the same, or the strength is out of range.
    """

    cause: str
    shortcut: str
    strength: float
    sharpness: float = 3.0

    def __post_init__(self) -> None:
        """Check names and strength."""
        if factor_index(self.cause) == factor_index(self.shortcut):
            raise InputError(f"shortcut got {self.shortcut!r}, the cause itself: name another factor.")
        if not 0 <= self.strength <= 1:
            raise InputError(f"strength got {self.strength}, expected 0 to 1.")

    def score(self, factors: ArrayLike) -> NDArray[np.float64]:
        """Compute h, ``(n,)``, from factors ``(n, 12)``."""
        return check_factors(factors)[:, factor_index(self.cause)].copy()

    def labels(self, factors: ArrayLike, seed: int) -> NDArray[np.int64]:
        """Draw labels 0 or 1, ``(n,)``."""
        return draw_labels(self.score(factors), self.sharpness, seed)

    def apply(self, factors: ArrayLike, seed: int) -> NDArray[np.float64]:
        """Tie the shortcut to the labels that the same seed draws, ``(n, 12)``."""
        changed, column = check_factors(factors).copy(), factor_index(self.shortcut)
        signs = 2.0 * self.labels(changed, seed) - 1.0
        changed[:, column] = self.strength * signs + np.sqrt(1 - self.strength**2) * changed[:, column]
        return changed


def draw_labels(score: NDArray[np.float64], sharpness: float, seed: int) -> NDArray[np.int64]:
    """Draw labels as Bernoulli(sigmoid(sharpness * h)).

    Parameters
    ----------
    score : ndarray, shape (n,)
        The rule's h.
    sharpness : float
        Slope of the sigmoid.
    seed : int
        The same scores and seed give the same labels.

    Returns
    -------
    ndarray of int, shape (n,)
        0 or 1.
    """
    uniform = np.random.default_rng(derive_seed("planted labels", seed)).uniform(size=len(score))
    chance = 0.5 + 0.5 * np.tanh(0.5 * sharpness * score)  # sigmoid that cannot overflow
    return (uniform < chance).astype(np.int64)


def graded_rule(seed: int, n_active: int) -> LinearRule:
    """Make a linear rule whose weights fall geometrically from 1 to 0.15.

    Parameters
    ----------
    seed : int
        Chooses the factors, their order and signs.
    n_active : int
        How many factors matter, 1 to 12.

    Returns
    -------
    LinearRule
        Strongest factor first.

    Raises
    ------
    InputError
        If `n_active` is out of range.
    """
    if not 1 <= n_active <= len(FACTORS):
        raise InputError(f"n_active got {n_active}, expected 1 to {len(FACTORS)}.")
    rng = np.random.default_rng(derive_seed("graded rule", seed))
    names = rng.permutation(FACTORS)[:n_active]
    sizes = np.geomspace(1.0, _SMALLEST_WEIGHT, n_active) if n_active > 1 else np.ones(1)
    weights = sizes * rng.choice([-1.0, 1.0], n_active)
    return LinearRule({str(name): float(weight) for name, weight in zip(names, weights, strict=True)})
