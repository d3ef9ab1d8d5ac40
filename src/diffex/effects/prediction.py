"""What slope and curvature of the margin predict of edits, before any is rendered."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from diffex.effects.arrays import SIGNS, FloatArray, finite


@final
@dataclass(frozen=True, eq=False)
class Predicted:
    """Mean effects of latent changes, ``curved + linear``, and of their opposites, ``curved - linear``.

    Parameters
    ----------
    linear, curved : ndarray, shape (r,)
        In logits of the margin.
    """

    linear: FloatArray
    curved: FloatArray

    def signed(self, weight: float) -> FloatArray:
        """Effects of either sign, ``(r, 2)``, with the curved part times a weight."""
        return np.asarray(weight * self.curved[:, None] + self.linear[:, None] * np.array(SIGNS))

    def __add__(self, other: "Predicted") -> "Predicted":
        """The directions of both, one after the other."""
        linear, curved = (
            np.concatenate([a, b]) for a, b in ((self.linear, other.linear), (self.curved, other.curved))
        )
        return Predicted(linear, curved)


def predict(gradients: ArrayLike, curvature: ArrayLike, directions: ArrayLike) -> Predicted:
    """Predict mean effects of latent changes: ``mean_i g_i . v`` and ``v' curvature v / 2``.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        Of the target's margin, per image.
    curvature : array_like, shape (d, d)
        Mean second derivative of the margin; zeros where it is not known.
    directions : array_like, shape (r, d)
        Latent changes.

    Returns
    -------
    Predicted
        An effect per direction and sign.
    """
    v = finite(directions, "directions", 2)
    curved = np.einsum("rd,de,re->r", v, finite(curvature, "curvature", 2), v, optimize=True) / 2
    return Predicted(linear_effects(gradients, v), np.asarray(curved, dtype=np.float64))


def linear_effects(gradients: ArrayLike, directions: ArrayLike) -> FloatArray:
    """Predict mean effects of latent changes to first order: ``mean_i g_i . v``.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        Of the target's margin, per image.
    directions : array_like, shape (r, d)
        Latent changes.

    Returns
    -------
    ndarray, shape (r,)
        In logits of the margin.
    """
    mean: FloatArray = finite(gradients, "gradients", 2).mean(axis=0)
    return np.asarray(finite(directions, "directions", 2) @ mean, dtype=np.float64)
