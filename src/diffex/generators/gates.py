"""Gates: what a generator must show on held-out images before it may explain."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from diffex.base.noise import noise_for
from diffex.classifiers.classifier import Classifier
from diffex.classifiers.margins import margins
from diffex.generators.autoencoder import DiffusionAutoencoder
from diffex.images import Images, sample

_HELD_OUT = 256
_LEAST = 1e-12  # a decoder that ignores the noise divides by nothing


@final
@dataclass(frozen=True)
class Gate:
    """One check with its threshold.

    Parameters
    ----------
    name, words : str
        Identifier, and a phrase for people.
    value, threshold : float
        What was measured, and what is asked.
    at_least : bool
        Whether the value must be at least the threshold, or at most.
    """

    name: str
    words: str
    value: float
    threshold: float
    at_least: bool

    @property
    def passed(self) -> bool:
        """Whether the value meets the threshold."""
        met = self.value >= self.threshold if self.at_least else self.value <= self.threshold
        return bool(met and np.isfinite(self.value))

    def as_dict(self) -> dict[str, Any]:
        """Give the fields and `passed`, for JSON."""
        return {**vars(self), "passed": self.passed}

    def __str__(self) -> str:
        """Say value, threshold and verdict in one line."""
        sign, verdict = (">=" if self.at_least else "<="), ("passed" if self.passed else "FAILED")
        return f"{self.words}: {self.value:.3f} ({sign} {self.threshold:g}) {verdict}"


@torch.no_grad()
def measure_gates(
    model: DiffusionAutoencoder, classifier: Classifier, held_out: Images, seed: int = 0
) -> tuple[Gate, ...]:
    """Measure the four gates on held-out images, from z alone, at the default depth.

    Parameters
    ----------
    model : DiffusionAutoencoder
        Fitted.
    classifier : Classifier
        The thing to be explained.
    held_out : Images
        Not used in training; up to 256 are taken, balanced over classes.
    seed : int
        Of the sample and the noise.

    Returns
    -------
    tuple of Gate
        Logit fidelity, flips, noise share, conditioning ratio.
    """
    images = sample(held_out, _HELD_OUT, seed)
    x = images.read()
    z = model.encode(x)
    noise = [noise_for(images.ids, model.image_shape, "gate", k, seed) for k in range(2)]
    swapped = z[torch.from_numpy(np.random.default_rng(seed).permutation(len(z)))]
    first, again = model.decode(z, noise[0]), model.decode(z, noise[1])
    changed = model.decode(swapped, noise[0])
    logits = [logits_of(classifier, v, images.value_range) for v in (x, first, again)]
    inside = _inside(images, x)
    return (
        Gate("logit_spearman", "rank correlation of the logit on image and reconstruction",
             _mean_spearman(logits[0], logits[1]), 0.90, True),
        Gate("flips", "share of reconstructions that change class",
             float((logits[0].argmax(1) != logits[1].argmax(1)).mean()), 0.03, False),
        Gate("noise_share", "share of the logit's variance that is due to noise",
             _noise_share(logits[0], logits[1], logits[2]), 0.05, False),
        Gate("conditioning", "change of image by code over change by noise, within the object",
             _energy(changed - first, inside) / max(_energy(again - first, inside), _LEAST), 2.5, True),
    )  # fmt: skip


@torch.no_grad()
def logits_of(classifier: Classifier, x: Tensor, value_range: tuple[float, float]) -> NDArray[np.float64]:
    """Classify any number of images in batches of 256.

    Parameters
    ----------
    classifier : Classifier
        The thing asked.
    x : Tensor
        ``(n, c, h, w)`` grey values.
    value_range : (float, float)
        Of `x`.

    Returns
    -------
    ndarray, shape (n, k)
        Logits.
    """
    parts = [classifier.logits(part, value_range).cpu().numpy() for part in torch.split(x, 256)]
    return np.concatenate(parts).astype(np.float64)


def _mean_spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    first, second = (margins(torch.from_numpy(v)).numpy() for v in (a, b))
    columns = range(1 if a.shape[1] == 2 else a.shape[1])
    return float(np.mean([spearmanr(first[:, k], second[:, k]).statistic for k in columns]))


def _noise_share(real: NDArray[np.float64], first: NDArray[np.float64], again: NDArray[np.float64]) -> float:
    m_real, m_first, m_again = (margins(torch.from_numpy(v)).numpy() for v in (real, first, again))
    by_noise = 0.5 * np.square(m_first - m_again).mean(axis=0)
    return float((by_noise / m_real.var(axis=0)).mean())


def _inside(images: Images, x: Tensor) -> Tensor:
    masks = images.read_masks()
    if masks is None or not bool(masks.any()):
        return torch.ones(len(x), 1, *x.shape[2:])
    return masks.float().unsqueeze(1)


def _energy(difference: Tensor, inside: Tensor) -> float:
    return float((difference.square() * inside).sum())
